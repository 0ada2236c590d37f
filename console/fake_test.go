package console

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// fakePicture is a mesh of two sectors with two clusters each; a test adds rows.
type fakePicture struct {
	topology *wire.Topology
	rows     []wire.AgentImpedance
}

func newPicture(rows ...wire.AgentImpedance) *fakePicture {
	plan := wire.ClusterPlan{Seats: map[wire.Class]int{wire.ClassEdge: 3}}
	sector := wire.SectorPlan{Clusters: []wire.ClusterPlan{plan, plan}}
	named := sector
	named.Name = "kitchen"
	return &fakePicture{&wire.Topology{Mesh: "demo", Sectors: []wire.SectorPlan{sector, named}}, rows}
}

// agent makes a row at an address; its ordinal is unique in the sector.
func agent(place string, class wire.Class, with ...func(*wire.AgentImpedance)) wire.AgentImpedance {
	a, err := wire.ParseAddress(place)
	if err != nil {
		panic(err)
	}
	r := wire.AgentImpedance{
		AgentID: "a-" + strings.ReplaceAll(place, ".", "-"), Class: class, Address: a, Ordinal: a.Cluster*100 + a.Seat,
		Host: "h" + place[:1], State: wire.Active, ImpedanceMS: 100, LatencyMS: 20, ProcessingMS: 60,
		LastHeartbeat: noon.Add(-2 * time.Second), Reliability: 0.999, Incarnation: 1, Sim: true,
	}
	for _, f := range with {
		f(&r)
	}
	return r
}

func frozen(r *wire.AgentImpedance)   { r.Frozen = true }
func offline(r *wire.AgentImpedance)  { r.State = wire.Offline }
func physical(r *wire.AgentImpedance) { r.Sim = false }
func slow(ms float64) func(*wire.AgentImpedance) {
	return func(r *wire.AgentImpedance) { r.ImpedanceMS = ms }
}

func (p *fakePicture) Topology() *wire.Topology { return p.topology }

func (p *fakePicture) Block(cluster wire.Address) *wire.Block {
	b := &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: cluster, Epoch: 1, Rev: 1, At: noon}
	for _, r := range p.rows {
		if cluster.Contains(r.Address) {
			b.Rows = append(b.Rows, r)
		}
	}
	if b.Rows == nil {
		return nil
	}
	return b
}

func (p *fakePicture) Agent(id string) *wire.AgentImpedance {
	for i := range p.rows {
		if p.rows[i].AgentID == id {
			return &p.rows[i]
		}
	}
	return nil
}

func (p *fakePicture) Select(s wire.Selector) iter.Seq[*wire.AgentImpedance] {
	return func(yield func(*wire.AgentImpedance) bool) {
		for i := range p.rows {
			if s.Match(&p.rows[i]) && !yield(&p.rows[i]) {
				return
			}
		}
	}
}

func (p *fakePicture) Stats() wire.GlobalStats {
	s := wire.GlobalStats{Mesh: p.topology.Mesh, TotalAgents: len(p.rows), Mode: "FULL", Sectors: 2, SectorsHealthy: 2, MeanMS: 100}
	for _, r := range p.rows {
		s.ActiveAgents += count(r.State.Heard())
		s.OfflineAgents += count(r.State == wire.Offline)
		s.FrozenAgents += count(r.Frozen)
		s.Sim = s.Sim || r.Sim
	}
	if len(p.rows) == 0 {
		s.Mode, s.Sectors, s.SectorsHealthy, s.MeanMS = "", 0, 0, 0
	}
	return s
}

func (p *fakePicture) Sector(n int) wire.SectorSummary { return wire.SectorSummary{Sector: n} }
func (p *fakePicture) Best(string, int, float64) []*wire.AgentImpedance {
	return nil
}

// world stands for the core and what is around it.
type world struct {
	mu         sync.Mutex
	picture    *fakePicture
	now        time.Time
	roles      map[string]wire.Role
	audit      []wire.AuditEntry
	auditFails func(wire.AuditEntry) error
	facts      []wire.Fact
	trends     []wire.TrendRow
	orders     []wire.FreezeOrder
	operations []wire.Operation
	injected   []wire.Inject
	tokens     []wire.Token
	missing    []string
	lag        time.Duration // until a freeze is seen in the picture
	block      chan struct{} // a broadcast waits for it
}

