package registry_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// row is an agent as the log sees it.
func row(id, seat string, ordinal int, class wire.Class) *wire.AgentImpedance {
	return &wire.AgentImpedance{AgentID: id, Address: place(seat), Ordinal: ordinal, Class: class, Host: "pi", State: wire.Active}
}

func TestTheLatestOrderThatCoversAnAgentDecides(t *testing.T) {
	resolved := wire.Targets{{Sector: 1, Agents: wire.Bits{1 << 5}}}
	freeze := func(seq uint64, sel string) wire.FreezeOrder { return wire.FreezeOrder{Seq: seq, Selector: sel} }
	thaw := func(seq uint64, sel string) wire.FreezeOrder {
		return wire.FreezeOrder{Seq: seq, Selector: sel, Thaw: true}
	}
	undo := func(seq, undoes uint64) wire.FreezeOrder { return wire.FreezeOrder{Seq: seq, Undoes: undoes} }
	agent := row("a", "1.4.2", 5, wire.ClassLocal)
	for _, c := range []struct {
		name   string
		orders []wire.FreezeOrder
		frozen bool
		by     uint64
	}{
		{"no order", nil, false, 0},
		{"the mesh", []wire.FreezeOrder{freeze(1, "mesh")}, true, 1},
		{"another sector", []wire.FreezeOrder{freeze(1, "sector=2")}, false, 0},
		{"thawed", []wire.FreezeOrder{freeze(1, "mesh"), thaw(2, "class=E")}, false, 2},
		{"others thawed", []wire.FreezeOrder{freeze(1, "mesh"), thaw(2, "class=A")}, true, 1},
		{"frozen again", []wire.FreezeOrder{freeze(1, "mesh"), thaw(2, "mesh"), freeze(3, "agent=a")}, true, 3},
		{"undone", []wire.FreezeOrder{freeze(1, "mesh"), undo(2, 1)}, false, 0},
		{"a thaw undone", []wire.FreezeOrder{freeze(1, "mesh"), thaw(2, "sector=1"), undo(3, 2)}, true, 1},
		{"undone, but covered later", []wire.FreezeOrder{freeze(1, "sector=1"), freeze(2, "mesh"), undo(3, 1)}, true, 2},
		{"the undo undone", []wire.FreezeOrder{freeze(1, "mesh"), undo(2, 1), undo(3, 2)}, true, 1},
		{"that undone too", []wire.FreezeOrder{freeze(1, "mesh"), undo(2, 1), undo(3, 2), undo(4, 3)}, false, 0},
		{"resolved: in", []wire.FreezeOrder{{Seq: 1, Selector: "state=degraded", Resolved: resolved}}, true, 1},
		{"resolved: not in", []wire.FreezeOrder{{Seq: 1, Selector: "state=active", Resolved: wire.Targets{{Sector: 2, Agents: wire.Bits{1 << 5}}}}}, false, 0},
		{"resolved to nobody", []wire.FreezeOrder{{Seq: 1, Selector: "state=active"}}, false, 0},
		{"appended twice", []wire.FreezeOrder{freeze(1, "mesh"), thaw(2, "mesh"), freeze(1, "mesh")}, false, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := registry.NewFreezeLog(smallMesh())
			for _, o := range c.orders {
				if err := log.Append(o); err != nil {
					t.Fatal(err)
				}
			}
			if frozen, by := log.Frozen(agent); frozen != c.frozen || by != c.by {
				t.Errorf("got %v by %d, want %v by %d", frozen, by, c.frozen, c.by)
			}
		})
	}
}

func TestOrdersThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		o    wire.FreezeOrder
	}{
		{"no sequence", wire.FreezeOrder{Selector: "mesh"}},
		{"not readable", wire.FreezeOrder{Seq: 9, Selector: "sector=="}},
		{"a sector that is not there", wire.FreezeOrder{Seq: 9, Selector: "sector=77"}},
		{"undoes nothing", wire.FreezeOrder{Seq: 9, Undoes: 4}},
	} {
		log := registry.NewFreezeLog(smallMesh())
		if err := log.Append(c.o); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if log.Latest() != 0 || len(log.Orders()) != 0 {
			t.Errorf("%s: it was appended", c.name)
		}
	}
}

