package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"mesh30k/meshcore/wire"
)

// RetentionOptions say how long facts stay whose effect has ended.
type RetentionOptions struct {
	Age      time.Duration // older ones are deleted; 0: no bound
	MaxBytes int64         // beyond this size of history.db the oldest are deleted, whatever their age; 0: no bound
}

// Retention is what came of a Retain.
type Retention struct {
	Deleted int64 `json:"deleted"` // facts
	Used    int64 `json:"used"`    // bytes of history.db in use afterwards
	// Over is set when MaxBytes could not be met: all that is left are facts
	// that stay for ever and those of open operations.
	Over bool `json:"over,omitempty"`
	// OldestNeeded is the stream sequence up to which, itself excluded, the
	// stream need not hold facts of kinds that do not stay for ever.
	OldestNeeded uint64 `json:"oldest_needed"`
	// HeldBy is the open operation that keeps OldestNeeded back; empty: none.
	HeldBy string `json:"held_by,omitempty"`
}

// retainChunk is how many facts one transaction deletes, so that Apply need not
// wait long for its turn.
const retainChunk = 2000

// Retain deletes old facts. Kinds that stay for ever, the audit and facts of
// operations that are open stay; an operation's age is that of its end.
func (s *Store) Retain(ctx context.Context, now time.Time, o RetentionOptions) (Retention, error) {
	var r Retention
	err := s.retain(ctx, now, o, &r)
	return r, explain("delete old facts from", s.history.path, err)
}

func (s *Store) retain(ctx context.Context, now time.Time, o RetentionOptions, r *Retention) (err error) {
	if o.Age > 0 {
		if err := s.deleteAll(ctx, nanos(now.Add(-o.Age)), r); err != nil {
			return err
		}
	}
	if err := s.deleteToFit(ctx, o.MaxBytes, r); err != nil {
		return err
	}
	if err := s.giveBack(ctx); err != nil {
		return err
	}
	if r.Used, err = s.used(ctx); err != nil {
		return err
	}
	r.OldestNeeded, r.HeldBy, err = s.oldest(ctx)
	return err
}

// deleteAll deletes what may be deleted of the facts before cut.
func (s *Store) deleteAll(ctx context.Context, cut int64, r *Retention) error {
	for {
		n, err := s.deleteChunk(ctx, cut)
		r.Deleted += n
		if err != nil || n == 0 {
			return err
		}
	}
}

// deleteToFit deletes the oldest facts until the file's pages fit.
func (s *Store) deleteToFit(ctx context.Context, limit int64, r *Retention) error {
	for limit > 0 {
		used, err := s.used(ctx)
		if err != nil || used <= limit {
			return err
		}
		n, err := s.deleteChunk(ctx, math.MaxInt64)
		r.Deleted += n
		if err != nil {
			return err
		}
		if n == 0 {
			r.Over = true
			return nil
		}
	}
	return nil
}

func (s *Store) deleteChunk(ctx context.Context, cut int64) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.history.transact(ctx, func(tx *transaction) error {
		n, err = tx.exec(`DELETE FROM fact WHERE seq IN (
			SELECT f.seq FROM fact f WHERE f.keep = 0 AND f.at < ?1
			AND NOT EXISTS (SELECT 1 FROM operation o WHERE o.id = f.operation AND (o.ended IS NULL OR o.ended_at >= ?1))
			ORDER BY f.at LIMIT ?2)`, cut, retainChunk)
		return err
	})
	return n, err
}

// used is the bytes of the pages that hold something.
func (s *Store) used(ctx context.Context) (bytes int64, err error) {
	err = s.history.read.QueryRowContext(ctx,
		`SELECT page_size * (page_count - freelist_count) FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).Scan(&bytes)
	return bytes, err
}

// giveBack returns empty pages to the file system. The pragma frees one page
// for each row that is read of it.
func (s *Store) giveBack(ctx context.Context) error {
	return s.history.alone(ctx, func() error {
		rows, err := s.history.conn.QueryContext(context.WithoutCancel(ctx), "PRAGMA incremental_vacuum")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	})
}

// OldestNeeded is the stream sequence before which the stream need not hold
// facts of kinds that do not stay for ever: the projection has none older.
func (s *Store) OldestNeeded(ctx context.Context) (uint64, error) {
	seq, _, err := s.oldest(ctx)
	return seq, explain("read the oldest fact of", s.history.path, err)
}

func (s *Store) oldest(ctx context.Context) (seq uint64, heldBy string, err error) {
	cursor := s.Cursor()
	err = s.history.read.QueryRowContext(ctx, `SELECT f.seq, coalesce(o.id, '')
		FROM fact f LEFT JOIN operation o ON o.id = f.operation AND o.ended IS NULL
		WHERE f.keep = 0 ORDER BY f.seq LIMIT 1`).Scan(&seq, &heldBy)
	if errors.Is(err, sql.ErrNoRows) {
		return cursor + 1, "", nil
	}
	return seq / wire.FactsPerMessage, heldBy, err
}
