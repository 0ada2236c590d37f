package fleet

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// leads plays the leads of all clusters of a sector: it welcomes hosts, answers
// their heartbeats and reports, and keeps what they said.
type leads struct {
	t   *testing.T
	nc  *nats.Conn
	url string

	agents int

	mu      sync.Mutex
	places  map[wire.Address][]wire.Enrolled
	frozen  map[wire.Address]wire.FrozenState
	beats   map[string]wire.Beat // the latest of each agent
	beaten  map[string]int       // beats of each
	beating int                  // beats in all
	hellos  int
	lost    int // as the heartbeats say
	states  map[string]map[wire.DeliveryState]int
	froze   map[wire.Address]wire.FrozenAck
	reports []wire.ReportItem
	changed chan struct{} // closed and made anew whenever something came in
}

// newLeads starts a broker and the leads of a sector with these agents.
func newLeads(t *testing.T, agents []wire.Enrolled) *leads {
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
	nc, err := nats.Connect(s.ClientURL(), nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	l := &leads{
		t: t, nc: nc, url: s.ClientURL(), agents: len(agents),
		places: map[wire.Address][]wire.Enrolled{}, frozen: map[wire.Address]wire.FrozenState{},
		beats: map[string]wire.Beat{}, beaten: map[string]int{}, states: map[string]map[wire.DeliveryState]int{},
		froze: map[wire.Address]wire.FrozenAck{}, changed: make(chan struct{}),
	}
	for _, a := range agents {
		l.places[a.Address.InCluster()] = append(l.places[a.Address.InCluster()], a)
	}
	if _, err := nc.Subscribe("m.>", l.take); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return l
}

// place is what a host needs to run in all clusters of these leads.
func (l *leads) place(journal string) agentd.Config {
	return agentd.Config{
		Mesh: "test", Host: "sim", Sector: 7, Clusters: slices.Collect(maps.Keys(l.places)), Journal: journal,
		Connect: func(opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(l.url, opts...) },
	}
}

// take answers one message of a host as PROTOCOL.md has it.
func (l *leads) take(m *nats.Msg) {
	uplink, cluster, _, err := wire.ParseUplink(m.Subject)
	if err != nil {
		return // our own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch uplink {
	case wire.UplinkHello:
		l.welcome(m, cluster)
	case wire.UplinkHeartbeat:
		l.beat(m)
	case wire.UplinkAck:
		l.ack(m)
	case wire.UplinkReport:
		l.report(m)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *leads) welcome(m *nats.Msg, cluster wire.Address) {
	var h wire.Hello
	if l.decode(m, wire.TypeHello, &h) {
		l.hellos++
		l.say(m.Reply, &wire.Welcome{
			Header: wire.Head(wire.TypeWelcome), Cluster: cluster, Agents: l.places[cluster], Frozen: l.frozen[cluster],
			HeartbeatMS: 100, MaxQueue: 100, ReceivedAt: time.Now(), SentAt: time.Now(),
		})
	}
}

func (l *leads) beat(m *nats.Msg) {
	var h wire.Heartbeat
	if !l.decode(m, wire.TypeHeartbeat, &h) {
		return
	}
	for _, b := range h.Agents {
		l.beats[b.AgentID] = b
		l.beaten[b.AgentID]++
	}
	l.beating += len(h.Agents)
	l.lost += h.Lost
	in := time.Now()
	l.say(m.Reply, &wire.HeartbeatAck{Header: wire.Head(wire.TypeHeartbeatAck), Seq: h.Seq, T1: h.SentAt, T2: in, T3: time.Now()})
}

func (l *leads) ack(m *nats.Msg) {
	var a wire.Ack
	if !l.decode(m, wire.TypeAck, &a) {
		return
	}
	for _, it := range a.Items {
		if l.states[it.MessageID] == nil {
			l.states[it.MessageID] = map[wire.DeliveryState]int{}
		}
		l.states[it.MessageID][it.State] += len(it.Agents)
	}
	if a.Frozen != nil {
		l.froze[a.Cluster] = *a.Frozen
	}
}

func (l *leads) report(m *nats.Msg) {
	var r wire.Report
	if !l.decode(m, wire.TypeReport, &r) {
		return
	}
	l.reports = append(l.reports, r.Items...)
	l.say(m.Reply, &wire.Reported{Header: wire.Head("REPORTED"), Seq: r.Seq})
}

func (l *leads) decode(m *nats.Msg, t wire.Type, into wire.Message) bool {
	if err := wire.Decode(m.Data, t, into); err != nil {
		l.t.Errorf("the host said what cannot be understood: %v", err)
		return false
	}
	return true
}

func (l *leads) say(subject string, m wire.Message) {
	if err := l.nc.Publish(subject, wire.Encode(m)); err != nil {
		l.t.Error(err)
	}
}

// order sends one message to each cluster.
func (l *leads) order(make func(cluster wire.Address) wire.Message) {
	for cluster := range l.places {
		l.say(wire.SubjectCluster(cluster), make(cluster))
	}
}

// send sends a message to all agents.
func (l *leads) send(id string) {
	l.order(func(wire.Address) wire.Message {
		payload := []byte(`{}`)
		return &wire.Coordinate{Header: wire.Head(wire.TypeCoordinate), MeshMessage: wire.MeshMessage{
			MessageID: id, CorrelationID: id, Source: "cecilia", All: true, Routing: wire.ToAll,
			CreatedAt: time.Now(), SentAt: time.Now(), TTLMS: 60_000, PayloadWeight: 1, Verb: wire.Sync,
			Payload: payload, PayloadHash: wire.HashPayload(payload),
		}}
	})
}

// freeze freezes or thaws every agent by the order of this sequence.
func (l *leads) freeze(seq uint64, frozen bool) {
	l.order(func(cluster wire.Address) wire.Message {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.frozen[cluster] = wire.FrozenState{Seq: seq, All: frozen}
		kind := wire.TypeThaw
		if frozen {
			kind = wire.TypeFreeze
		}
		return &wire.Freeze{Header: wire.Head(kind), Scope: wire.ScopeSector, Cluster: cluster, Frozen: l.frozen[cluster], SentAt: time.Now()}
	})
}

func (l *leads) inject(f wire.Fault, forMS float64, agents ...string) {
	l.order(func(cluster wire.Address) wire.Message {
		return &wire.Inject{Header: wire.Head(wire.TypeInject), Cluster: cluster, Agents: agents, Fault: f, ForMS: forMS}
	})
}

// until waits until what holds, or fails after 30 s.
func (l *leads) until(what string, holds func() bool) {
	l.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		ok, changed := holds(), l.changed
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			l.t.Fatalf("after 30 s it does not hold that %s", what)
		}
	}
}

// latest is the agent's latest beat.
func (l *leads) latest(agent string) wire.Beat {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beats[agent]
}

// beatsOf is how often the agent has beaten.
func (l *leads) beatsOf(agent string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beaten[agent]
}

// hellosNow is how many HELLOs have come.
func (l *leads) hellosNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hellos
}

// reported counts reports of a kind about an agent; "" is any agent.
func (l *leads) reported(kind wire.ReportKind, agent string) (n int) {
	for _, it := range l.reports {
		if it.Kind == kind && (agent == "" || it.AgentID == agent) {
			n++
		}
	}
	return n
}

// sector is a sector of n agents, in clusters of 30 of one class each.
func sector(n int) (agents []wire.Enrolled) {
	for i := range n {
		a := wire.Address{Sector: 7, Cluster: 1 + i/30, Seat: 1 + i%30}
		agents = append(agents, wire.Enrolled{
			AgentID: fmt.Sprintf("sim-%d", i), Class: wire.Classes[i/30%5], Address: a, Ordinal: i, Host: "sim", Sim: true,
		})
	}
	return agents
}
