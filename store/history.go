package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

// conditions are joined by AND.
type conditions struct {
	texts []string
	args  []any
}

func (c *conditions) add(text string, args ...any) {
	c.texts = append(c.texts, text)
	c.args = append(c.args, args...)
}

// between bounds the time: since included, until not; zero is no bound.
func (c *conditions) between(since, until time.Time) {
	if !since.IsZero() {
		c.add("at >= ?", nanos(since))
	}
	if !until.IsZero() {
		c.add("at < ?", nanos(until))
	}
}

func (c *conditions) String() string {
	if len(c.texts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.texts, " AND ")
}

// History returns facts, newest first by the core's clock. Until itself is
// excluded.
//
// A selector selects the facts about the agents that it selects, those about
// a place or host that it selects, and of those that name several agents (a
// cluster fell silent, deliveries of a sector) the ones that name one of them.
// What an agent's state, capabilities or impedance were is no fact: a selector
// that asks for these is refused (usage).
func (s *Store) History(ctx context.Context, q wire.HistoryQuery) ([]wire.Fact, error) {
	sel, err := s.selection(ctx, q.Selector)
	if err != nil {
		return nil, err
	}
	where := new(conditions)
	for column, want := range map[string]string{"kind": string(q.Kind), "agent_id": q.AgentID, "operation": q.Operation} {
		if want != "" {
			where.add("f."+column+" = ?", want)
		}
	}
	where.between(q.Since, q.Until)
	sel.narrow(where)
	limit := limitOr(q.Limit)

	var found []wire.Fact
	err = s.each(ctx, s.history, "read the history", func(rows *sql.Rows) error {
		f, err := scanFact(rows)
		if err != nil || !sel.selects(f) {
			return err
		}
		found = append(found, *f)
		if len(found) == limit {
			return errEnough
		}
		return nil
	}, selectFacts+where.String()+" ORDER BY f.at DESC, f.seq DESC", where.args...)
	return found, err
}

const selectFacts = `SELECT f.seq, f.at, f.kind, f.id, f.actor, f.sector, f.cluster, f.seat,
	f.agent_id, f.host, f.operation, f.text, f.unknown,
	CASE f.kind WHEN 'audit' THEN (SELECT a.entry FROM audit a WHERE a.seq = f.seq) ELSE f.data END
	FROM fact f`

func scanFact(rows *sql.Rows) (*wire.Fact, error) {
	var f wire.Fact
	var at int64
	var id, actor, agent, host, operation, text, unknown, data sql.NullString
	err := rows.Scan(&f.Seq, &at, &f.Kind, &id, &actor, &f.Address.Sector, &f.Address.Cluster, &f.Address.Seat,
		&agent, &host, &operation, &text, &unknown, &data)
	f.At = instant(at)
	f.ID, f.Actor, f.AgentID, f.Host = id.String, actor.String, agent.String, host.String
	f.Operation, f.Text = operation.String, text.String
	f.Data, f.Members = value(data), value(unknown)
	return &f, err
}
