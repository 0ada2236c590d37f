package meshcore

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// operationTo is an operation to the agents of sector 1 with these ordinals.
func operationTo(id string, started time.Time, ttl time.Duration, ordinals ...int) wire.Operation {
	var set wire.Bits
	for _, n := range ordinals {
		set.Add(n)
	}
	op := wire.Operation{
		ID: id, Action: "broadcast", Actor: "alice", RequireAck: true, Started: started, Deadline: started.Add(ttl),
		Targets: wire.Targets{{Sector: 1, Agents: set}}, Addressed: wire.Targets{{Sector: 1, Agents: set}},
		Message: wire.MeshMessage{
			MessageID: id, CorrelationID: id, Source: "alice", Routing: wire.Direct, CreatedAt: started,
			TTLMS: float64(ttl / time.Millisecond), Verb: wire.Observe, PayloadWeight: 1,
		},
	}
	_ = op.Message.SetPayload([]byte(`"hello"`)) // it is JSON
	return op
}

// listens hands the host every COORDINATE of its cluster.
func (h *testHost) listens() <-chan wire.Coordinate {
	h.b.t.Helper()
	got := make(chan wire.Coordinate, 100)
	for _, subject := range []string{wire.SubjectCluster(h.cluster), wire.SubjectHost(h.cluster, h.name)} {
		if _, err := h.Subscribe(subject, func(m *nats.Msg) {
			var c wire.Coordinate
			if wire.Decode(m.Data, wire.TypeCoordinate, &c) == nil {
				got <- c
			}
		}); err != nil {
			h.b.t.Fatal(err)
		}
	}
	if err := h.FlushTimeout(testWait); err != nil {
		h.b.t.Fatal(err)
	}
	return got
}

// acks says that agents have worked a message.
func (h *testHost) acks(id string, again bool, agents ...string) {
	h.b.t.Helper()
	h.says(wire.UplinkAck, &wire.Ack{
		Header: wire.Head(wire.TypeAck), Host: h.name, Cluster: h.cluster, Incarnation: 1, SentAt: time.Now(),
		Items: []wire.AckItem{{MessageID: id, State: wire.Worked, Agents: agents, Trinary: 1, ArrivedAt: time.Now(), Again: again}},
	})
}

func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(testWait):
		t.Fatalf("%s has not come", what)
	}
	return v
}

func TestAnOperationGoesOnAfterARestartWithWhatIsNotFinal(t *testing.T) {
	b := newBench(t, 1)
	place := wire.Address{Sector: 1, Cluster: 1}
	memory := twoHosts()
	memory.Operations = []OpenOperation{{
		Operation: operationTo("op1", time.Now(), time.Minute, 0, 1, 2),
		Final:     []wire.DeliveryFact{{Operation: "op1", Sector: 1, State: wire.Worked, Agents: wire.Bits{1}}}, // ordinal 0
	}}
	h := b.host("pi-1", place)
	got := h.listens()
	b.start(memory)
	c := await(t, "the message", got)
	if c.All || fmt.Sprint(c.Targets) != "[pi-1-2 pi-1-3]" {
		t.Fatalf("sent to %v (all: %v); pi-1-1 has worked it before the restart", c.Targets, c.All)
	}
	h.acks("op1", false, "pi-1-2")
	h.acks("op1", true, "pi-1-3") // the host remembers having worked it: once more, after its kill
	var end wire.OperationEnd
	b.eventually("the operation ends", func() (bool, string) {
		ends := b.facts.of(wire.FactOpEnded)
		if len(ends) != 1 {
			return false, fmt.Sprintf("%d ends", len(ends))
		}
		return json.Unmarshal(ends[0].Data, &end) == nil, string(ends[0].Data)
	})
	if end.Verdict != wire.Done || end.Counts["WORKED"] != 3 {
		t.Errorf("ended %s with %v", end.Verdict, end.Counts)
	}
	var delivered, again wire.Bits
	for _, f := range b.facts.of(wire.FactDelivered) {
		var d wire.DeliveryFact
		if err := json.Unmarshal(f.Data, &d); err != nil {
			t.Fatal(err)
		}
		delivered.Or(d.Agents)
		again.Or(d.Again)
	}
	if delivered.Has(0) || delivered.Len() != 2 || again.Len() != 1 || !again.Has(2) {
		t.Errorf("facts since the restart: worked %v, of these again %v; want ordinals 1 and 2, again 2", delivered, again)
	}
	b.eventually("the shard has forgotten it", func() (bool, string) {
		before := len(got)
		h.acks("op1", false, "pi-1-2")
		return len(b.core.ops.openIDs()) == 0, fmt.Sprintf("%d open, %d sent", len(b.core.ops.openIDs()), before)
	})
}

// A message of 10 s, frozen one second after its start, an hour before this core
// started: nine seconds are left.
func TestTimeToLiveStandsStillWhileFrozenAlsoWhileTheCoreIsDown(t *testing.T) {
	b := newBench(t, 1)
	start := time.Now().Add(-time.Hour)
	memory := twoHosts()
	memory.Operations = []OpenOperation{{Operation: operationTo("op1", start, 10*time.Second, 0, 1, 2)}}
	memory.Freezes = []wire.FreezeOrder{{Seq: 7, Selector: "mesh", Actor: "alice", At: start.Add(time.Second)}}
	h := b.host("pi-1", wire.Address{Sector: 1, Cluster: 1})
	got := h.listens()
	b.start(memory)
	b.eventually("the deliveries are FROZEN", func() (bool, string) {
		d := b.core.Deliveries("pi-1-1")
		return len(d) == 1 && d[0].State == wire.Frozen, fmt.Sprintf("%+v", d)
	})
	if len(got) > 0 {
		t.Fatal("a message was sent to the frozen")
	}
	if _, err := b.core.Freeze(t.Context(), order("mesh", true), nil); err != nil {
		t.Fatal(err)
	}
	c := await(t, "the message, after the thaw", got)
	if c.TTLMS > 9000 || c.TTLMS < 1 {
		t.Errorf("its time to live is %v ms, want what was left of 9,000", c.TTLMS)
	}
}

func TestTheEndOfAnOperationIsWrittenHoweverOftenThatTakes(t *testing.T) {
	b := newBench(t, 1)
	memory := twoHosts()
	memory.Operations = []OpenOperation{{Operation: operationTo("op1", time.Now(), time.Minute, 0)}}
	h := b.host("pi-1", wire.Address{Sector: 1, Cluster: 1})
	got := h.listens()
	b.facts.refusing(errRefused, wire.FactOpEnded)
	b.start(memory)
	await(t, "the message", got)
	h.acks("op1", false, "pi-1-1")
	b.eventually("it is worked", func() (bool, string) {
		d := b.core.Deliveries("pi-1-1")
		return len(d) == 1 && d[0].State == wire.Worked && len(b.facts.of(wire.FactDelivered)) == 1, fmt.Sprintf("%+v", d)
	})
	if len(b.core.ops.openIDs()) != 1 {
		t.Error("an operation whose end is no fact was closed")
	}
	b.facts.refusing(nil)
	b.eventually("it is closed", func() (bool, string) {
		return len(b.core.ops.openIDs()) == 0 && len(b.facts.of(wire.FactOpEnded)) == 1, fmt.Sprint(b.core.ops.openIDs())
	})
}
