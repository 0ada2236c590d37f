package cli

import (
	"os"
	"runtime"
	"strings"
)

// environment says on what a bench ran.
func environment() map[string]any {
	env := map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				env["cpu"] = strings.TrimSpace(model)
				break
			}
		}
	}
	return env
}
