package store

import (
	"context"
	"database/sql"
	"errors"
)

// writer is the one connection of a file that writes. Transactions take turns;
// statements are prepared once and kept.
type writer struct {
	turn     chan struct{} // holds one token while nobody writes
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	closed   bool // guarded by turn
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{turn: make(chan struct{}, 1), conn: conn, prepared: map[string]*sql.Stmt{}}
	w.turn <- struct{}{}
	return w
}

// alone runs do while nobody else writes.
func (w *writer) alone(ctx context.Context, do func() error) error {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { w.turn <- struct{}{} }()
	if w.closed {
		return ErrClosed
	}
	return do()
}

// transact runs do as one transaction: all of it or nothing.
//
// Only the wait for the turn heeds ctx: a transaction is short, and go-sqlite3
// starts a goroutine for each statement whose context can end, which is what
// most of a replay's time would go to.
func (w *writer) transact(ctx context.Context, do func(*transaction) error) error {
	return w.alone(ctx, func() (err error) {
		tx := &transaction{w, context.WithoutCancel(ctx)}
		if err := tx.script("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				// Some errors, such as a full disk, have rolled back already.
				_ = tx.script("ROLLBACK")
			}
		}()
		if err := do(tx); err != nil {
			return err
		}
		return tx.script("COMMIT")
	})
}

// close waits for the running transaction and lets none follow.
func (w *writer) close() error {
	return w.alone(context.Background(), func() error {
		w.closed = true
		var errs []error
		for _, stmt := range w.prepared {
			errs = append(errs, stmt.Close())
		}
		return errors.Join(append(errs, w.conn.Close())...)
	})
}

// transaction is what may be done while it is one's turn.
type transaction struct {
	w   *writer
	ctx context.Context // cannot end
}

func (tx *transaction) statement(query string) (*sql.Stmt, error) {
	if stmt := tx.w.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := tx.w.conn.PrepareContext(tx.ctx, query)
	if err != nil {
		return nil, err
	}
	tx.w.prepared[query] = stmt
	return stmt, nil
}

// exec runs a statement that is the same each time, and returns how many rows
// it changed.
func (tx *transaction) exec(query string, args ...any) (rows int64, err error) {
	stmt, err := tx.statement(query) //nolint:sqlclosecheck // kept as long as the connection
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query reads one row.
func (tx *transaction) query(query string, args ...any) *sql.Row {
	return tx.w.conn.QueryRowContext(tx.ctx, query, args...)
}

// script runs statements without arguments, once.
func (tx *transaction) script(statements string) error {
	_, err := tx.w.conn.ExecContext(tx.ctx, statements)
	return err
}
