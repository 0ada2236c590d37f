package meshcore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// HomeLock is held by the one core that a mesh's directory may have. The
// operating system lets go of it when the process ends, however it ends.
type HomeLock struct{ file *os.File }

// A reader that asks whether a core runs holds the lock for an instant; a core
// that starts in that instant tries again so often.
const (
	lockTries = 25
	lockPause = 20 * time.Millisecond
)

// Lock takes the mesh's directory for this process; [ErrLocked] names the
// process that has it.
func (h *Home) Lock() (*HomeLock, error) {
	path := filepath.Join(h.Dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mesh %s cannot be locked: %w", h.Mesh(), err)
	}
	for try := 1; ; try++ {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || try == lockTries {
			break
		}
		time.Sleep(lockPause)
	}
	if err != nil {
		owner := lockOwner(f)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("mesh %s: %w by the core with process id %s: attach to it with `mesh30k --mesh %s`, or end it first", h.Mesh(), ErrLocked, owner, h.Mesh())
		}
		return nil, fmt.Errorf("mesh %s cannot be locked: %s: %w", h.Mesh(), path, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid()))); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("mesh %s cannot be locked: %w", h.Mesh(), err)
	}
	return &HomeLock{f}, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

func lockOwner(f *os.File) string {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 20))
	pid := strings.TrimSpace(string(data))
	if _, numErr := strconv.Atoi(pid); err != nil || numErr != nil {
		return "unknown"
	}
	return pid
}

// Unlock lets go of the directory. The file stays: removing it could take it
// from under another process that has just opened it.
func (l *HomeLock) Unlock() { _ = l.file.Close() }

// locked reports whether a process holds the lock.
func (h *Home) locked() bool {
	f, err := os.Open(filepath.Join(h.Dir, "lock"))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// CoreInfo says where a mesh's core listens.
type CoreInfo struct {
	Mesh    string    `json:"mesh"`
	URL     string    `json:"url"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

func (h *Home) corePath() string { return filepath.Join(h.Dir, "core.json") }

// Announce writes core.json: from now on consoles find this core. The caller
// holds the lock.
func (h *Home) Announce(url string, started time.Time) error {
	info := CoreInfo{Mesh: h.Mesh(), URL: url, PID: os.Getpid(), Started: started}
	data, err := json.Marshal(info, json.Deterministic(true))
	if err == nil {
		err = auth.WriteFile(h.corePath(), data)
	}
	if err != nil {
		return fmt.Errorf("mesh %s: core.json cannot be written: %w", h.Mesh(), err)
	}
	return nil
}

// Withdraw removes core.json, at the core's end.
func (h *Home) Withdraw() error {
	if err := os.Remove(h.corePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mesh %s: core.json cannot be removed: %w", h.Mesh(), err)
	}
	return nil
}

// Core says where the mesh's core listens; false if none runs. That of a remote
// mesh is taken to run, as a process of which nothing is known. What a killed
// core left behind does not count: its process is gone, or lives but is another
// one, which does not hold the lock.
func (h *Home) Core() (CoreInfo, bool) {
	if h.Remote != nil {
		return CoreInfo{Mesh: h.Mesh(), URL: h.Remote.URL}, true
	}
	data, err := os.ReadFile(h.corePath())
	if err != nil {
		return CoreInfo{}, false
	}
	var info CoreInfo
	if err := json.Unmarshal(data, &info); err != nil || info.PID <= 0 {
		return CoreInfo{}, false
	}
	alive := !errors.Is(syscall.Kill(info.PID, 0), syscall.ESRCH)
	return info, alive && h.locked()
}

// RunningCores lists the cores that run with their directory in root, by mesh.
func RunningCores(root string) ([]CoreInfo, error) {
	names, err := ListHomes(root)
	if err != nil {
		return nil, err
	}
	var cores []CoreInfo
	for _, name := range names {
		h := &Home{Dir: filepath.Join(root, name), Topology: &wire.Topology{Mesh: name}}
		if info, ok := h.Core(); ok {
			cores = append(cores, info)
		}
	}
	return cores, nil
}
