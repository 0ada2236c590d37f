//go:build !unix

package agentd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// lockFolder holds the lock file open; here that keeps nobody out.
func lockFolder(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return f, nil
}
