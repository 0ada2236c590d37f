package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// schema is one of the two databases: its file, its mark and the steps that
// make it. Steps are only ever added: file n of the folder leads from version
// n-1 to n.
type schema struct {
	name string // of its folder of migrations; NAME.db is its file
	mark int32  // SQLite's application_id
}

var (
	historySchema = schema{"history", 0x4D334B48} // "M3KH"
	trendsSchema  = schema{"trends", 0x4D334B54}  // "M3KT"
)

// steps are the texts of the migrations, in order.
func (s schema) steps() []string {
	dir := path.Join("migrations", s.name)
	entries, err := migrationFiles.ReadDir(dir) // sorted by name
	if err != nil {
		panic(err) // the files are part of the program
	}
	var steps []string
	for i, e := range entries {
		if !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", i+1)) {
			panic(fmt.Sprintf("store: migration %s: want number %d", e.Name(), i+1))
		}
		text, err := migrationFiles.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			panic(err)
		}
		steps = append(steps, string(text))
	}
	return steps
}

// recognise reads mark and version of a file that is not empty. It returns
// ErrForeign, ErrNewer or SQLite's own error; the file is not touched.
func (s schema) recognise(ctx context.Context, db *sql.DB) error {
	var mark, version, tables int
	for pragma, into := range map[string]*int{
		"PRAGMA application_id":              &mark,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := db.QueryRowContext(ctx, pragma).Scan(into); err != nil {
			return err
		}
	}
	if mark != int(s.mark) && (mark != 0 || tables != 0) {
		return fmt.Errorf("%w: it is a SQLite file without the mark of a %s", ErrForeign, s.name)
	}
	if latest := len(s.steps()); version > latest {
		return fmt.Errorf("%w: its version is %d, this program knows up to %d", ErrNewer, version, latest)
	}
	return nil
}

// migrate brings the file to the latest version, all steps in one transaction.
// It takes the write lock even if there is nothing to do, so that a locked or
// read-only file is found out at once.
func (s schema) migrate(ctx context.Context, w *writer) error {
	return w.transact(ctx, func(tx *transaction) error {
		var version int
		if err := tx.query("PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		steps := s.steps()
		if version == len(steps) {
			return nil
		}
		for i, step := range steps[version:] {
			if err := tx.script(step); err != nil {
				return fmt.Errorf("migrate to version %d: %w", version+i+1, err)
			}
		}
		return tx.script(fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", len(steps), s.mark))
	})
}