// drawOrder makes an order that may be anything but malformed.
func drawOrder(t *rapid.T, seq uint64, undoable []uint64) wire.FreezeOrder {
	o := wire.FreezeOrder{Seq: seq, Thaw: rapid.Bool().Draw(t, "thaw")}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		if len(undoable) > 0 {
			return wire.FreezeOrder{Seq: seq, Undoes: rapid.SampledFrom(undoable).Draw(t, "undoes")}
		}
		o.Selector = "mesh"
	case 1:
		o.Selector = "state=active"
		var set wire.Bits
		for range rapid.IntRange(0, 3).Draw(t, "resolved") {
			set.Add(rapid.IntRange(0, 5).Draw(t, "ordinal"))
		}
		if !set.Empty() {
			o.Resolved = wire.Targets{{Sector: 1, Agents: set}}
		}
	default:
		o.Selector = rapid.SampledFrom([]string{"mesh", "sector=1", "sector=2", "cluster=1.4", "class=E", "class=A", "agent=a2", "sector=1,class=E"}).Draw(t, "selector")
	}
	return o
}

// herd are agents that the properties ask about.
func herd() (rows []*wire.AgentImpedance) {
	for i := range 6 {
		class := wire.ClassLocal
		if i%2 == 1 {
			class = wire.ClassEdge
		}
		rows = append(rows, row(fmt.Sprintf("a%d", i), fmt.Sprintf("1.%d.%d", 3+i/3, i+1), i, class))
	}
	return rows
}

func TestUndoPutsBackWhatWasBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, rows := registry.NewFreezeLog(smallMesh()), herd()
		n := uint64(rapid.IntRange(0, 8).Draw(t, "orders"))
		for seq := uint64(1); seq <= n; seq++ {
			if err := log.Append(drawOrder(t, seq, nil)); err != nil {
				t.Fatal(err)
			}
		}
		before := answers(log, rows)
		for _, o := range []wire.FreezeOrder{drawOrder(t, n+1, nil), {Seq: n + 2, Undoes: n + 1}} {
			if err := log.Append(o); err != nil {
				t.Fatal(err)
			}
		}
		if after := answers(log, rows); !slices.Equal(before, after) {
			t.Fatalf("before %v, after undo %v", before, after)
		}
	})
}

func answers(log *registry.FreezeLog, rows []*wire.AgentImpedance) (all []bool) {
	for _, r := range rows {
		frozen, _ := log.Frozen(r)
		all = append(all, frozen)
	}
	return all
}

// A log that is compacted now and then answers like one that is not, whatever
// is frozen, thawed and undone above the horizon.
func TestCompactionChangesNoAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, compact, rows := registry.NewFreezeLog(smallMesh()), registry.NewFreezeLog(smallMesh()), herd()
		horizon := uint64(0)
		for seq := uint64(1); seq <= 20; seq++ {
			var undoable []uint64
			for s := max(horizon, 1); s < seq; s++ {
				undoable = append(undoable, s)
			}
			o := drawOrder(t, seq, undoable)
			for _, log := range []*registry.FreezeLog{whole, compact} {
				if err := log.Append(o); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.IntRange(0, 4).Draw(t, "compact") == 0 {
				horizon = max(horizon, uint64(rapid.IntRange(0, int(seq)+1).Draw(t, "horizon")))
				compact.Compact(horizon)
			}
			if a, b := answers(whole, rows), answers(compact, rows); !slices.Equal(a, b) {
				t.Fatalf("after order %d: whole %v, compacted %v", seq, a, b)
			}
		}
		if whole.Latest() != compact.Latest() {
			t.Fatal("compaction changed the latest sequence")
		}
	})
}

func TestAThousandFreezesAndThawsCompactToNothing(t *testing.T) {
	log := registry.NewFreezeLog(smallMesh())
	for seq := uint64(1); seq <= 2000; seq++ {
		sel := []string{"mesh", "sector=1", "class=E"}[seq/2%3]
		if err := log.Append(wire.FreezeOrder{Seq: seq, Selector: sel, Thaw: seq%2 == 0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Append(wire.FreezeOrder{Seq: 2001, Selector: "mesh", Thaw: true}); err != nil {
		t.Fatal(err)
	}
	if log.Compact(3000); len(log.Orders()) != 0 {
		t.Errorf("%d orders are kept", len(log.Orders()))
	}
	if log.Latest() != 2001 {
		t.Errorf("latest is %d", log.Latest())
	}
}
