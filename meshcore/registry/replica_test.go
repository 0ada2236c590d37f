package registry_test

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// picture is console.Picture, which this room may not import; a View must be one.
type picture interface {
	Topology() *wire.Topology
	Block(cluster wire.Address) *wire.Block
	Agent(id string) *wire.AgentImpedance
	Select(wire.Selector) iter.Seq[*wire.AgentImpedance]
	Stats() wire.GlobalStats
	Sector(n int) wire.SectorSummary
	Best(capability string, count int, maxImpedance float64) []*wire.AgentImpedance
}

var _ picture = (*registry.View)(nil)

// drawBlock makes a block of the small mesh with any rows that can be.
func drawBlock(t *rapid.T, epoch, rev uint64) *wire.Block {
	cluster := wire.Address{
		Sector:  rapid.IntRange(1, 2).Draw(t, "sector"),
		Cluster: rapid.IntRange(1, 5).Draw(t, "cluster"),
	}
	b := &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: cluster, Epoch: epoch, Rev: rev, At: after(float64(rev))}
	for seat := 1; seat <= 6; seat++ {
		if rapid.IntRange(0, 3).Draw(t, "empty") == 0 {
			continue
		}
		generation := rapid.IntRange(0, 1).Draw(t, "generation")
		b.Rows = append(b.Rows, wire.AgentImpedance{
			AgentID: fmt.Sprintf("a-%d-%d-%d-%d", cluster.Sector, cluster.Cluster, seat, generation),
			Class:   rapid.SampledFrom(wire.Classes[:]).Draw(t, "class"),
			Address: wire.Address{Sector: cluster.Sector, Cluster: cluster.Cluster, Seat: seat},
			Ordinal: cluster.Cluster*20 + seat*2 + generation,
			Host:    "pi",
			// few values, so that there are equals
			ImpedanceMS:  float64(rapid.IntRange(1, 5).Draw(t, "impedance")) * 100,
			State:        rapid.SampledFrom([]wire.OperationalState{wire.Active, wire.Active, wire.Degraded, wire.Offline, wire.Quarantined}).Draw(t, "state"),
			Frozen:       rapid.IntRange(0, 4).Draw(t, "frozen") == 0,
			Capabilities: rapid.SampledFrom([][]string{nil, {"vision"}, {"vision", "weather"}, {"weather"}}).Draw(t, "capabilities"),
		})
	}
	return b
}

// decoded is the block as it comes from the wire, with strings of its own.
func decoded(t interface{ Fatal(...any) }, b *wire.Block) *wire.Block {
	var out wire.Block
	if err := wire.Decode(wire.Encode(b), wire.TypeBlock, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// model is a replica made the slow way.
type model map[wire.Address]*wire.Block

func (m model) rows() (rows []*wire.AgentImpedance) {
	for _, b := range m {
		for i := range b.Rows {
			rows = append(rows, &b.Rows[i])
		}
	}
	slices.SortFunc(rows, func(a, b *wire.AgentImpedance) int { return a.Address.Compare(b.Address) })
	return rows
}

func (m model) best(capability string, count int, limit float64) (ids []string) {
	rows := slices.DeleteFunc(m.rows(), func(r *wire.AgentImpedance) bool {
		return r.State != wire.Active || r.Frozen || !slices.Contains(r.Capabilities, capability) || limit > 0 && r.ImpedanceMS > limit
	})
	slices.SortStableFunc(rows, func(a, b *wire.AgentImpedance) int { return cmp.Compare(a.ImpedanceMS, b.ImpedanceMS) })
	return names(slices.Values(rows[:min(count, len(rows))]))
}

func names(rows iter.Seq[*wire.AgentImpedance]) (ids []string) {
	for r := range rows {
		ids = append(ids, r.AgentID)
	}
	return ids
}

func TestAViewAnswersLikeASearchOfAllRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, m := registry.NewReplica(smallMesh()), model{}
		for rev := uint64(1); rev <= 12; rev++ {
			b := drawBlock(t, 1, rev)
			if !r.Apply(decoded(t, b)) {
				t.Fatal("a new block was refused")
			}
			m[b.Cluster] = b
			if rapid.Bool().Draw(t, "look") {
				agree(t, r.View(), m)
			}
		}
		agree(t, r.View(), m)
	})
}

