package store

import (
	"context"
	"database/sql"
	"time"

	"mesh30k/meshcore/wire"
)

// OpenOperation is an operation that has no end yet, with what is final of it.
type OpenOperation struct {
	wire.Operation
	Final []wire.DeliveryFact
}

// OpenOperations returns what the core has to take up again after a start, in
// the order in which it was begun.
func (s *Store) OpenOperations(ctx context.Context) ([]OpenOperation, error) {
	var open []OpenOperation
	place := map[string]int{}
	err := s.each(ctx, s.history, "read the open operations", func(rows *sql.Rows) error {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return err
		}
		op, err := decode[wire.Operation](text)
		place[op.ID] = len(open)
		open = append(open, OpenOperation{Operation: op})
		return err
	}, `SELECT f.data FROM operation o JOIN fact f USING (seq) WHERE o.ended IS NULL ORDER BY o.seq`)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, s.history, "read the open operations' deliveries", func(rows *sql.Rows) error {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return err
		}
		d, err := decode[wire.DeliveryFact](text)
		if at, ok := place[d.Operation]; ok {
			open[at].Final = append(open[at].Final, d)
		}
		return err
	}, `SELECT f.data FROM operation o JOIN delivery d ON d.operation = o.id JOIN fact f ON f.seq = d.seq
		WHERE o.ended IS NULL ORDER BY d.seq`)
	return open, err
}

// OperationRecord is an operation and how it ended.
type OperationRecord struct {
	wire.Operation
	End     *wire.OperationEnd // nil: it goes on, or nobody knows any more
	EndedAt time.Time          // zero like End
}

const selectOperations = `SELECT s.data, e.data, e.at FROM operation o
	JOIN fact s ON s.seq = o.seq LEFT JOIN fact e ON e.seq = o.ended `

// Operation finds an operation by its id. Its error is of code nothing_matched
// if the facts tell of none.
func (s *Store) Operation(ctx context.Context, id string) (OperationRecord, error) {
	found, err := s.operations(ctx, selectOperations+"WHERE o.id = ?", id)
	if err != nil {
		return OperationRecord{}, err
	}
	if len(found) == 0 {
		return OperationRecord{}, wire.Errorf(wire.CodeNothingMatched, "there is no operation %s", wire.Clean(id)).
			WithHint("facts of operations are kept until their retention ends")
	}
	return found[0], nil
}

// Operations returns the latest limit operations, newest first; 0: 1,000.
func (s *Store) Operations(ctx context.Context, limit int) ([]OperationRecord, error) {
	return s.operations(ctx, selectOperations+"ORDER BY o.seq DESC LIMIT ?", limitOr(limit))
}

func (s *Store) operations(ctx context.Context, query string, arg any) ([]OperationRecord, error) {
	var found []OperationRecord
	err := s.each(ctx, s.history, "read operations", func(rows *sql.Rows) error {
		var start sql.RawBytes
		var end sql.NullString
		var at sql.NullInt64
		if err := rows.Scan(&start, &end, &at); err != nil {
			return err
		}
		op, err := decode[wire.Operation](start)
		if err != nil {
			return err
		}
		record := OperationRecord{Operation: op, EndedAt: instant(at.Int64)}
		if end.Valid {
			verdict, err := decode[wire.OperationEnd]([]byte(end.String))
			if err != nil {
				return err
			}
			record.End = &verdict
		}
		found = append(found, record)
		return nil
	}, query, arg)
	return found, err
}

// DefaultLimit is how many rows a query without a limit of its own returns.
const DefaultLimit = 1000

func limitOr(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return limit
}

// maxDeliveries is how many of an agent's deliveries are returned.
const maxDeliveries = 100

// AgentDeliveries returns the latest 100 deliveries to an agent, given by its
// sector and ordinal, whose final state is a fact; newest first.
func (s *Store) AgentDeliveries(ctx context.Context, sector, ordinal int) ([]wire.DeliveryRecord, error) {
	if ordinal < 0 || ordinal >= wire.MaxOrdinal {
		return nil, wire.Errorf(wire.CodeUnknownTarget, "ordinal %d is out of range", ordinal)
	}
	var found []wire.DeliveryRecord
	err := s.each(ctx, s.history, "read deliveries", func(rows *sql.Rows) error {
		var r wire.DeliveryRecord
		var started int64
		var agents sql.RawBytes
		if err := rows.Scan(&r.MessageID, &r.Action, &started, &r.State, &r.Code, &agents); err != nil {
			return err
		}
		if !unpackBits(agents).Has(ordinal) {
			return nil
		}
		r.Started = instant(started)
		found = append(found, r)
		if len(found) == maxDeliveries {
			return errEnough
		}
		return nil
	}, `SELECT o.message_id, o.action, o.started, d.state, coalesce(d.code, ''), d.agents
		FROM delivery d JOIN operation o ON o.id = d.operation
		WHERE d.sector = ? ORDER BY d.seq DESC`, sector)
	return found, err
}
