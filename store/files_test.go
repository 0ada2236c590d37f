package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

// fixture makes the file of a schema at an earlier version, by SQL alone.
func fixture(t *testing.T, s schema, dir string, version int, more string) string {
	t.Helper()
	path := filepath.Join(dir, s.name+".db")
	db := try[*sql.DB](t)(sql.Open("sqlite3", address(path, nil)))
	defer db.Close()
	for _, step := range s.steps()[:version] {
		_, err := db.Exec(step)
		must(t, err)
	}
	_, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d; %s", version, s.mark, more))
	must(t, err)
	return path
}

func schemaOf(t *testing.T, db *database) string {
	t.Helper()
	var all string
	must(t, db.read.QueryRow("SELECT group_concat(type || ' ' || name || ' ' || sql, char(10) ORDER BY name) FROM sqlite_schema WHERE sql IS NOT NULL").Scan(&all))
	return all
}

func TestMigratingFromEachEarlierVersion(t *testing.T) {
	fresh := opened(t, t.TempDir(), Options{})
	latest := len(historySchema.steps())
	for version := 1; version < latest; version++ {
		t.Run(fmt.Sprint("from ", version), func(t *testing.T) {
			dir := t.TempDir()
			fixture(t, historySchema, dir, version, `
				INSERT INTO fact (seq, at, kind, keep, agent_id) VALUES (7000, 1, 'agent.crash', 0, 'bee');
				INSERT INTO audit VALUES (7001, 1, 'ada', '', 'h', '{}');
				UPDATE progress SET cursor = 7`)
			s := opened(t, dir, Options{})
			if s.Cursor() != 7 {
				t.Errorf("cursor %d, want 7", s.Cursor())
			}
			if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{AgentID: "bee"})); len(got) != 1 {
				t.Errorf("%d facts of bee, want 1", len(got))
			}
			if got, want := schemaOf(t, s.history), schemaOf(t, fresh.history); got != want {
				t.Errorf("migrated schema:\n%s\nfresh schema:\n%s", got, want)
			}
			if _, err := s.history.conn.ExecContext(t.Context(), "DELETE FROM audit"); err == nil {
				t.Error("the guards did not come with the migration")
			}
		})
	}
}

func TestAFileOfANewerVersionIsRefusedAndNotTouched(t *testing.T) {
	for _, s := range []schema{historySchema, trendsSchema} {
		t.Run(s.name, func(t *testing.T) {
			dir := t.TempDir()
			newer := len(s.steps()) + 1
			path := fixture(t, s, dir, len(s.steps()), fmt.Sprintf("PRAGMA user_version = %d", newer))
			before := try[[]byte](t)(os.ReadFile(path))
			_, err := Open(t.Context(), dir, Options{})
			refusedWith(t, err, ErrNewer, path)
			if !bytes.Equal(before, try[[]byte](t)(os.ReadFile(path))) {
				t.Error("the file was touched")
			}
			if aside := beside(t, dir, ".corrupt"); len(aside) != 0 {
				t.Errorf("moved aside: %v", aside)
			}
		})
	}
}

func TestAnotherProgramsFileIsRefusedAndNotTouched(t *testing.T) {
	dir := t.TempDir()
	db := try[*sql.DB](t)(sql.Open("sqlite3", historyFile(dir)))
	_, err := db.Exec("CREATE TABLE recipe (text)")
	must(t, errors.Join(err, db.Close()))
	before := try[[]byte](t)(os.ReadFile(historyFile(dir)))
	_, err = Open(t.Context(), dir, Options{})
	refusedWith(t, err, ErrForeign, historyFile(dir))
	if !bytes.Equal(before, try[[]byte](t)(os.ReadFile(historyFile(dir)))) {
		t.Error("the file was touched")
	}
}

// refusedWith checks that the error is of a kind and names file and remedy.
func refusedWith(t *testing.T, err, kind error, path string) {
	t.Helper()
	var e *Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	if e.Path != path || e.Hint == "" || !strings.Contains(err.Error(), path) {
		t.Errorf("error does not name the file and a remedy: %v", err)
	}
}

func beside(t *testing.T, dir, part string) (names []string) {
	t.Helper()
	for _, e := range try[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if strings.Contains(e.Name(), part) {
			names = append(names, e.Name())
		}
	}
	return names
}

// longStory is large enough that damage in the middle hits rows.
func longStory() *story {
	y := aMesh()
	for i := range 2000 {
		y.tell(crash("bee", "pi", seat(7, 4, 1)), wire.Fact{Kind: wire.FactReturn, AgentID: "bee", Text: strings.Repeat("back ", 20), Host: fmt.Sprint("h", i)})
	}
	return y
}

