package views

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// noon is when everything in the tests happens.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.Local)

// fakePicture is a mesh made by hand: always the same one for a size.
type fakePicture struct {
	shape  *wire.Topology
	blocks map[wire.Address]*wire.Block
	agents map[string]*wire.AgentImpedance
}

// newPicture is a mesh of sectors × 10 clusters × 30 agents with its share of
// trouble: sector 31 frozen, 7.4.12 and 7.4.19 slow, 12 agents of sector 12
// silent, 45.2 in quarantine, 88 slow as a whole, 64.3.7 unstable.
func newPicture(sectors int) *fakePicture {
	p := &fakePicture{shape: &wire.Topology{Mesh: "demo"}, blocks: map[wire.Address]*wire.Block{}, agents: map[string]*wire.AgentImpedance{}}
	for s := range sectors {
		plan := wire.SectorPlan{}
		for c := range 10 {
			plan.Clusters = append(plan.Clusters, wire.ClusterPlan{Seats: map[wire.Class]int{classOf(c): 30}})
			p.add(wire.Address{Sector: s + 1, Cluster: c + 1})
		}
		p.shape.Sectors = append(p.shape.Sectors, plan)
	}
	return p
}

func classOf(cluster int) wire.Class { return wire.Class("AAABBBCCDE"[cluster]) }

func (p *fakePicture) add(at wire.Address) {
	b := &wire.Block{Cluster: at, At: noon}
	for seat := range 30 {
		b.Rows = append(b.Rows, fakeRow(wire.Address{Sector: at.Sector, Cluster: at.Cluster, Seat: seat + 1}))
	}
	p.blocks[at] = b
	for i := range b.Rows {
		p.agents[b.Rows[i].AgentID] = &b.Rows[i]
	}
}

// wobble is a number of 0 to 99 that depends on the address alone.
func wobble(a wire.Address) int {
	return (a.Sector*7919 + a.Cluster*104729 + a.Seat*1299709) % 9973 % 100
}

func fakeRow(a wire.Address) wire.AgentImpedance {
	x := wobble(a)
	r := wire.AgentImpedance{
		AgentID: fmt.Sprintf("a%d-%d-%d", a.Sector, a.Cluster, a.Seat), Class: classOf(a.Cluster - 1), Address: a, Host: fmt.Sprintf("fleet-%d", a.Sector),
		LatencyMS: 20 + float64(x)/4, ProcessingMS: 50, QueueDepth: x / 30, LastHeartbeat: noon.Add(-time.Duration(x*40) * time.Millisecond),
		ImpedanceMS: 80 + float64(x)/2, Score: 420 + float64(x), Reliability: 0.999, Drift: 0.1 + float64(x)/1000,
		State: wire.Active, Sim: true, Incarnation: 1, Worked: uint64(1000 + x),
	}
	r.ImpedanceMS *= 1 + float64(a.Sector*37%11)/40
	trouble(&r)
	return r
}

func trouble(r *wire.AgentImpedance) {
	a := r.Address
	switch {
	case a.Sector == 31:
		r.Frozen = true
	case a == wire.Address{Sector: 7, Cluster: 4, Seat: 12}:
		r.State, r.ImpedanceMS, r.Score, r.QueueDepth = wire.Degraded, 847, 910, 17
	case a == wire.Address{Sector: 7, Cluster: 4, Seat: 19}:
		r.State, r.ImpedanceMS, r.Score, r.QueueDepth = wire.Degraded, 612, 850, 9
	case a.Sector == 12 && a.Cluster <= 2 && a.Seat <= 9:
		r.State = wire.Offline
	case a.Sector == 45 && a.Cluster == 2:
		r.State = wire.Quarantined
	case a.Sector == 88:
		r.ImpedanceMS *= 3.1
	case a == wire.Address{Sector: 64, Cluster: 3, Seat: 7}:
		r.Unstable, r.Drift = true, 0.81
	}
}

