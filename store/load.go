package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mesh30k/meshcore/wire"
)

// HostAgents are the agents that are enrolled by one host key.
type HostAgents struct {
	Host   string
	Key    string // the host's public key
	Agents []wire.Enrolled
}

// Agents returns who is enrolled, in the order of enrolment (their latest), by
// host and key. Two agents with one seat: the later one has replaced the other.
func (s *Store) Agents(ctx context.Context) ([]HostAgents, error) {
	type owner struct{ host, key string }
	var hosts []HostAgents
	place := map[owner]int{}
	err := s.each(ctx, s.history, "read the enrolments", func(rows *sql.Rows) error {
		var key string
		var text sql.RawBytes
		if err := rows.Scan(&key, &text); err != nil {
			return err
		}
		a, err := decode[wire.Enrolled](text)
		if err != nil {
			return err
		}
		at, known := place[owner{a.Host, key}]
		if !known {
			at = len(hosts)
			place[owner{a.Host, key}] = at
			hosts = append(hosts, HostAgents{Host: a.Host, Key: key})
		}
		hosts[at].Agents = append(hosts[at].Agents, a)
		return nil
	}, "SELECT host_key, enrolment FROM agent ORDER BY seq, sector, ordinal")
	return hosts, err
}

// TokenUse is a token, and who has joined with it.
type TokenUse struct {
	wire.Token
	By []string // names of hosts or people, in order: each one use
}

// Left is how many more may join with the token, its expiry apart.
func (t TokenUse) Left() int { return max(0, t.Uses-len(t.By)) }

// Tokens returns all tokens in the order in which they were issued.
func (s *Store) Tokens(ctx context.Context) ([]TokenUse, error) {
	users := map[string][]string{}
	err := s.each(ctx, s.history, "read the uses of tokens", func(rows *sql.Rows) error {
		var token, name string
		err := rows.Scan(&token, &name)
		users[token] = append(users[token], name)
		return err
	}, "SELECT token, name FROM token_use ORDER BY seq")
	if err != nil {
		return nil, err
	}
	var tokens []TokenUse
	err = s.eachData(ctx, func(_ uint64, text []byte) error {
		t, err := decode[wire.Token](text)
		tokens = append(tokens, TokenUse{t, users[t.ID]})
		return err
	}, wire.FactTokenIssued)
	return tokens, err
}

// People returns who may use the mesh, in the order in which they were added,
// each with the last token that she used.
func (s *Store) People(ctx context.Context) ([]wire.Person, error) {
	var people []wire.Person
	err := s.each(ctx, s.history, "read the people", func(rows *sql.Rows) error {
		var p wire.Person
		err := rows.Scan(&p.Name, &p.Role, &p.Key, &p.Token)
		people = append(people, p)
		return err
	}, `SELECT name, role, key, coalesce((SELECT token FROM token_use u WHERE u.key = p.key ORDER BY u.seq DESC LIMIT 1), '')
		FROM person p ORDER BY seq, name`)
	return people, err
}

// FreezeOrders returns all freezes, thaws and undoings in order, each with the
// Seq of its fact.
func (s *Store) FreezeOrders(ctx context.Context) ([]wire.FreezeOrder, error) {
	var orders []wire.FreezeOrder
	err := s.eachData(ctx, func(seq uint64, text []byte) error {
		o, err := decode[wire.FreezeOrder](text)
		o.Seq = seq
		orders = append(orders, o)
		return err
	}, wire.FactFreeze, wire.FactThaw, wire.FactFreezeUndone)
	return orders, err
}

// CoreRun is one run of the core.
type CoreRun struct {
	Started time.Time // zero: not known any more
	Stopped time.Time // zero: it runs, or it was killed
}

// LastRun is the latest run of the core that the facts tell of; false: there
// was none. Asked before this run's own fact is applied, Stopped tells whether
// the run before ended in order.
func (s *Store) LastRun(ctx context.Context) (run CoreRun, ok bool, err error) {
	last := func(kind wire.FactKind) (seq, at int64, err error) {
		err = s.history.read.QueryRowContext(ctx,
			"SELECT seq, at FROM fact WHERE kind = ? ORDER BY seq DESC LIMIT 1", string(kind)).Scan(&seq, &at)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return seq, at, explain("read the core's runs from", s.history.path, err)
	}
	start, startedAt, err1 := last(wire.FactCoreStarted)
	stop, stoppedAt, err2 := last(wire.FactCoreStopped)
	if err := errors.Join(err1, err2); err != nil || start+stop == 0 {
		return run, false, err
	}
	run.Started = instant(startedAt)
	if stop > start {
		run.Stopped = instant(stoppedAt)
	}
	return run, true, nil
}

// eachData hands on the data of all facts of these kinds, in order of Seq. Data
// that cannot be read was announced when it was applied, and is left out.
func (s *Store) eachData(ctx context.Context, use func(seq uint64, data []byte) error, kinds ...wire.FactKind) error {
	marks, args := "?", []any{string(kinds[0])}
	for _, k := range kinds[1:] {
		marks, args = marks+", ?", append(args, string(k))
	}
	return s.each(ctx, s.history, "read facts", func(rows *sql.Rows) error {
		var seq uint64
		var text sql.RawBytes
		if err := rows.Scan(&seq, &text); err != nil {
			return err
		}
		return use(seq, text)
	}, "SELECT seq, data FROM fact WHERE kind IN ("+marks+") ORDER BY seq", args...)
}

// errEnough ends a query whose further rows nobody wants.
var errEnough = errors.New("enough rows")

// each runs a query and hands on its rows, until use returns an error or
// errEnough; op is for the error.
func (s *Store) each(ctx context.Context, db *database, op string, use func(*sql.Rows) error, query string, args ...any) error {
	err := func() error {
		rows, err := db.read.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := use(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}()
	if errors.Is(err, errEnough) {
		return nil
	}
	if err != nil && db.ended.Load() {
		err = ErrClosed
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	return explain(op+" from", db.path, err)
}
