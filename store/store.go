package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Store; the zero value is usable.
type Options struct {
	// Notice is told, in one line for people, what was found wrong and mended:
	// a corrupt file moved aside, a fact whose data cannot be read. It may be
	// called from any goroutine that uses the store. Default: nobody is told.
	Notice func(string)
	// Stream says which stream is projected, so that a projection of another
	// one is not continued; nil: unknown.
	Stream *Stream
	// BusyTimeout is how long another process's lock is waited for. Default 5 s.
	BusyTimeout time.Duration
	// Thinning of the trends. Default: DefaultThinning.
	Thinning Thinning
	// Now is the clock that names files moved aside. Default: time.Now.
	Now func() time.Time
}

func (o *Options) fill() {
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Thinning == (Thinning{}) {
		o.Thinning = DefaultThinning
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Stream is what the store has to know of the stream that it projects.
type Stream struct {
	ID   string // differs for a stream that was made anew, such as its creation time
	Last uint64 // its last sequence
}

// Store is the projection of the stream of facts, and the trends.
// Its methods may be called from several goroutines.
type Store struct {
	history *database
	trends  *database
	options Options
	cursor  atomic.Uint64
	closed  sync.Once
}

// Open opens or makes history.db and trends.db in dir, which is made if need
// be. A file that is corrupt is moved aside and begun anew: the facts are then
// to be applied again from cursor 0, the trends up to now are lost. A stream
// that ends before what was read from it is [ErrAhead]. Errors are
// of type *Error where a person can act on them.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	o.fill()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain("make the directory", dir, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, explain("open", dir, err)
	}
	s := &Store{options: o}
	if err := s.openHistory(ctx, dir); err != nil {
		return nil, err
	}
	if err := s.openTrends(ctx, dir); err != nil {
		return nil, errors.Join(err, s.history.close())
	}
	return s, nil
}

func (s *Store) openHistory(ctx context.Context, dir string) error {
	db, aside, err := openDatabase(ctx, historySchema, dir, s.options)
	if err != nil {
		return err
	}
	if aside != "" {
		s.notice("%s was corrupt; it is kept as %s and is rebuilt from the stream of facts", db.path, aside)
	}
	s.history = db
	cursor, stream, err := s.progress(ctx)
	if err != nil {
		return errors.Join(explain("open", db.path, err), db.close())
	}
	s.cursor.Store(cursor)
	if want := s.options.Stream; want != nil {
		switch {
		case stream != "" && stream != want.ID:
			return s.beginAnew(ctx, dir)
		case cursor > want.Last: // cut off, or an old backup: to go on would forget a freeze
			ahead := fmt.Errorf("%w: it has read up to sequence %d, the stream ends at %d", ErrAhead, cursor, want.Last)
			return errors.Join(explain("open", db.path, ahead), db.close())
		}
		return s.adopt(ctx)
	}
	return nil
}

func (s *Store) progress(ctx context.Context) (cursor uint64, stream string, err error) {
	err = s.history.read.QueryRowContext(ctx, "SELECT cursor, stream FROM progress").Scan(&cursor, &stream)
	return cursor, stream, err
}

// beginAnew moves the projection of another stream aside and starts an empty one.
func (s *Store) beginAnew(ctx context.Context, dir string) error {
	path := s.history.path
	if err := s.history.close(); err != nil {
		return explain("close", path, err)
	}
	aside, err := moveAside(path, "other-stream", s.options.Now())
	if err != nil {
		return explain("move aside", path, err)
	}
	s.notice("%s was made from another stream of facts than the one that is there now; it is kept as %s and is rebuilt", path, aside)
	if s.history, _, err = openDatabase(ctx, historySchema, dir, s.options); err != nil {
		return err
	}
	s.cursor.Store(0)
	return s.adopt(ctx)
}

// adopt notes down which stream is projected from now on.
func (s *Store) adopt(ctx context.Context) error {
	err := s.history.transact(ctx, func(tx *transaction) error {
		_, err := tx.exec("UPDATE progress SET stream = ?", s.options.Stream.ID)
		return err
	})
	if err != nil {
		return errors.Join(explain("open", s.history.path, err), s.history.close())
	}
	return nil
}

func (s *Store) openTrends(ctx context.Context, dir string) error {
	db, aside, err := openDatabase(ctx, trendsSchema, dir, s.options)
	if err != nil {
		return err
	}
	if aside != "" {
		s.notice("%s was corrupt; it is kept as %s; trends up to now are lost, new ones begin", db.path, aside)
	}
	s.trends = db
	return nil
}

func (s *Store) notice(format string, args ...any) { s.options.Notice(fmt.Sprintf(format, args...)) }

// Cursor is the stream sequence of the last message whose facts are applied;
// 0: none.
func (s *Store) Cursor() uint64 { return s.cursor.Load() }

// Usage is what the files take, history first.
func (s *Store) Usage(ctx context.Context) ([]FileUsage, error) {
	var all []FileUsage
	for _, db := range []*database{s.history, s.trends} {
		u, err := db.usage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// Close waits for queries and transactions that run, and closes the files.
// Closing again does nothing.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		err = errors.Join(
			explain("close", s.history.path, s.history.close()),
			explain("close", s.trends.path, s.trends.close()),
		)
	})
	return err
}
