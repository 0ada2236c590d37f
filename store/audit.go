package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"mesh30k/meshcore/wire"
)

// AuditRecord is an entry of the audit as the stream brought it.
type AuditRecord struct {
	Seq uint64    `json:"seq"` // of its fact
	At  time.Time `json:"at"`
	wire.AuditEntry
}

// AuditQuery asks for entries of the audit, newest first.
type AuditQuery struct {
	Person       string    // empty: all
	Since, Until time.Time // Until itself excluded; zero: no bound
	Limit        int       // 0: 1,000
}

// Audit returns entries of the audit, newest first.
func (s *Store) Audit(ctx context.Context, q AuditQuery) ([]AuditRecord, error) {
	where := new(conditions)
	if q.Person != "" {
		where.add("person = ?", q.Person)
	}
	where.between(q.Since, q.Until)
	var found []AuditRecord
	err := s.each(ctx, s.history, "read the audit", func(rows *sql.Rows) error {
		r, err := scanAudit(rows)
		found = append(found, r)
		return err
	}, "SELECT seq, at, entry FROM audit"+where.String()+" ORDER BY seq DESC LIMIT ?", append(where.args, limitOr(q.Limit))...)
	return found, err
}

func scanAudit(rows *sql.Rows) (r AuditRecord, err error) {
	var at int64
	var text sql.RawBytes
	if err := rows.Scan(&r.Seq, &at, &text); err != nil {
		return r, err
	}
	r.At = instant(at)
	r.AuditEntry, err = decode[wire.AuditEntry](text)
	if err != nil {
		return r, fmt.Errorf("audit entry %d: %w", r.Seq, err)
	}
	return r, nil
}

// AuditHead is the hash of the latest entry, to which the next one is chained;
// "" before the first.
func (s *Store) AuditHead(ctx context.Context) (string, error) {
	var head string
	err := s.history.read.QueryRowContext(ctx,
		"SELECT coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '')").Scan(&head)
	return head, explain("read the audit from", s.history.path, err)
}

// VerifyAudit computes the audit's chain of hashes again. broken is the Seq of
// the first entry that is not what the core wrote there, or before which one is
// missing; 0: the chain is whole. Entries cut off at the end leave a whole,
// shorter chain: that is for checkpoints of the head to find out.
func (s *Store) VerifyAudit(ctx context.Context) (broken uint64, err error) {
	head := ""
	err = s.each(ctx, s.history, "verify the audit", func(rows *sql.Rows) error {
		var seq uint64
		var prev, hash string
		var text sql.RawBytes
		if err := rows.Scan(&seq, &prev, &hash, &text); err != nil {
			return err
		}
		e, err := decode[wire.AuditEntry](text)
		whole := err == nil && prev == head && hash == e.Hash && wire.ChainAudit(head, e).Hash == hash && e.Prev == head
		if !whole {
			broken = seq
			return errEnough
		}
		head = hash
		return nil
	}, "SELECT seq, prev, hash, entry FROM audit ORDER BY seq")
	return broken, err
}