func newWorld(rows ...wire.AgentImpedance) *world {
	return &world{picture: newPicture(rows...), now: noon, roles: map[string]wire.Role{"cecilia": wire.Operator, "bob": wire.Operator, "olga": wire.Observer}}
}

func (w *world) Picture() Picture {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.picture
}

// change replaces the picture: one that was handed out never changes.
func (w *world) change(f func(rows []wire.AgentImpedance) []wire.AgentImpedance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.picture = newPicture(f(slices.Clone(w.picture.rows))...)
}

func (w *world) Freeze(_ context.Context, o wire.FreezeOrder, progress func(wire.Progress)) (wire.FreezeResult, error) {
	w.mu.Lock()
	o.Seq = uint64(1000 * (len(w.facts) + 1))
	kind := wire.FactFreeze
	if o.Thaw {
		kind = wire.FactThaw
	}
	if o.Undoes != 0 {
		kind = wire.FactFreezeUndone
	}
	data, err := json.Marshal(o)
	if err != nil {
		return wire.FreezeResult{}, err
	}
	w.facts = append(w.facts, wire.Fact{Seq: o.Seq, At: w.now, Kind: kind, Actor: o.Actor, Data: data})
	w.orders = append(w.orders, o)
	w.mu.Unlock()
	sel, err := wire.ParseSelector(o.Selector)
	if err != nil {
		panic(err)
	}
	covers := func(r *wire.AgentImpedance) bool {
		return sel.Match(r) && (o.Resolved == nil || o.Resolved.Sector(r.Address.Sector).Has(r.Ordinal))
	}
	covered := 0
	for r := range w.Picture().Select(wire.Selector{}) {
		covered += count(covers(r))
	}
	show := func() {
		w.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance {
			for i := range rows {
				if covers(&rows[i]) {
					rows[i].Frozen = !o.Thaw
				}
			}
			return rows
		})
	}
	if w.lag == 0 {
		show()
	} else {
		time.AfterFunc(w.lag, show)
	}
	progress(wire.Progress{Done: covered, Total: covered})
	return wire.FreezeResult{Thaw: o.Thaw, Seq: o.Seq, Target: o.Selector, Covered: covered, Stopped: covered, At: w.now}, nil
}

func (w *world) Broadcast(ctx context.Context, op wire.Operation, progress func(wire.Progress)) (wire.BroadcastResult, error) {
	w.mu.Lock()
	w.operations = append(w.operations, op)
	w.mu.Unlock()
	progress(wire.Progress{Operation: op.ID, Total: op.Addressed.Len()})
	if w.block != nil {
		select {
		case <-w.block:
		case <-ctx.Done():
			return wire.BroadcastResult{}, ctx.Err()
		}
	}
	n := op.Addressed.Len() - len(w.missing)
	return wire.BroadcastResult{
		Operation: op.ID, Selected: op.Targets.Len(), Addressed: op.Addressed.Len(), Received: n, Acknowledged: n,
		Missing: w.missing, Why: "all have received it", DurationMS: 42, Settled: true,
	}, nil
}

func (w *world) Deliveries(string) []wire.DeliveryRecord {
	return []wire.DeliveryRecord{{MessageID: "m1", Action: "broadcast", State: wire.Worked, Started: w.now.Add(-time.Minute)}}
}

func (w *world) Inject(_ context.Context, t wire.Targets, f wire.Inject) (int, error) {
	w.injected = append(w.injected, f)
	return t.Len(), nil
}

func (w *world) Invite(_ context.Context, t wire.Token) (string, error) {
	w.tokens = append(w.tokens, t)
	return "mesh30k1.TOKEN", nil
}

func (w *world) History(_ context.Context, q wire.HistoryQuery) ([]wire.Fact, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []wire.Fact
	for _, f := range slices.Backward(w.facts) {
		if (q.Kind == "" || q.Kind == f.Kind) && (q.AgentID == "" || q.AgentID == f.AgentID) &&
			!f.At.Before(q.Since) && !f.At.After(q.Until) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, f)
		}
	}
	return out, nil
}

