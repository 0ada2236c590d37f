package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/agentd"
	"mesh30k/agentd/fleet"
	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore"
	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
	"mesh30k/store"
)

// house is a whole mesh in one test process: a real broker on loopback, real
// files, the core that main would wire, and fleets of emulated agents.
type house struct {
	t    *testing.T
	home *meshcore.Home
	core *meshcore.Core

	stopCore func()
	client   *client.Client
}

// deadline of whatever a story waits for.
const deadline = 30 * time.Second

// openHouse makes a mesh of sectors x 2 clusters x 6 seats of class A.
func openHouse(t *testing.T, sectors int) *house {
	t.Helper()
	topo := wire.Topology{Mesh: "story"}
	for range sectors {
		cluster := wire.ClusterPlan{Seats: map[wire.Class]int{wire.ClassEdge: 6}}
		topo.Sectors = append(topo.Sectors, wire.SectorPlan{Clusters: []wire.ClusterPlan{cluster, cluster}})
	}
	home, err := meshcore.InitHome(t.TempDir(), topo, "cecilia")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, home: home}
	h.startCore()
	t.Cleanup(func() { h.stopCore() })
	return h
}

// projection is the store as main wires it.
type projection struct{ *store.Store }

func (p projection) Memory(ctx context.Context) (m meshcore.Memory, err error) {
	hosts, err := p.Agents(ctx)
	for _, x := range hosts {
		m.Hosts = append(m.Hosts, wire.HostJoined{Key: x.Key, Agents: x.Agents})
	}
	tokens, err2 := p.Tokens(ctx)
	m.TokensUsed = map[string][]string{}
	for _, x := range tokens {
		m.Tokens = append(m.Tokens, x.Token)
		m.TokensUsed[x.ID] = x.By
	}
	var err3, err4, err5 error
	m.People, err3 = p.People(ctx)
	m.Freezes, err4 = p.FreezeOrders(ctx)
	open, err5 := p.OpenOperations(ctx)
	for _, x := range open {
		m.Operations = append(m.Operations, meshcore.OpenOperation{Operation: x.Operation, Final: x.Final})
	}
	return m, errors.Join(err, err2, err3, err4, err5)
}

func (p projection) Retain(context.Context, time.Time) (uint64, error) { return 0, nil }

type mesh struct{ *meshcore.Core }

func (m mesh) Picture() console.Picture { return picture{m.View(), m.Core} }

type picture struct {
	*registry.View
	core *meshcore.Core
}

func (p picture) Stats() wire.GlobalStats { return p.core.Complete(p.View.Stats()) }

// startCore runs the core until stopCore or the end of the test.
func (h *house) startCore() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	serving, ended := make(chan *meshcore.Core, 1), make(chan error, 1)
	var history *store.Store
	go func() {
		err := meshcore.RunNode(ctx, meshcore.NodeOptions{
			Home: h.home, Heartbeat: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
			Project: func(ctx context.Context, s meshcore.StreamIdentity) (meshcore.Projection, error) {
				var err error
				history, err = store.Open(ctx, filepath.Join(h.home.Dir, "db"), store.Options{Stream: &store.Stream{ID: s.ID, Last: s.Last}})
				return projection{history}, err
			},
			Act: func(core *meshcore.Core, _ meshcore.Projection, facts *meshcore.Ledger) (meshcore.Actor, error) {
				head, err := history.AuditHead(ctx)
				d := console.NewDispatcher(console.Ports{
					Mesh: mesh{core}, Past: history, Auditor: meshcore.NewAuditor(facts, head), People: core,
				}, console.Options{})
				return d.Do, err
			},
			Serving: func(core *meshcore.Core, _ string) { serving <- core },
		})
		if history != nil {
			err = errors.Join(err, history.Close())
		}
		ended <- err
	}()
	select {
	case h.core = <-serving:
	case err := <-ended:
		h.t.Fatalf("the core has not started: %v", err)
	case <-time.After(deadline):
		h.t.Fatal("the core has not started in time")
	}
	h.connect()
	h.stopCore = func() {
		h.client.Close()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				h.t.Errorf("the core ended with: %v", err)
			}
		case <-time.After(deadline):
			h.t.Error("the core does not end")
		}
		h.stopCore = func() {}
	}
}

func (h *house) connect() {
	h.t.Helper()
	var err error
	if h.client, err = h.dial(); err != nil {
		h.t.Fatal(err)
	}
}

// dial reaches the core as the first person.
func (h *house) dial() (*client.Client, error) {
	info, ok := h.home.Core()
	if !ok {
		return nil, errors.New("the core has not announced itself")
	}
	me, err := h.home.Person("cecilia")
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(info.URL, me.Options(wire.InboxPrefix(me.Name), 1)...)
	if err != nil {
		return nil, err
	}
	return client.New(nc, me.Name), nil
}

