package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func try[T any](t tester) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// open opens a store; the caller closes it.
func open(t tester, dir string, o Options) *Store {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	s, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// opened opens a store that is closed with the test.
func opened(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s := open(t, dir, o)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func apply(t tester, s *Store, batches ...Batch) {
	t.Helper()
	must(t, s.ApplyMany(context.Background(), batches))
}

func data(v any) jsontext.Value {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return text
}

// story makes a stream of facts, message by message.
type story struct {
	batches []Batch
	now     time.Time
	audit   string // head of the chain
}

func newStory() *story { return &story{now: noon} }

// tell adds one message with these facts, a second after the last.
func (y *story) tell(facts ...wire.Fact) *story {
	y.now = y.now.Add(time.Second)
	for i := range facts {
		if facts[i].At.IsZero() {
			facts[i].At = y.now
		}
	}
	y.batches = append(y.batches, Batch{uint64(len(y.batches) + 1), facts})
	return y
}

func cluster(sector, cluster int) wire.Address {
	return wire.Address{Sector: sector, Cluster: cluster}
}

func seat(sector, cluster, seat int) wire.Address {
	return wire.Address{Sector: sector, Cluster: cluster, Seat: seat}
}

func enrolled(id, host string, class wire.Class, at wire.Address, ordinal int) wire.Enrolled {
	return wire.Enrolled{AgentID: id, Class: class, Address: at, Ordinal: ordinal, Host: host, Labels: map[string]string{"region": "eu"}}
}

func joined(host, token string, at wire.Address, agents ...wire.Enrolled) wire.Fact {
	return wire.Fact{Kind: wire.FactHostJoined, Address: at, Host: host, Data: data(wire.HostJoined{Token: token, Key: "U" + strings.ToUpper(host), Agents: agents})}
}

func token(id string, uses int) wire.Fact {
	return wire.Fact{Kind: wire.FactTokenIssued, Actor: "ada", Data: data(wire.Token{ID: id, What: "host", Uses: uses, Expires: noon.Add(time.Hour)})}
}

func crash(id, host string, at wire.Address) wire.Fact {
	return wire.Fact{Kind: wire.FactCrash, AgentID: id, Host: host, Address: at, Text: id + " crashed"}
}

func (y *story) audited(person string) wire.Fact {
	e := wire.ChainAudit(y.audit, wire.AuditEntry{ID: fmt.Sprintf("do-%d", len(y.batches)), Person: person, Role: wire.Operator, Step: wire.StepExecute, Action: jsontext.Value(`{"action":"freeze"}`), Verdict: wire.Done})
	y.audit = e.Hash
	return wire.Fact{Kind: wire.FactAudit, Actor: person, Data: data(e)}
}

func bits(ordinals ...int) wire.Bits {
	var b wire.Bits
	for _, n := range ordinals {
		b.Add(n)
	}
	return b
}

func started(id string, targets wire.Targets) wire.Fact {
	op := wire.Operation{ID: id, Action: "broadcast", Actor: "ada", Message: wire.MeshMessage{MessageID: "msg-" + id, Payload: jsontext.Value(`1`)}, Targets: targets, Addressed: targets, Started: noon, Deadline: noon.Add(time.Minute)}
	return wire.Fact{Kind: wire.FactOpStarted, Operation: id, Actor: "ada", Data: data(op)}
}

func delivered(id string, sector int, state wire.DeliveryState, agents wire.Bits) wire.Fact {
	return wire.Fact{Kind: wire.FactDelivered, Operation: id, Address: wire.Address{Sector: sector}, Data: data(wire.DeliveryFact{Operation: id, Sector: sector, State: state, Agents: agents})}
}

func ended(id string) wire.Fact {
	return wire.Fact{Kind: wire.FactOpEnded, Operation: id, Data: data(wire.OperationEnd{ID: id, Verdict: wire.Done, Why: "all", Counts: map[string]int{"WORKED": 2}})}
}

func frozen(kind wire.FactKind, selector string) wire.Fact {
	return wire.Fact{Kind: kind, Actor: "ada", Data: data(wire.FreezeOrder{Thaw: kind == wire.FactThaw, Selector: selector, Actor: "ada", At: noon})}
}

// aMesh is a story with one of everything.
func aMesh() *story {
	y := newStory()
	y.tell(wire.Fact{Kind: wire.FactCoreStarted, Actor: "core"})
	y.tell(wire.Fact{Kind: wire.FactPersonAdded, Data: data(wire.Person{Name: "ada", Role: wire.Operator, Key: "UADA", Token: "t0"})}, token("t1", 2))
	y.tell(
		joined("pi", "t1", cluster(7, 4), enrolled("bee", "pi", wire.ClassLocal, seat(7, 4, 1), 0), enrolled("cat", "pi", wire.ClassLocal, seat(7, 4, 2), 1)),
		joined("pi", "t1", cluster(7, 5), enrolled("dog", "pi", wire.ClassHuman, seat(7, 5, 1), 2)))
	y.tell(joined("box", "", cluster(9, 1), enrolled("elk", "box", wire.ClassGPU, seat(9, 1, 1), 0)))
	y.tell(frozen(wire.FactFreeze, "sector=7"), y.audited("ada"))
	y.tell(frozen(wire.FactThaw, "mesh"), y.audited("ada"))
	y.tell(started("op1", wire.Targets{{Sector: 7, Agents: bits(0, 1, 2)}, {Sector: 9, Agents: bits(0)}}))
	y.tell(delivered("op1", 7, wire.Worked, bits(0, 1)), delivered("op1", 9, wire.Expired, bits(0)))
	y.tell(ended("op1"))
	y.tell(crash("bee", "pi", seat(7, 4, 1)), crash("elk", "box", seat(9, 1, 1)))
	y.tell(wire.Fact{Kind: wire.FactSilent, Address: cluster(7, 4), Data: data(wire.AgentList{Agents: []string{"cat"}})})
	y.tell(wire.Fact{Kind: wire.FactHostLeaving, Address: cluster(9, 1), Host: "box"})
	y.tell(wire.Fact{Kind: wire.FactMode, Data: data(wire.ModeChange{From: "normal", To: "degraded"})})
	y.tell(started("op2", wire.Targets{{Sector: 7, Agents: bits(0, 2)}}), delivered("op2", 7, wire.Refused, bits(2)))
	y.tell(y.audited("eve"))
	return y
}

// dump spells the whole projection.
func dump(t tester, s *Store) string {
	t.Helper()
	var out strings.Builder
	ctx := context.Background()
	for _, table := range []string{"fact", "progress", "agent", "token_use", "person", "operation", "delivery", "audit"} {
		rows, err := s.history.read.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY 1, 2")
		must(t, err)
		columns := try[[]string](t)(rows.Columns())
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		for rows.Next() {
			must(t, rows.Scan(row...))
			out.WriteString(table)
			for i, v := range row {
				fmt.Fprintf(&out, " %s=%v", columns[i], *v.(*any))
			}
			out.WriteString("\n")
		}
		must(t, rows.Err())
		rows.Close()
	}
	return out.String()
}

func historyFile(dir string) string { return filepath.Join(dir, "history.db") }