func (w *world) TrendsAt(context.Context, time.Time) ([]wire.TrendRow, error) {
	if w.trends == nil {
		return nil, wire.Errorf(wire.CodeNothingMatched, "outside the horizon")
	}
	return w.trends, nil
}

func (w *world) Trend(context.Context, wire.Address, time.Time, time.Time) ([]wire.TrendRow, error) {
	return nil, errors.New("nobody asks in this issue")
}

func (w *world) Audit(_ context.Context, e wire.AuditEntry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.auditFails != nil {
		if err := w.auditFails(e); err != nil {
			return err
		}
	}
	w.audit = append(w.audit, e)
	return nil
}

func (w *world) Role(name string) (wire.Role, bool) {
	r, ok := w.roles[name]
	return r, ok
}

// door is a dispatcher on a world, and what it has answered.
type door struct {
	*world
	t testing.TB
	d *Dispatcher
}

func open(t testing.TB, w *world, opts ...func(*Options)) *door {
	o := Options{Now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }}
	for _, f := range opts {
		f(&o)
	}
	d := NewDispatcher(Ports{Mesh: w, Past: w, Auditor: w, People: w}, o)
	t.Cleanup(d.Close)
	return &door{w, t, d}
}

// answer is all that one DO brought.
type answer struct {
	wire.Outcome
	plan     *wire.Plan
	rows     []string
	text     string // with the rows' lines
	progress int
	blocks   int
}

func (o *door) do(person string, do wire.Do) answer {
	o.t.Helper()
	do.Header, do.ID = wire.Head(wire.TypeDo), "do-1"
	var a answer
	ended := false
	o.d.Do(context.Background(), person, do, func(m wire.Message) {
		if ended {
			o.t.Errorf("%T after the outcome", m)
		}
		switch m := m.(type) {
		case *wire.Plan:
			a.plan = m
		case *wire.Progress:
			a.progress++
		case *wire.Block:
			a.blocks++
		case *wire.Records:
			if len(wire.Encode(m)) > wire.MaxPayload {
				o.t.Errorf("RECORDS of %d bytes", len(wire.Encode(m)))
			}
			for _, r := range m.Rows {
				a.rows = append(a.rows, string(r))
			}
			a.text += m.Text
		case *wire.Outcome:
			ended = true
			a.Outcome = *m
			a.text += m.Text
		}
	})
	if !ended {
		o.t.Error("no outcome")
	}
	if a.ID != "do-1" || a.Exit != a.Verdict.Exit() {
		o.t.Errorf("outcome %q with verdict %s and exit %d", a.ID, a.Verdict, a.Exit)
	}
	return a
}

func (o *door) step(person string, step wire.Step, line string) answer {
	o.t.Helper()
	return o.do(person, wire.Do{Step: step, Action: o.encode(line)})
}

func (o *door) encode(line string) []byte {
	o.t.Helper()
	a, err := ParseLine(line)
	if err != nil {
		o.t.Fatal(err)
	}
	return Encode(a)
}

func (o *door) execute(person, line string, p *wire.Plan, typed int) answer {
	o.t.Helper()
	return o.do(person, wire.Do{Step: wire.StepExecute, Action: o.encode(line), Hash: p.Hash, Typed: typed})
}

// plan expects a plan.
func (o *door) plan(person, line string) *wire.Plan {
	o.t.Helper()
	a := o.step(person, wire.StepPlan, line)
	if a.plan == nil || a.Verdict != wire.Done {
		o.t.Fatalf("%s: no plan: %s %s", line, a.Verdict, a.text)
	}
	return a.plan
}

// carry plans and executes.
func (o *door) carry(person, line string) answer {
	o.t.Helper()
	p := o.plan(person, line)
	return o.execute(person, line, p, p.Count)
}

func wantVerdict(t testing.TB, a answer, v wire.Verdict, words ...string) {
	t.Helper()
	if a.Verdict != v {
		t.Errorf("verdict %s, want %s: %s", a.Verdict, v, a.text)
	}
	for _, w := range words {
		if !strings.Contains(a.text+string(a.Data), w) {
			t.Errorf("the answer does not say %q:\n%s\n%s", w, a.text, a.Data)
		}
	}
}
