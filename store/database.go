package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// readers is how many queries of one file may run at once; more wait.
const readers = 4

// database is one SQLite file: one connection that writes, several that read.
type database struct {
	path  string
	write *sql.DB
	read  *sql.DB
	*writer
	ended atomic.Bool // no query may begin any more
}

// address is the file's URI; SQLite unescapes the path, so that any name works.
func address(path string, options url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

func readOnly(path string, wait time.Duration) (*sql.DB, error) {
	return sql.Open("sqlite3", address(path, url.Values{
		"mode":          {"ro"},
		"_busy_timeout": {milliseconds(wait)},
	}))
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// openDatabase opens the file of a schema in dir, made and migrated as needed.
// A corrupt one is moved aside first; aside is then its new name, else empty.
func openDatabase(ctx context.Context, s schema, dir string, o Options) (db *database, aside string, err error) {
	path := filepath.Join(dir, s.name+".db")
	err = check(ctx, s, path, o.BusyTimeout)
	if errors.Is(err, ErrCorrupt) {
		aside, err = moveAside(path, "corrupt", o.Now())
	}
	if err != nil {
		return nil, "", explain("open", path, err)
	}
	db, err = connect(ctx, path, o.BusyTimeout)
	if err != nil {
		return nil, "", explain("open", path, err)
	}
	if err := s.migrate(ctx, db.writer); err != nil {
		return nil, "", explain("open", path, errors.Join(err, db.close()))
	}
	return db, aside, nil
}

// check reads the file, without touching it, and says what is wrong with it.
func check(ctx context.Context, s schema, path string, wait time.Duration) error {
	some, err := exists(path)
	if err != nil || !some {
		return err
	}
	db, err := readOnly(path, wait)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing was written
	if err := s.recognise(ctx, db); err != nil {
		return asCorrupt(err)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return asCorrupt(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, verdict)
	}
	return nil
}

// asCorrupt marks what SQLite says of a file that is none of its own, or broken.
func asCorrupt(err error) error {
	if errors.Is(kindOf(err), ErrCorrupt) && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// moveAside renames the file and what belongs to it, so that nothing is lost
// that someone may want to look into, and returns the new name.
func moveAside(path, why string, now time.Time) (string, error) {
	aside := path + "." + why + "-" + now.UTC().Format("20060102T150405Z")
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.%s-%s-%d", path, why, now.UTC().Format("20060102T150405Z"), n)
	}
	for _, suffix := range []string{"-wal", "-shm", ""} { // the file itself last: until then it is found again
		err := os.Rename(path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// connect opens the connections of a file that has been checked.
func connect(ctx context.Context, path string, wait time.Duration) (*database, error) {
	write, err := sql.Open("sqlite3", address(path, url.Values{
		"_busy_timeout": {milliseconds(wait)},
		"_foreign_keys": {"1"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"},
		"_auto_vacuum":  {"incremental"},
	}))
	if err != nil {
		return nil, err
	}
	conn, err := write.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := readOnly(path, wait)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &database{path: path, write: write, read: read, writer: newWriter(conn)}, nil
}

// close waits for what runs. The writer goes last: it then folds the log of
// its writes into the file, and what is left is one file.
func (db *database) close() error {
	db.ended.Store(true)
	return errors.Join(db.read.Close(), db.writer.close(), db.write.Close())
}

// usage is what the file takes on disk and how much of it is free inside.
func (db *database) usage(ctx context.Context) (FileUsage, error) {
	u := FileUsage{Path: db.path}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.path + suffix)
		switch {
		case err == nil:
			u.Bytes += info.Size()
		case !errors.Is(err, fs.ErrNotExist):
			return u, explain("measure", db.path, err)
		}
	}
	var page, free int64
	err := db.read.QueryRowContext(ctx,
		"SELECT page_size, freelist_count FROM pragma_page_size, pragma_freelist_count").Scan(&page, &free)
	u.Free = page * free
	return u, explain("measure", db.path, err)
}

// FileUsage is what a file of the store takes.
type FileUsage struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"` // on disk, with SQLite's log beside it
	Free  int64  `json:"free"`  // of these, empty pages that will be used again
}