func overwrite(t *testing.T, path string, at int64, with []byte) {
	t.Helper()
	f := try[*os.File](t)(os.OpenFile(path, os.O_WRONLY, 0))
	_, err := f.WriteAt(with, at)
	must(t, errors.Join(err, f.Close()))
}

func TestACorruptHistoryIsMovedAsideAndRebuilt(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string, size int64){
		"bytes in the middle": func(t *testing.T, path string, size int64) {
			overwrite(t, path, size/2, bytes.Repeat([]byte{0xA5}, 16<<10))
		},
		"zeroes in the middle": func(t *testing.T, path string, size int64) { overwrite(t, path, size/2, make([]byte, 16<<10)) },
		"cut in half":          func(t *testing.T, path string, size int64) { must(t, os.Truncate(path, size/2)) },
		"cut in a page":        func(t *testing.T, path string, size int64) { must(t, os.Truncate(path, size-1000)) },
		"cut in the header":    func(t *testing.T, path string, _ int64) { must(t, os.Truncate(path, 50)) },
		"all zeroes":           func(t *testing.T, path string, size int64) { overwrite(t, path, 0, make([]byte, size)) },
		"no database": func(t *testing.T, path string, _ int64) {
			must(t, os.WriteFile(path, []byte("hello, this is text"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			y := longStory()
			s := open(t, dir, Options{})
			apply(t, s, y.batches...)
			want := dump(t, s)
			must(t, s.Close())
			info := try[os.FileInfo](t)(os.Stat(historyFile(dir)))
			damage(t, historyFile(dir), info.Size())
			damaged := try[[]byte](t)(os.ReadFile(historyFile(dir)))

			var said []string
			s = opened(t, dir, Options{Notice: func(text string) { said = append(said, text) }})
			if s.Cursor() != 0 {
				t.Fatalf("cursor %d of a corrupt file", s.Cursor())
			}
			aside := historyFile(dir) + ".corrupt-20260501T120000Z"
			if len(said) != 1 || !strings.Contains(said[0], aside) {
				t.Errorf("said %q", said)
			}
			if !bytes.Equal(damaged, try[[]byte](t)(os.ReadFile(aside))) {
				t.Error("what was moved aside is not what was there")
			}
			apply(t, s, y.batches...)
			if dump(t, s) != want {
				t.Error("the rebuilt projection is not the one before")
			}
		})
	}
}

// The negative control: a file that is whole is not rebuilt.
func TestAWholeHistoryIsNotMovedAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	apply(t, s, longStory().batches...)
	must(t, s.Close())
	s = opened(t, dir, Options{Notice: func(text string) { t.Errorf("said %q", text) }})
	if s.Cursor() == 0 || len(beside(t, dir, ".corrupt")) != 0 {
		t.Errorf("cursor %d, aside %v", s.Cursor(), beside(t, dir, ".corrupt"))
	}
}

func TestTheLogGoesAsideWithItsFile(t *testing.T) {
	dir := t.TempDir()
	log := []byte("nor is this the log of one")
	must(t, os.WriteFile(historyFile(dir), []byte("this is no database at all"), 0o600))
	must(t, os.WriteFile(historyFile(dir)+"-wal", log, 0o600))
	opened(t, dir, Options{})
	aside := beside(t, dir, "corrupt-20260501T120000Z-wal")
	if len(aside) != 1 || !bytes.Equal(log, try[[]byte](t)(os.ReadFile(filepath.Join(dir, aside[0])))) {
		t.Errorf("moved aside: %v, all: %v", aside, beside(t, dir, "corrupt"))
	}
}

func TestTwoCorruptFilesInOneSecondAreBothKept(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		must(t, os.WriteFile(historyFile(dir), []byte("this is no database at all"), 0o600))
		must(t, open(t, dir, Options{}).Close())
	}
	if aside := beside(t, dir, "history.db.corrupt"); len(aside) != 2 {
		t.Errorf("moved aside: %v", aside)
	}
}

func TestADeletedHistoryIsRebuiltAlike(t *testing.T) {
	for name, suffixes := range map[string][]string{"with its log": {"", "-wal", "-shm"}, "the file alone": {""}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			y := aMesh()
			s := open(t, dir, Options{})
			apply(t, s, y.batches...)
			want := dump(t, s)
			log := try[[]byte](t)(os.ReadFile(historyFile(dir) + "-wal"))
			must(t, s.Close())
			// As if the core had been killed: the log is still there.
			must(t, os.WriteFile(historyFile(dir)+"-wal", log, 0o600))
			for _, suffix := range suffixes {
				_ = os.Remove(historyFile(dir) + suffix)
			}
			s = opened(t, dir, Options{})
			if s.Cursor() != 0 {
				t.Fatalf("cursor %d after the file was deleted", s.Cursor())
			}
			apply(t, s, y.batches...)
			if dump(t, s) != want {
				t.Error("the rebuilt projection is not the one before")
			}
		})
	}
}

