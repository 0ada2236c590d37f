package agentd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	journalName    = "journal"
	compactAtLeast = 1 << 20 // bytes; a smaller journal is not written anew
	compactGrowth  = 4       // written anew when it is that many times its size after the last time
)

// journalFile is the file of a journal: appended to, and now and then replaced.
type journalFile struct {
	path   string
	file   *os.File
	lock   io.Closer
	sync   bool
	size   int64
	atMost int64
	buf    []byte

	next   *os.File   // what will replace the file; all that comes is written to both
	synced chan error // once next is on the disk
}

// openJournalFile locks folder dir, made if it is missing, and reads what its
// journal holds. The file is open for writing after the first replace.
func openJournalFile(dir string, sync bool) (*journalFile, []byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("journal: folder cannot be made: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, nil, err
	}
	f := &journalFile{path: filepath.Join(dir, journalName), lock: lock, sync: sync}
	data, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(fmt.Errorf("journal: %w", err), lock.Close())
	}
	return f, data, nil
}

// write appends records, in one write.
func (f *journalFile) write(records []record) error {
	var err error
	f.buf = f.buf[:0]
	for i := range records {
		if f.buf, err = appendRecord(f.buf, &records[i]); err != nil {
			return err
		}
	}
	n, err := f.file.Write(f.buf)
	f.size += int64(n)
	if err == nil && f.sync {
		err = f.file.Sync()
	}
	if err == nil && f.next != nil {
		err = f.writeNext()
	}
	if err != nil {
		return fmt.Errorf("journal: %w; nothing was acknowledged that is not in it: make room or repair the disk, then start again", err)
	}
	return nil
}

// large reports whether it is time to replace the file.
func (f *journalFile) large() bool { return f.next == nil && f.size > f.atMost }

// renew begins to replace the file by one with just these records, without
// waiting for the disk: that can take longer than a freeze may. Until the new
// file is there whole, all that is written goes to both.
func (f *journalFile) renew(records []record) error {
	if f.sync {
		return f.replace(records)
	}
	next, err := os.OpenFile(f.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	f.buf = f.buf[:0]
	for i := range records {
		if f.buf, err = appendRecord(f.buf, &records[i]); err != nil {
			return errors.Join(err, next.Close())
		}
	}
	if _, err := next.Write(f.buf); err != nil {
		return errors.Join(fmt.Errorf("journal: cannot be written anew: %w", err), next.Close())
	}
	f.next, f.synced = next, make(chan error, 1)
	go func() { f.synced <- next.Sync() }()
	return nil
}

// writeNext keeps the new file up to date, and takes it when it is on the disk.
func (f *journalFile) writeNext() error {
	if _, err := f.next.Write(f.buf); err != nil {
		return err
	}
	select {
	case err := <-f.synced:
		if err != nil {
			return err
		}
	default:
		return nil
	}
	if err := os.Rename(f.next.Name(), f.path); err != nil {
		return err
	}
	old := f.file
	f.file, f.next = f.next, nil
	info, err := f.file.Stat()
	if err != nil {
		return errors.Join(err, old.Close())
	}
	f.size = info.Size()
	f.atMost = max(compactAtLeast, compactGrowth*f.size)
	return old.Close()
}

// replace puts a file with just these records in place of the present one, so
// that at every instant one of the two is there whole.
func (f *journalFile) replace(records []record) error {
	fresh, err := os.OpenFile(f.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	old := f.file
	f.file, f.size = fresh, 0
	err = f.write(records)
	if err == nil {
		err = fresh.Sync()
	}
	if err == nil {
		err = os.Rename(fresh.Name(), f.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("journal: cannot be written anew: %w", err), fresh.Close())
	}
	if f.sync {
		err = syncFolder(filepath.Dir(f.path))
	}
	f.atMost = max(compactAtLeast, compactGrowth*f.size)
	if old != nil {
		err = errors.Join(err, old.Close())
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *journalFile) close() error {
	var err error
	if f.next != nil { // what it has is in the file too
		err = errors.Join(<-f.synced, f.next.Close(), os.Remove(f.next.Name()))
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	return errors.Join(err, f.lock.Close())
}