func agree(t *rapid.T, v *registry.View, m model) {
	rows := m.rows()
	for _, s := range []string{"mesh", "sector=2", "cluster=1.4", "class=A|E", "state=frozen", "capability=weather", "impedance>300"} {
		sel, err := wire.ParseSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, r := range rows {
			if sel.Match(r) {
				want = append(want, r.AgentID)
			}
		}
		if got := names(v.Select(sel)); !slices.Equal(got, want) {
			t.Fatalf("select %s: got %v, want %v", s, got, want)
		}
	}
	for _, r := range rows {
		if got := v.Agent(r.AgentID); got == nil || got.Address != r.Address {
			t.Fatalf("%s is not found where it sits", r.AgentID)
		}
	}
	for _, c := range []string{"vision", "weather", "nothing"} {
		for _, count := range []int{0, 1, 3, 100} {
			for _, limit := range []float64{0, 250, 300} {
				if got, want := names(slices.Values(v.Best(c, count, limit))), m.best(c, count, limit); !slices.Equal(got, want) {
					t.Fatalf("best %d for %s up to %v ms: got %v, want %v", count, c, limit, got, want)
				}
			}
		}
	}
	stats := v.Stats()
	trend := 0
	for _, r := range v.TrendRows(noon) {
		trend += r.Agents
	}
	if stats.TotalAgents != len(rows) || trend != len(rows) {
		t.Fatalf("%d agents in the statistics, %d in trends, want %d", stats.TotalAgents, trend, len(rows))
	}
}

func TestOnlyNewerBlocksAreApplied(t *testing.T) {
	r := registry.NewReplica(smallMesh())
	block := func(cluster string, epoch, rev uint64, seats ...int) *wire.Block {
		b := &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: place(cluster), Epoch: epoch, Rev: rev}
		for _, seat := range seats {
			at := place(cluster)
			at.Seat = seat
			b.Rows = append(b.Rows, wire.AgentImpedance{AgentID: fmt.Sprintf("a-%d-%d", rev, seat), Class: wire.ClassEdge, Address: at})
		}
		return b
	}
	stray := block("1.4", 9, 9, 1)
	stray.Rows[0].Address = place("1.3.1")
	for _, c := range []struct {
		name string
		b    *wire.Block
		want bool
	}{
		{"the first", block("1.4", 2, 5, 1, 2), true},
		{"the same again", block("1.4", 2, 5, 1), false},
		{"overtaken", block("1.4", 2, 4, 1), false},
		{"of an earlier core", block("1.4", 1, 99, 1), false},
		{"newer", block("1.4", 2, 6, 1, 3), true},
		{"of a later core", block("1.4", 3, 1, 1), true},
		{"of another cluster", block("1.5", 2, 1, 1), true},
		{"of a cluster that is not there", block("1.6", 9, 9, 1), false},
		{"of a whole sector", block("2", 9, 9), false},
		{"with a seat twice", block("1.4", 9, 9, 2, 2), false},
		{"with seats in disorder", block("1.4", 9, 9, 2, 1), false},
		{"with another cluster's row", stray, false},
	} {
		if got := r.Apply(c.b); got != c.want {
			t.Errorf("%s: applied %v, want %v", c.name, got, c.want)
		}
	}
	if v := r.View(); v.Agent("a-6-3") != nil || v.Agent("a-1-1") == nil {
		t.Error("the view is not of the latest blocks")
	}
}

func TestAViewDoesNotChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := registry.NewReplica(smallMesh())
		for rev := uint64(1); rev <= 5; rev++ {
			r.Apply(drawBlock(t, 1, rev))
		}
		v := r.View()
		before := contents(v)
		for rev := uint64(6); rev <= 12; rev++ {
			r.Apply(drawBlock(t, 1, rev))
			if rapid.Bool().Draw(t, "look") {
				r.View()
			}
		}
		if after := contents(v); !reflect.DeepEqual(before, after) {
			t.Fatalf("before %+v\nafter %+v", before, after)
		}
	})
}

// contents is all that a view says.
func contents(v *registry.View) map[string]any {
	all := map[string]any{"stats": v.Stats(), "trends": v.TrendRows(noon)}
	for s := 1; s <= 2; s++ {
		all[fmt.Sprint("sector ", s)] = v.Sector(s)
		for c := 1; c <= 5; c++ {
			for seat := 1; seat <= 6; seat++ {
				for g := range 2 {
					id := fmt.Sprintf("a-%d-%d-%d-%d", s, c, seat, g)
					if r := v.Agent(id); r != nil {
						all[id] = *r
					}
				}
			}
		}
	}
	for _, c := range []string{"vision", "weather"} {
		all[c] = names(slices.Values(v.Best(c, 100, 0)))
	}
	return all
}

func TestTheSameViewIsGivenUntilSomethingChanges(t *testing.T) {
	s, r := sectorOf(t, pi("a", "1.4.1", 0)), registry.NewReplica(smallMesh())
	for _, b := range s.Blocks(noon) {
		r.Apply(b)
	}
	v := r.View()
	if r.View() != v {
		t.Error("two views of one state")
	}
	s.Beat(after(5), beatOf("1.4", "a"))
	for _, b := range s.Blocks(after(5)) {
		r.Apply(b)
	}
	if r.View() == v || r.View().Agent("a").State != wire.Active || v.Agent("a").State != wire.Offline {
		t.Error("the change is not in the new view, or in the old one")
	}
}