func TestCorruptTrendsAreMovedAsideAndSaidToBeLost(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	must(t, s.WriteTrends(t.Context(), []wire.TrendRow{{Minute: noon, Cluster: cluster(7, 4), Agents: 30}}))
	must(t, s.Close())
	overwrite(t, filepath.Join(dir, "trends.db"), 0, make([]byte, 4096))
	var said []string
	s = opened(t, dir, Options{Notice: func(text string) { said = append(said, text) }})
	if len(said) != 1 || !strings.Contains(said[0], "lost") || len(beside(t, dir, "trends.db.corrupt")) != 1 {
		t.Errorf("said %q, aside %v", said, beside(t, dir, ".corrupt"))
	}
	must(t, s.WriteTrends(t.Context(), []wire.TrendRow{{Minute: noon, Cluster: cluster(7, 4), Agents: 30}}))
}

func TestAProjectionOfAnotherStreamIsNotContinued(t *testing.T) {
	y := aMesh()
	last := uint64(len(y.batches))
	for name, c := range map[string]struct {
		now  Stream
		kept bool
	}{
		"the same":        {Stream{"a", last}, true},
		"the same, grown": {Stream{"a", last + 5}, true},
		"made anew":       {Stream{"b", last + 5}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{Stream: &Stream{"a", last}})
			apply(t, s, y.batches...)
			must(t, s.Close())
			s = opened(t, dir, Options{Stream: &c.now})
			if kept := s.Cursor() == last; kept != c.kept || (len(beside(t, dir, "other-stream")) == 0) != c.kept {
				t.Errorf("cursor %d, aside %v", s.Cursor(), beside(t, dir, "other-stream"))
			}
		})
	}
}

func TestAStreamThatHasLostItsEndIsRefused(t *testing.T) {
	y := aMesh()
	last := uint64(len(y.batches))
	dir := t.TempDir()
	s := open(t, dir, Options{Stream: &Stream{"a", last}})
	apply(t, s, y.batches...)
	want := dump(t, s)
	must(t, s.Close())
	_, err := Open(t.Context(), dir, Options{Stream: &Stream{"a", last - 1}})
	refusedWith(t, err, ErrAhead, historyFile(dir))
	s = opened(t, dir, Options{Stream: &Stream{"a", last}})
	if got := dump(t, s); got != want {
		t.Error("the history was touched")
	}
}

func TestALockedFileIsAClearError(t *testing.T) {
	dir := t.TempDir()
	must(t, open(t, dir, Options{}).Close())
	other := try[*sql.DB](t)(sql.Open("sqlite3", historyFile(dir)))
	defer other.Close()
	other.SetMaxOpenConns(1)
	_, err := other.Exec("BEGIN IMMEDIATE")
	must(t, err)
	_, err = Open(t.Context(), dir, Options{BusyTimeout: time.Millisecond})
	refusedWith(t, err, ErrLocked, historyFile(dir))
	_, err = other.Exec("ROLLBACK")
	must(t, err)
	opened(t, dir, Options{})
}

func TestAFullDiskLosesNothingThatWasAcknowledged(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := longStory()
	apply(t, s, y.batches[:20]...)
	want := dump(t, s)
	limit := func(pages int) {
		_, err := s.history.conn.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages))
		must(t, err)
	}
	limit(1) // SQLite answers as if the disk were full
	refusedWith(t, s.ApplyMany(t.Context(), y.batches[20:]), ErrFull, s.history.path)
	if got := dump(t, s); got != want || s.Cursor() != 20 {
		t.Errorf("cursor %d; projection changed: %v", s.Cursor(), got != want)
	}
	limit(1 << 30)
	apply(t, s, y.batches[20:]...)
	if s.Cursor() != uint64(len(y.batches)) {
		t.Errorf("cursor %d after there was space again", s.Cursor())
	}
}

func TestADirectoryThatCannotBeWrittenIsAClearError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	must(t, open(t, dir, Options{}).Close())
	must(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { must(t, os.Chmod(dir, 0o700)) })
	_, err := Open(t.Context(), dir, Options{})
	refusedWith(t, err, ErrReadOnly, historyFile(dir))

	must(t, os.Chmod(dir, 0o700))
	must(t, os.Chmod(historyFile(dir), 0o400))
	_, err = Open(t.Context(), dir, Options{})
	refusedWith(t, err, ErrReadOnly, historyFile(dir))
}

func TestPathsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(historyFile(dir), 0o700))
	_, err := Open(t.Context(), dir, Options{})
	refusedWith(t, err, ErrForeign, historyFile(dir))

	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(t.Context(), filepath.Join(file, "mesh"), Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a directory below a file: %v", err)
	}
}