// invite makes a join token.
func (h *house) invite() string {
	h.t.Helper()
	var invitation console.Invitation
	h.decode(h.does("invite"), &invitation)
	return invitation.Join
}

func (h *house) token() auth.Token {
	h.t.Helper()
	token, err := auth.ParseToken(h.invite())
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

// arrive lets a host with n agents of class A join and live; leave ends it.
func (h *house) arrive(host string, n int) (leave func()) {
	h.t.Helper()
	dir := h.t.TempDir()
	id, err := agentd.Enlist(h.t.Context(), h.invite(), "", dir, wire.Join{
		Host: host, Sim: true, Agents: []wire.AgentSpec{{Count: n, Class: wire.ClassEdge}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.live(id, dir)
}

// live hosts agents that have joined.
func (h *house) live(id *agentd.Identity, dir string) (leave func()) {
	h.t.Helper()
	f, err := fleet.New(fleet.Config{
		Places: id.Configs(dir), Agents: id.Agents, Seed: 1, Profile: fleet.Default(),
		Spread: 10 * time.Millisecond, DrainTimeout: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	leave = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("host %s: %v", id.Host, err)
		}
	})
	h.t.Cleanup(leave)
	return leave
}

// says sends a command line, with every confirmation that it needs.
func (h *house) says(line string) wire.Outcome {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	defer cancel()
	out, err := say(ctx, h.client, line)
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	return out
}

func say(ctx context.Context, c *client.Client, line string) (wire.Outcome, error) {
	action, err := console.ParseLine(line)
	if err != nil {
		return wire.Outcome{}, err
	}
	if console.EntryOf(action).Risk == console.Read {
		return c.Read(ctx, action, client.Handlers{}), nil
	}
	plan, out := c.Plan(ctx, action)
	if plan == nil {
		return out, nil
	}
	return c.Execute(ctx, plan.Hash, action, plan.Count, client.Handlers{}), nil
}

// does is says for what must succeed.
func (h *house) does(line string) wire.Outcome {
	h.t.Helper()
	out := h.says(line)
	if out.Verdict != wire.Done {
		h.t.Fatalf("%s: %s: %s", line, out.Verdict, out.Text)
	}
	return out
}

func (h *house) decode(out wire.Outcome, v any) {
	h.t.Helper()
	if err := json.Unmarshal(out.Data, v); err != nil {
		h.t.Fatalf("%s: %v in %s", out.Action, err, out.Data)
	}
}

// eventually waits until a condition holds, and says what it was otherwise.
func (h *house) eventually(what string, holds func() (bool, string)) {
	h.t.Helper()
	end := time.Now().Add(deadline)
	for {
		ok, is := holds()
		if ok {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s: still not so after %v: %s", what, deadline, is)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// sees waits until the statistics are as wanted.
func (h *house) sees(what string, is func(wire.GlobalStats) bool) {
	h.t.Helper()
	h.eventually(what, func() (bool, string) {
		s := mesh{h.core}.Picture().Stats()
		return is(s), fmt.Sprintf("%d/%d active, %d frozen, %d offline, mode %q, doubt %q",
			s.ActiveAgents, s.TotalAgents, s.FrozenAgents, s.OfflineAgents, s.Mode, s.Doubt)
	})
}

func active(n int) func(wire.GlobalStats) bool {
	return func(s wire.GlobalStats) bool { return s.ActiveAgents == n && s.TotalAgents == n }
}

func frozen(n int) func(wire.GlobalStats) bool {
	return func(s wire.GlobalStats) bool { return s.FrozenAgents == n }
}

func TestAgentsJoinAndTheMeshLives(t *testing.T) {
	h := openHouse(t, 2)
	h.arrive("one", 18)
	h.arrive("two", 6)
	h.sees("24 agents active", active(24))
	h.sees("mode FULL", func(s wire.GlobalStats) bool { return s.Mode == "FULL" })
	h.eventually("heartbeats folded, none missed", func() (bool, string) {
		c := h.core.Stats().Counters
		return c.Beats > 100 && c.Foreign == 0 && c.Undecodable == 0, fmt.Sprintf("%+v", c)
	})
}

func TestAFreezeStopsASectorAndAThawDeliversWhatWasKept(t *testing.T) {
	h := openHouse(t, 2)
	h.arrive("one", 24)
	h.sees("24 agents active", active(24))

	var r wire.FreezeResult
	h.decode(h.does("freeze sector=1 --reason test"), &r)
	if r.Covered != 12 || r.Stopped != 12 || r.Seq == 0 {
		t.Fatalf("freeze: %+v", r)
	}
	h.sees("12 frozen", frozen(12))

	var b wire.BroadcastResult
	h.decode(h.says(`broadcast "hello" --require-ack --ttl 20s`), &b)
	if b.Selected != 24 || b.Addressed != 12 || b.Acknowledged != 12 || b.States["FROZEN"] != 12 {
		t.Fatalf("broadcast to a half frozen mesh: %+v", b)
	}

	h.does("thaw sector=1")
	h.sees("none frozen", frozen(0))
	h.eventually("what was kept is worked", func() (bool, string) {
		var agent string
		for row := range h.core.View().Select(wire.Selector{}) {
			agent = row.AgentID
			for _, d := range h.core.Deliveries(agent) {
				if d.MessageID == b.Operation && d.State != wire.Worked {
					return false, fmt.Sprintf("%s is %s at %s", d.MessageID, d.State, agent)
				}
			}
		}
		return true, ""
	})
}

func TestUndoPutsBackWhatWasBefore(t *testing.T) {
	h := openHouse(t, 2)
	h.arrive("one", 24)
	h.sees("24 agents active", active(24))
	h.does("freeze cluster=1.1")
	h.does("freeze sector=1")
	h.sees("12 frozen", frozen(12))
	h.does("undo")
	h.sees("cluster 1.1 alone is frozen again", frozen(6))
}

func TestWhoComesWhileAFreezeStandsIsFrozen(t *testing.T) {
	h := openHouse(t, 1)
	h.arrive("early", 6)
	h.sees("6 agents active", active(6))
	h.does("freeze mesh")
	h.arrive("late", 6)
	h.sees("the newcomers are frozen", func(s wire.GlobalStats) bool { return s.FrozenAgents == 12 && s.ActiveAgents == 12 })
}

func TestAFreezeOutlivesTheCore(t *testing.T) {
	h := openHouse(t, 2)
	h.arrive("one", 24)
	h.sees("24 agents active", active(24))
	h.does("freeze sector=2")
	var b wire.BroadcastResult
	h.decode(h.says(`broadcast "while frozen" --ttl 5m`), &b)

	h.stopCore()
	h.startCore()
	h.sees("all agents are back", active(24))
	h.sees("sector 2 is still frozen", frozen(12))
	h.does("thaw mesh")
	h.eventually("the message kept since before the restart is worked by all", func() (bool, string) {
		worked := 0
		for row := range h.core.View().Select(wire.Selector{}) {
			for _, d := range h.core.Deliveries(row.AgentID) {
				if d.MessageID == b.Operation && d.State == wire.Worked {
					worked++
				}
			}
		}
		return worked == 24, fmt.Sprintf("%d of 24", worked)
	})
}

func TestATokenCountsOnce(t *testing.T) {
	h := openHouse(t, 1)
	token := h.token()
	ask := func(host, mesh string) error {
		key, _, err := auth.NewUserKey()
		if err != nil {
			t.Fatal(err)
		}
		_, err = agentd.Join(t.Context(), token, wire.Join{Mesh: mesh, Host: host, Key: key, Agents: []wire.AgentSpec{{Class: wire.ClassEdge}}})
		return err
	}
	if err := refusedWith(ask("stranger", "other"), wire.CodeOtherMesh); err != nil {
		t.Error("a host of another mesh:", err)
	}
	if err := ask("first", "story"); err != nil {
		t.Fatal(err)
	}
	if err := refusedWith(ask("second", "story"), wire.CodeTokenUsed); err != nil {
		t.Error("a used token:", err)
	}
}

func TestNamesAreGivenOnce(t *testing.T) {
	h := openHouse(t, 1)
	h.arrive("one", 6)
	token := h.token()
	key, _, _ := auth.NewUserKey()
	_, err := agentd.Join(t.Context(), token, wire.Join{Mesh: "story", Host: "one", Key: key, Agents: []wire.AgentSpec{{Class: wire.ClassEdge}}})
	if err := refusedWith(err, wire.CodeDuplicate); err != nil {
		t.Error("a second host of the same name with another key:", err)
	}
	_, err = agentd.Join(t.Context(), token, wire.Join{Mesh: "story", Host: "two", Key: key, Agents: []wire.AgentSpec{{AgentID: "one-1", Class: wire.ClassEdge}}})
	if err := refusedWith(err, wire.CodeDuplicate); err != nil {
		t.Error("an agent id that is taken:", err)
	}
}

func refusedWith(err error, code wire.Code) error {
	var refused *wire.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("want a refusal %s, got %w", code, err)
	}
	if refused.Code != code {
		return fmt.Errorf("want a refusal %s, got %s: %w", code, refused.Code, refused)
	}
	return nil
}

func TestPlacesThatCannotBeAreUsageErrors(t *testing.T) {
	h := openHouse(t, 2)
	h.arrive("one", 6)
	for line, want := range map[string]wire.Verdict{
		"freeze sector=3":      wire.Usage,
		"status cluster=1.9":   wire.Usage,
		"list state=offline":   wire.NothingMatched,
		"list agent=nobody-ok": wire.NothingMatched,
	} {
		if out := h.says(line); out.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", line, out.Verdict, out.Text, want)
		}
	}
}
