package store

import (
	"context"
	"fmt"

	"mesh30k/meshcore/wire"
)

// Batch is the facts of one message of the stream.
type Batch struct {
	Seq   uint64 // of the message in the stream, from 1
	Facts []wire.Fact
}

// Apply adds the facts of stream message seq, and what follows from them, and
// moves the cursor there, all in one transaction. A message at or below the
// cursor is left out: it has been applied. A fact whose Seq is 0 gets it from
// its place in the message.
func (s *Store) Apply(ctx context.Context, seq uint64, facts []wire.Fact) error {
	return s.ApplyMany(ctx, []Batch{{seq, facts}})
}

// ApplyMany is Apply for several messages, in ascending order, in one
// transaction: for a replay, a thousand messages or some 10,000 facts at a time.
func (s *Store) ApplyMany(ctx context.Context, batches []Batch) error {
	var cursor uint64
	var unread []string
	err := s.history.transact(ctx, func(tx *transaction) error {
		cursor, unread = s.cursor.Load(), nil
		p := projector{tx: tx}
		for _, b := range batches {
			if b.Seq <= cursor {
				continue
			}
			if err := p.batch(b); err != nil {
				return err
			}
			cursor = b.Seq
		}
		unread = p.unread
		_, err := tx.exec("UPDATE progress SET cursor = ?", int64(cursor))
		return err
	})
	if err != nil {
		return explain("apply facts to", s.history.path, err)
	}
	s.advance(cursor)
	for _, text := range unread {
		s.notice("%s", text)
	}
	return nil
}

// advance moves the cursor that is shown, never back: of two goroutines that
// applied, the later one may come here first.
func (s *Store) advance(cursor uint64) {
	for {
		shown := s.cursor.Load()
		if cursor <= shown || s.cursor.CompareAndSwap(shown, cursor) {
			return
		}
	}
}

// projector turns facts into rows.
type projector struct {
	tx     *transaction
	unread []string // facts whose data cannot be read, for people
}

func (p *projector) batch(b Batch) error {
	if len(b.Facts) > wire.FactsPerMessage {
		return fmt.Errorf("stream message %d: %d facts are more than one message may carry (%d)", b.Seq, len(b.Facts), wire.FactsPerMessage)
	}
	for i := range b.Facts {
		f := b.Facts[i] // a copy: it may get a Seq
		first := b.Seq * wire.FactsPerMessage
		if f.Seq == 0 {
			f.Seq = first + uint64(i)
		}
		if f.Seq/wire.FactsPerMessage != b.Seq {
			return fmt.Errorf("stream message %d: fact %d does not belong to it: want %d to %d", b.Seq, f.Seq, first, first+wire.FactsPerMessage-1)
		}
		if err := p.fact(&f); err != nil {
			return fmt.Errorf("fact %d (%s): %w", f.Seq, f.Kind, err)
		}
	}
	return nil
}

const insertFact = `INSERT INTO fact
	(seq, at, kind, keep, id, actor, sector, cluster, seat, agent_id, host, operation, text, data, unknown)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO NOTHING`

// fact adds one fact and what follows from it. One that is there already, by
// its ID, was appended twice and counts once.
func (p *projector) fact(f *wire.Fact) error {
	data := optionalValue(f.Data)
	if f.Kind == wire.FactAudit {
		data = nil // it is in the table that the database guards
	}
	added, err := p.tx.exec(insertFact,
		int64(f.Seq), nanos(f.At), string(f.Kind), f.Kind.Keep(),
		optional(f.ID), optional(f.Actor),
		f.Address.Sector, f.Address.Cluster, f.Address.Seat,
		optional(f.AgentID), optional(f.Host), optional(f.Operation), optional(f.Text),
		data, optionalValue(f.Members))
	if err != nil || added == 0 {
		return err
	}
	return p.derive(f)
}
