package meshcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// bench is a core in a test process, with a real broker and facts in memory
// that can be refused. What comes from hosts is spoken by the test itself.
type bench struct {
	t      *testing.T
	keys   *auth.Keyring
	broker *Broker
	facts  *memoryFacts
	topo   *wire.Topology
	core   *Core
	log    *slog.Logger // of the core
	tamper func(*Core)  // with a core that is about to run; nil: not
	end    func()
}

// newBench is a mesh of sectors x 2 clusters x 6 seats whose core is not started.
func newBench(t *testing.T, sectors int) *bench {
	t.Helper()
	keys := newTestKeyring(t, sectors)
	cluster := wire.ClusterPlan{Seats: map[wire.Class]int{wire.ClassEdge: 6}}
	topo := &wire.Topology{Mesh: "test"}
	for range sectors {
		topo.Sectors = append(topo.Sectors, wire.SectorPlan{Clusters: []wire.ClusterPlan{cluster, cluster}})
	}
	return &bench{
		t: t, keys: keys, broker: startTestBroker(t, keys, t.TempDir()), facts: &memoryFacts{}, topo: topo,
		log: slog.New(slog.DiscardHandler),
	}
}

// start runs a core that remembers memory, until end is called.
func (b *bench) start(memory Memory) {
	b.t.Helper()
	core, err := NewCore(Options{
		Topology: b.topo, Keyring: b.keys, URL: b.broker.URL(), Heartbeat: 100 * time.Millisecond,
		Facts: b.facts, Memory: memory, Log: b.log,
		Connect: func(ctx context.Context) (*nats.Conn, error) { return b.broker.Connect(ctx) },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	serving, ended := make(chan struct{}), make(chan error, 1)
	core.opt.After = func() { close(serving) }
	if b.tamper != nil {
		b.tamper(core)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- core.Run(ctx) }()
	b.core = core
	b.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				b.t.Errorf("the core ended with: %v", err)
			}
		case <-time.After(testWait):
			b.t.Error("the core does not end")
		}
	})
	b.t.Cleanup(b.end)
	select {
	case <-serving:
	case <-time.After(testWait):
		b.t.Fatal("the core does not start")
	}
}