// Views are read from all sides while blocks come in; the race detector judges.
func TestViewsAreReadWhileTheReplicaIsWritten(t *testing.T) {
	sectors := full(t, smallMesh())
	s, r := registry.NewSector(1, smallMesh(), 1), registry.NewReplica(smallMesh())
	if err := s.Enrol(sectors[0]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		now := after(float64(5 * i))
		for a := range s.Clusters() {
			hb := beatOf(a.String())
			hb.Host = "sim-1"
			for row := range s.Rows(a) {
				hb.Agents = append(hb.Agents, wire.Beat{AgentID: row.AgentID, ProcessingMS: float64(i % 7), Samples: 1})
			}
			s.Beat(now, hb)
		}
		learned := sectors[0][7]
		learned.Capabilities = []string{"routing", fmt.Sprintf("skill_%d", i)}
		if err := s.Enrol([]wire.Enrolled{learned}); err != nil {
			t.Fatal(err)
		}
		for _, b := range s.Blocks(now) {
			r.Apply(b)
		}
		v := r.View()
		wg.Go(func() {
			if got := v.Stats().ActiveAgents; got != len(sectors[0]) {
				t.Errorf("%d active, want %d", got, len(sectors[0]))
			}
			if v.Agent(sectors[0][0].AgentID) == nil || len(v.Best("routing", 5, 0)) != 5 {
				t.Error("an agent is missing")
			}
			if got := v.Best(fmt.Sprintf("skill_%d", i), 5, 0); len(got) != 1 || v.Best(fmt.Sprintf("skill_%d", i+1), 5, 0) != nil {
				t.Errorf("a new skill: %d agents", len(got))
			}
			for range v.Select(wire.Selector{}) {
			}
		})
	}
	wg.Wait()
}

func TestTheViewSumsUpLikeTheSector(t *testing.T) {
	s, r := sectorOf(t, pi("a", "1.4.1", 0), pi("b", "1.4.2", 1), pi("c", "1.2.1", 2)), registry.NewReplica(smallMesh())
	s.Beat(noon, beatOf("1.4", "a", "b"))
	for _, b := range s.Blocks(after(1)) {
		r.Apply(decoded(t, b))
	}
	want, got := s.Summary(after(1)), r.View().Sector(1)
	want.Counters = wire.ShardCounters{} // a picture has none
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	stats := r.View().Stats()
	if stats.Mesh != "test" || stats.TotalAgents != 3 || stats.ActiveAgents != 2 || !stats.Timestamp.Equal(after(1)) {
		t.Errorf("stats %+v", stats)
	}
	rows := r.View().TrendRows(after(61.5))
	if len(rows) != 2 || rows[1].Cluster != place("1.4") || rows[1].Active != 2 || !rows[1].Minute.Equal(noon.Add(time.Minute)) {
		t.Errorf("trend %+v", rows)
	}
}

func TestRepeatedStringsAreKeptOnce(t *testing.T) {
	r := registry.NewReplica(smallMesh())
	labels := map[string]string{"region": "eu"}
	for rev, cluster := range []string{"1.1", "1.2", "1.1"} {
		b := &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: place(cluster), Epoch: 1, Rev: uint64(rev + 1)}
		for seat := 1; seat <= 2; seat++ {
			at := b.Cluster
			at.Seat = seat
			b.Rows = append(b.Rows, wire.AgentImpedance{
				AgentID: fmt.Sprintf("a-%s-%d", cluster[2:], seat), Class: wire.ClassEdge, Address: at, Host: "pi",
				Capabilities: []string{"vision", "weather"}, Labels: labels, ContextHash: "abc",
			})
		}
		r.Apply(decoded(t, b))
	}
	v := r.View()
	first := v.Agent("a-1-1")
	for _, id := range []string{"a-1-2", "a-2-1", "a-2-2"} {
		other := v.Agent(id)
		if &first.Capabilities[0] != &other.Capabilities[0] {
			t.Errorf("%s has a list of capabilities of its own", id)
		}
		if reflect.ValueOf(first.Labels).Pointer() != reflect.ValueOf(other.Labels).Pointer() || !maps.Equal(other.Labels, labels) {
			t.Errorf("%s has labels of its own", id)
		}
	}
}

func TestAnAgentThatMovesIsFoundInItsNewSeat(t *testing.T) {
	block := func(cluster string, rev uint64, seats ...wire.AgentImpedance) *wire.Block {
		return &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: place(cluster), Epoch: 1, Rev: rev, Rows: seats}
	}
	at := func(seat string) wire.AgentImpedance {
		return wire.AgentImpedance{AgentID: "mover", Class: wire.ClassEdge, Address: place(seat)}
	}
	for _, c := range []struct {
		name  string
		order []*wire.Block
	}{
		{"it comes before it goes", []*wire.Block{block("1.1", 1, at("1.1.1")), block("2.4", 1, at("2.4.6")), block("1.1", 2)}},
		{"it goes before it comes", []*wire.Block{block("1.1", 1, at("1.1.1")), block("1.1", 2), block("2.4", 1, at("2.4.6"))}},
	} {
		r := registry.NewReplica(smallMesh())
		for _, b := range c.order {
			r.Apply(b)
		}
		if row := r.View().Agent("mover"); row == nil || row.Address != place("2.4.6") {
			t.Errorf("%s: found %v", c.name, row)
		}
	}
}
