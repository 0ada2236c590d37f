package agentd

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// broker starts a NATS server for a test.
func broker(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Port: -1, Host: "127.0.0.1", NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the test's broker does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// lead is a cluster's lead as a test plays it: it answers what hosts say, and
// keeps what they said.
type lead struct {
	t    testing.TB
	nc   *nats.Conn
	skew time.Duration // of the core's clock

	mu      sync.Mutex
	agents  []wire.Enrolled
	frozen  wire.FrozenState
	queue   int
	every   int
	mute    bool // answers no HELLO
	deaf    bool // answers no REPORT
	hellos  []wire.Hello
	beats   []wire.Heartbeat
	items   []wire.AckItem // one for each agent, unfolded
	ackMsgs int
	froze   []wire.FrozenAck
	reports []wire.Report
	wake    chan struct{}
}

var testCluster = wire.Address{Sector: 7, Cluster: 4}

func newLead(t testing.TB, s *server.Server, agents ...wire.Enrolled) *lead {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	l := &lead{t: t, nc: nc, agents: agents, queue: 100, every: 100, wake: make(chan struct{}, 1)}
	if _, err := nc.Subscribe("m.>", l.take); err != nil {
		t.Fatal(err)
	}
	l.flush()
	return l
}

func (l *lead) flush() {
	l.t.Helper()
	if err := l.nc.Flush(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lead) now() time.Time { return time.Now().Add(l.skew) }

func (l *lead) take(m *nats.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	uplink, _, _, err := wire.ParseUplink(m.Subject)
	if err != nil {
		return // our own
	}
	switch uplink {
	case wire.UplinkHello:
		l.hello(m)
	case wire.UplinkHeartbeat:
		l.heartbeat(m)
	case wire.UplinkAck:
		l.ack(m)
	case wire.UplinkReport:
		l.report(m)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lead) decode(m *nats.Msg, t wire.Type, into wire.Message) bool {
	if err := wire.Decode(m.Data, t, into); err != nil {
		l.t.Errorf("the host said what cannot be understood: %v", err)
		return false
	}
	return true
}

func (l *lead) hello(m *nats.Msg) {
	var h wire.Hello
	if !l.decode(m, wire.TypeHello, &h) {
		return
	}
	l.hellos = append(l.hellos, h)
	if l.mute {
		return
	}
	in := l.now()
	l.send(m.Reply, &wire.Welcome{
		Header: wire.Head(wire.TypeWelcome), Cluster: h.Cluster, Agents: l.agents, Frozen: l.frozen,
		HeartbeatMS: l.every, MaxQueue: l.queue, ReceivedAt: in, SentAt: l.now(),
	})
}

func (l *lead) heartbeat(m *nats.Msg) {
	var h wire.Heartbeat
	if !l.decode(m, wire.TypeHeartbeat, &h) {
		return
	}
	in := l.now()
	l.beats = append(l.beats, h)
	l.send(m.Reply, &wire.HeartbeatAck{Header: wire.Head(wire.TypeHeartbeatAck), Seq: h.Seq, T1: h.SentAt, T2: in, T3: l.now()})
}

func (l *lead) ack(m *nats.Msg) {
	var a wire.Ack
	if !l.decode(m, wire.TypeAck, &a) {
		return
	}
	l.ackMsgs++
	for _, it := range a.Items {
		for _, id := range it.Agents {
			one := it
			one.Agents = []string{id}
			l.items = append(l.items, one)
		}
	}
	if a.Frozen != nil {
		l.froze = append(l.froze, *a.Frozen)
	}
}

func (l *lead) report(m *nats.Msg) {
	var r wire.Report
	if !l.decode(m, wire.TypeReport, &r) {
		return
	}
	l.reports = append(l.reports, r)
	if !l.deaf {
		l.send(m.Reply, &wire.Reported{Header: wire.Head(wire.TypeReported), Seq: r.Seq})
	}
}

func (l *lead) send(subject string, m wire.Message) {
	if err := l.nc.Publish(subject, wire.Encode(m)); err != nil {
		l.t.Errorf("lead: %v", err)
	}
}

// until waits until what the host said fulfils ok.
func (l *lead) until(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		done := ok()
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-l.wake:
		case <-deadline:
			l.t.Fatalf("the host never said: %s", what)
		}
	}
}

// state of a message at an agent, as said last.
func (l *lead) state(message, agent string) wire.AckItem {
	for _, v := range slices.Backward(l.items) {
		if v.MessageID == message && v.Agents[0] == agent {
			return v
		}
	}
	return wire.AckItem{}
}

// untilState waits until a message has a state at each of agents.
func (l *lead) untilState(message string, want wire.DeliveryState, agents ...string) wire.AckItem {
	l.t.Helper()
	var it wire.AckItem
	l.until(message+" "+want.String(), func() bool {
		for _, id := range agents {
			if it = l.state(message, id); it.State != want {
				return false
			}
		}
		return true
	})
	return it
}

func (l *lead) count(message, agent string, state wire.DeliveryState) (n int) {
	for _, it := range l.items {
		if it.MessageID == message && it.Agents[0] == agent && it.State == state {
			n++
		}
	}
	return n
}

// order sends a message to agents; none: to all of the cluster.
func (l *lead) order(id string, change func(*wire.MeshMessage), agents ...string) {
	l.t.Helper()
	payload := []byte(`{"do":"it"}`)
	m := &wire.Coordinate{Header: wire.Head(wire.TypeCoordinate), MeshMessage: wire.MeshMessage{
		MessageID: id, CorrelationID: id, Source: "tester", Targets: agents, All: len(agents) == 0,
		Routing: wire.ToAll, CreatedAt: l.now(), SentAt: l.now(), TTLMS: 60_000, Priority: 2,
		PayloadWeight: 1, Verb: wire.Act, Payload: payload, PayloadHash: wire.HashPayload(payload),
	}}
	if change != nil {
		change(&m.MeshMessage)
	}
	l.send(wire.SubjectCluster(testCluster), m)
	l.flush()
}

// freeze sends a FREEZE or THAW that leaves agents frozen; all: everyone.
func (l *lead) freeze(seq uint64, all bool, agents ...string) {
	l.t.Helper()
	l.mu.Lock()
	l.frozen = wire.FrozenState{Seq: seq, All: all, Agents: agents}
	s := l.frozen
	l.mu.Unlock()
	l.send(wire.SubjectCluster(testCluster), &wire.Freeze{
		Header: wire.Head(wire.TypeFreeze), Scope: wire.ScopeCluster, Cluster: testCluster, Frozen: s, SentAt: l.now(),
	})
	l.flush()
}

func (l *lead) inject(fault wire.Inject) {
	l.t.Helper()
	fault.Header, fault.Cluster = wire.Head(wire.TypeInject), testCluster
	l.send(wire.SubjectHost(testCluster, "pi"), &fault)
	l.flush()
}

// enrolled makes agents a-1 … a-n of the test's host.
func enrolled(n int) []wire.Enrolled {
	list := make([]wire.Enrolled, n)
	for i := range list {
		seat := testCluster
		seat.Seat = i + 1
		list[i] = wire.Enrolled{AgentID: agentName(i + 1), Class: wire.ClassLocal, Address: seat, Ordinal: i, Host: "pi"}
	}
	return list
}

func agentName(n int) string { return "a-" + string(rune('0'+n/10)) + string(rune('0'+n%10)) }

// testConfig is a host named pi at the broker.
func testConfig(s *server.Server) Config {
	return Config{
		Mesh: "test", Host: "pi", Sector: 7, Clusters: []wire.Address{testCluster}, Program: "test 0",
		Connect: func(opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(s.ClientURL(), opts...) },
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)), Peers: 1, DrainTimeout: 50 * time.Millisecond,
	}
}

// start runs a host until the test ends or stop is called; stop waits for it.
func start(t *testing.T, cfg Config) (h *Host, stop func()) {
	t.Helper()
	h, err := NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Run(ctx); err != nil {
			t.Errorf("host: %v", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return h, stop
}