func (p *fakePicture) Topology() *wire.Topology                         { return p.shape }
func (p *fakePicture) Block(c wire.Address) *wire.Block                 { return p.blocks[c] }
func (p *fakePicture) Agent(id string) *wire.AgentImpedance             { return p.agents[id] }
func (p *fakePicture) Best(string, int, float64) []*wire.AgentImpedance { return nil }

func (p *fakePicture) Select(s wire.Selector) iter.Seq[*wire.AgentImpedance] {
	return func(yield func(*wire.AgentImpedance) bool) {
		for c := range p.shape.Clusters {
			for i := range p.blocks[c].Rows {
				if r := &p.blocks[c].Rows[i]; s.Match(r) && !yield(r) {
					return
				}
			}
		}
	}
}

func (p *fakePicture) Sector(n int) wire.SectorSummary {
	s := wire.SectorSummary{Sector: n, ClusterCount: 10}
	sum, measured := 0.0, 0
	for c := range 10 {
		x := p.summary(wire.Address{Sector: n, Cluster: c + 1})
		s.Clusters = append(s.Clusters, x)
		s.TotalAgents += x.AgentCount
		s.ActiveAgents += x.ActiveCount
		sum += x.MeanMS * float64(x.Measured)
		measured += x.Measured
	}
	if measured > 0 {
		s.MeanMS = sum / float64(measured)
	}
	return s
}

func (p *fakePicture) summary(at wire.Address) wire.ClusterSummary {
	c := wire.ClusterSummary{Cluster: at}
	var all []float64
	for i := range p.blocks[at].Rows {
		r := &p.blocks[at].Rows[i]
		c.AgentCount++
		c.QueueDepth += r.QueueDepth
		c.DegradedCount += one(r.State == wire.Degraded)
		c.OfflineCount += one(r.State == wire.Offline)
		c.QuarantCount += one(r.State == wire.Quarantined)
		c.UnstableCount += one(r.Unstable)
		c.FrozenCount += one(r.Frozen)
		if r.State.Heard() {
			c.ActiveCount++
			c.MeanMS += r.ImpedanceMS
			all = append(all, r.ImpedanceMS)
		}
	}
	if c.Measured = len(all); c.Measured > 0 {
		c.MeanMS /= float64(c.Measured)
		slices.Sort(all)
		c.P95MS = all[len(all)*95/100]
	}
	return c
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *fakePicture) Stats() wire.GlobalStats {
	g := wire.GlobalStats{Mesh: p.shape.Mesh, Timestamp: noon, Sectors: len(p.shape.Sectors), Sim: true}
	for n := range p.shape.Sectors {
		t := totals(p.Sector(n + 1))
		g.TotalAgents += t.AgentCount
		g.ActiveAgents += t.ActiveCount
		g.FrozenAgents += t.FrozenCount
		g.MeanMS += t.MeanMS / float64(len(p.shape.Sectors))
	}
	if g.ActiveRate = float64(g.ActiveAgents) / float64(max(1, g.TotalAgents)); g.ActiveRate >= 0.95 {
		g.Mode = "FULL"
	}
	return g
}

// fakeFacts are some lines of the feed, one with what an agent might try.
func fakeFacts() []wire.Fact {
	return []wire.Fact{
		{At: noon.Add(-40 * time.Second), Kind: wire.FactCoreStarted, Text: "core started"},
		{At: noon.Add(-31 * time.Second), Kind: wire.FactFreeze, Address: wire.Address{Sector: 31}, Text: `sector=31 frozen by cecilia: "bad config push"`},
		{At: noon.Add(-12 * time.Second), Kind: wire.FactSilent, Address: wire.Address{Sector: 12, Cluster: 1}, Text: "9 agents silent for 30 s"},
		{At: noon.Add(-3 * time.Second), Kind: wire.FactRejected, Host: "pi-kitchen", Text: "handler said \x1b[2J\u202egniht dab"},
	}
}

// fakeActions answers at once, as the core would, and remembers what it was asked.
type fakeActions struct {
	picture  *fakePicture
	planned  []string
	executed []executed
	freezes  []string // reasons of emergency freezes
	read     []string
	fail     error // of the next Execute
	answer   string
}

type executed struct {
	line  string
	typed int
}

