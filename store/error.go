package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// The kinds of failure that a person can do something about. Each comes wrapped
// in an [*Error] that names the file and the remedy.
var (
	ErrNewer    = errors.New("the file was written by a newer version of this program")
	ErrForeign  = errors.New("the file is not one of this program's")
	ErrCorrupt  = errors.New("the file is corrupt")
	ErrLocked   = errors.New("the file is locked by another process")
	ErrReadOnly = errors.New("the file cannot be written")
	ErrFull     = errors.New("the disk is full")
	ErrAhead    = errors.New("the file knows more facts than the stream has")
	ErrClosed   = errors.New("the store is closed")
)

// Error says what was tried with which file, what was wrong and what to do next.
type Error struct {
	Op   string // what was tried, as a verb: "open", "apply facts"
	Path string // of the file
	Err  error  // wraps one of the kinds, where it is one
	Hint string // what to do next; may be empty
}

func (e *Error) Error() string {
	s := e.Op + " " + e.Path + ": " + e.Err.Error()
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() error { return e.Err }

var hints = map[error]string{
	ErrNewer:    "start that version, or move the file away: it is then built anew",
	ErrForeign:  "move it away, or choose another directory",
	ErrCorrupt:  "restart: it is then moved aside and built anew",
	ErrLocked:   "end the other process (another core of this mesh, or a tool that has the file open) and try again",
	ErrReadOnly: "make the file and its directory writable for this user, or choose another directory",
	ErrAhead:    "facts are lost: restore the stream from a backup; or, to live without them, move the file away: it is then built anew",
	ErrFull:     "free some space, or lower the retention; nothing that was acknowledged is lost",
}

// explain turns what SQLite or the system said into an *Error; nil stays nil.
func explain(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	kind := kindOf(err)
	if kind == nil {
		return &Error{Op: op, Path: path, Err: err}
	}
	if !errors.Is(err, kind) {
		err = fmt.Errorf("%w (%w)", kind, err)
	}
	return &Error{Op: op, Path: path, Err: err, Hint: hints[kind]}
}

func kindOf(err error) error {
	for kind := range hints {
		if errors.Is(err, kind) {
			return kind
		}
	}
	if s, ok := errors.AsType[sqlite3.Error](err); ok {
		return kindOfSQLite(s)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ErrReadOnly
	}
	return nil
}

func kindOfSQLite(err sqlite3.Error) error {
	switch err.Code {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return ErrCorrupt
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return ErrLocked
	case sqlite3.ErrFull:
		return ErrFull
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrAuth:
		return ErrReadOnly
	case sqlite3.ErrCantOpen:
		return ErrReadOnly
	case sqlite3.ErrIoErr:
		if err.SystemErrno == syscall.ENOSPC {
			return ErrFull
		}
	}
	return nil
}

// exists reports whether there is a file with something in it.
func exists(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: it is no regular file", ErrForeign)
	}
	return info.Size() > 0, nil
}