// eventually waits until a condition holds, and says what it was otherwise.
func (b *bench) eventually(what string, holds func() (bool, string)) {
	b.t.Helper()
	end := time.Now().Add(testWait)
	for {
		ok, is := holds()
		if ok {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: still not so after %v: %s", what, testWait, is)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// enrolled are n agents of a host in a cluster, as facts tell of them: ordinals
// and seats from first on.
func enrolled(host string, cluster wire.Address, first, n int) []wire.Enrolled {
	var agents []wire.Enrolled
	for i := range n {
		at := cluster
		at.Seat = first + i
		agents = append(agents, wire.Enrolled{
			AgentID: fmt.Sprintf("%s-%d", host, first+i), Class: wire.ClassEdge, Address: at,
			Ordinal: 10*(cluster.Cluster-1) + first + i - 1, Host: host,
		})
	}
	return agents
}

// joined is a memory in which a host has joined with agents of one cluster.
func joined(host string, agents []wire.Enrolled) wire.HostJoined {
	return wire.HostJoined{Key: "U" + host, Agents: agents}
}

// host is a host's link, spoken by the test.
type testHost struct {
	*user
	b       *bench
	name    string
	cluster wire.Address
	seq     uint64
	obeys   uint64
}

// host connects as an enrolled host of a cluster.
func (b *bench) host(name string, cluster wire.Address) *testHost {
	b.t.Helper()
	u := connectUser(b.t, b.broker, func(k string) (string, error) {
		return b.keys.HostJWT(cluster.Sector, name, k, []string{cluster.String()}, time.Hour)
	})
	return &testHost{user: u, b: b, name: name, cluster: cluster}
}

// beat is a heartbeat of the agents, not sent yet.
func (h *testHost) beat(agents ...string) *wire.Heartbeat {
	h.seq++
	hb := &wire.Heartbeat{
		Header: wire.Head(wire.TypeHeartbeat), Host: h.name, Cluster: h.cluster,
		Incarnation: 1, Seq: h.seq, SentAt: time.Now(), FreezeSeq: h.obeys,
	}
	for _, id := range agents {
		hb.Agents = append(hb.Agents, wire.Beat{AgentID: id, Incarnation: 1, Reliability: 1})
	}
	return hb
}

// says sends an uplink without awaiting an answer.
func (h *testHost) says(u wire.Uplink, m wire.Message) {
	h.b.t.Helper()
	if err := h.Publish(u.Subject(h.cluster, h.name), wire.Encode(m)); err != nil {
		h.b.t.Fatal(err)
	}
}

// asks sends an uplink and decodes the answer.
func (h *testHost) asks(u wire.Uplink, m wire.Message, want wire.Type, answer wire.Message) {
	h.b.t.Helper()
	r, err := h.Request(u.Subject(h.cluster, h.name), wire.Encode(m), testWait)
	if err == nil {
		err = wire.Decode(r.Data, want, answer)
	}
	if err != nil {
		h.b.t.Fatalf("%s of %s: %v", u, h.name, err)
	}
}

func names(agents []wire.Enrolled) []string {
	var ids []string
	for _, a := range agents {
		ids = append(ids, a.AgentID)
	}
	return ids
}

var errRefused = errors.New("the disk is full (says the test)")

// memoryFacts keeps facts in memory.
type memoryFacts struct {
	mu     sync.Mutex
	facts  []wire.Fact
	refuse func([]wire.Fact) error // nil: nothing
}

func (m *memoryFacts) Append(_ context.Context, facts ...wire.Fact) ([]wire.Fact, error) {
	m.mu.Lock()
	refuse := m.refuse
	m.mu.Unlock()
	if refuse != nil {
		if err := refuse(facts); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	facts = slices.Clone(facts)
	for i := range facts {
		facts[i].Seq = uint64(len(m.facts) + 1000)
		m.facts = append(m.facts, facts[i])
	}
	return facts, nil
}

// refusing makes Append fail for facts of these kinds; none: for none.
func (m *memoryFacts) refusing(err error, kinds ...wire.FactKind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = func(facts []wire.Fact) error {
		for i := range facts {
			if slices.Contains(kinds, facts[i].Kind) {
				return err
			}
		}
		return nil
	}
}

// of are the facts of a kind so far.
func (m *memoryFacts) of(kind wire.FactKind) []wire.Fact {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []wire.Fact
	for _, f := range m.facts {
		if f.Kind == kind {
			found = append(found, f)
		}
	}
	return found
}

// person connects as someone whom the mesh's keys have signed for.
func (b *bench) person(name string) *user {
	b.t.Helper()
	return connectUser(b.t, b.broker, func(k string) (string, error) { return b.keys.PersonJWT("operator", name, k, time.Hour) })
}

// holder connects as who holds a join token.
func (b *bench) holder(token string) *user {
	b.t.Helper()
	return connectUser(b.t, b.broker, func(k string) (string, error) { return b.keys.TokenJWT(token, k, time.Hour) })
}

// opens serves the door until the test ends: act is told what each person asks,
// and done is answered.
func (b *bench) opens(act func(n int, person string)) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var n atomic.Int64
	go func() {
		ended <- b.core.ServeDoor(ctx, func(_ context.Context, person string, do wire.Do, send func(wire.Message)) {
			act(int(n.Add(1)), person)
			send(&wire.Outcome{Header: wire.Head(wire.TypeOutcome), ID: do.ID, Verdict: wire.Done})
		})
	}()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
}

// hooking calls f when a fact of the kind is to be written, before it is.
func (m *memoryFacts) hooking(kind wire.FactKind, f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = func(facts []wire.Fact) error {
		if slices.ContainsFunc(facts, func(x wire.Fact) bool { return x.Kind == kind }) {
			f()
		}
		return nil
	}
}

// each calls f with every fact so far, in order.
func (m *memoryFacts) each(f func(wire.Fact)) {
	m.mu.Lock()
	facts := slices.Clone(m.facts)
	m.mu.Unlock()
	for _, fact := range facts {
		f(fact)
	}
}

// watch calls f with all that is published on a subject, until the test ends.
func (b *bench) watch(subject string, f func(data []byte)) {
	b.t.Helper()
	nc := connectTestCore(b.t, b.broker)
	if _, err := nc.Subscribe(subject, func(m *nats.Msg) { f(m.Data) }); err != nil {
		b.t.Fatal(err)
	}
	if err := nc.FlushTimeout(testWait); err != nil {
		b.t.Fatal(err)
	}
}