func (f *fakeActions) Plan(_ context.Context, a console.Action) (wire.Plan, error) {
	line := console.Line(a)
	f.planned = append(f.planned, line)
	p := wire.Plan{Hash: "4f2a91c0aa", Expires: noon.Add(time.Minute), Action: console.Encode(a), Reversible: console.EntryOf(a).Reversible, ByClass: map[wire.Class]int{}}
	target := wire.Selector{}
	switch a := a.(type) {
	case console.Freeze:
		target = a.Target
	case console.Thaw:
		target = a.Target
	case console.Broadcast:
		target = a.Target
	case console.Undo:
		p.Count, p.Clusters, p.Wide, p.Text = 300, 10, true, "Plan: take back your freeze of sector=31 at 11:59:29 (fact 811000)\n  concerns     300 agents in 10 clusters\n"
		return p, nil
	}
	clusters := map[wire.Address]bool{}
	for r := range f.picture.Select(target) {
		p.Count++
		p.ByClass[r.Class]++
		p.Queued += r.QueueDepth
		clusters[r.Address.InCluster()] = true
		if len(p.Sample) < 10 {
			p.Sample = append(p.Sample, r.Address.String())
		}
	}
	p.Clusters, p.Wide = len(clusters), p.Count > 30 || console.EntryOf(a).Risk == console.Disruptive
	p.Text = fmt.Sprintf("Plan: %s\n  concerns     %s agents in %d clusters\n  work         0 begun now, %d queued\n  such as      %s\n  note         holds for agents that come later too\n  to reverse   %s\n  plan         %s, %s, holds for 1m0s\n",
		line, count(p.Count), p.Clusters, p.Queued, strings.Join(p.Sample, " "), p.Reversible, p.Hash, console.EntryOf(a).Risk)
	if p.Count == 0 {
		return p, wire.Errorf(wire.CodeNothingMatched, "%s selects no agent", target).WithHint("list shows who is there")
	}
	return p, nil
}

func (f *fakeActions) Execute(_ context.Context, p wire.Plan, typed int, progress func(wire.Progress)) (wire.Outcome, error) {
	if err := f.fail; err != nil {
		f.fail = nil
		return wire.Outcome{}, err
	}
	a, err := console.Decode(p.Action)
	if err != nil {
		return wire.Outcome{}, err
	}
	f.executed = append(f.executed, executed{console.Line(a), typed})
	progress(wire.Progress{Done: p.Count / 2, Total: p.Count})
	return wire.Outcome{Verdict: wire.Done, Text: fmt.Sprintf("FROZEN\nAll %d agents paused\nState preserved to fact 812000\n", p.Count)}, nil
}

func (f *fakeActions) Emergency(_ context.Context, reason string) (wire.Outcome, error) {
	f.freezes = append(f.freezes, reason)
	return wire.Outcome{Verdict: wire.Done, Text: "30,000 agents stopped"}, nil
}

func (f *fakeActions) Read(_ context.Context, a console.Action) (wire.Outcome, error) {
	f.read = append(f.read, console.Line(a))
	if f.answer != "" {
		return wire.Outcome{Verdict: wire.Done, Text: f.answer}, nil
	}
	in, ok := a.(console.Inspect)
	if !ok {
		return wire.Outcome{Verdict: wire.Done, Text: "done"}, nil
	}
	var rows []console.InspectRow
	for r := range f.picture.Select(in.Target) {
		rows = append(rows, console.InspectRow{
			AgentID: r.AgentID, Agent: r,
			Deliveries: []wire.DeliveryRecord{{MessageID: "m-0192", Action: "broadcast", State: wire.Worked, Started: noon.Add(-time.Minute)}},
			History:    []wire.Fact{{At: noon.Add(-time.Hour), Text: "enrolled by " + r.Host}, {At: noon.Add(-time.Minute), Text: "impedance over 4 times its reference"}, {At: noon, Text: "named \x1b]0;evil\x07 here"}},
		})
	}
	data, err := json.Marshal(map[string]any{"rows": rows})
	return wire.Outcome{Verdict: wire.Done, Data: data}, err
}
