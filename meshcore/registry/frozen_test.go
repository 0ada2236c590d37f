package registry_test

import (
	"slices"
	"testing"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// logOf is a log with orders, numbered from 1; "!" begins a thaw.
func logOf(t *testing.T, orders ...string) *registry.FreezeLog {
	t.Helper()
	log := registry.NewFreezeLog(smallMesh())
	extend(t, log, orders...)
	return log
}

func extend(t *testing.T, log *registry.FreezeLog, orders ...string) {
	t.Helper()
	for _, sel := range orders {
		o := wire.FreezeOrder{Seq: log.Latest() + 1, Selector: sel}
		if sel[0] == '!' {
			o.Selector, o.Thaw = sel[1:], true
		}
		if err := log.Append(o); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyAnOrderForWhoeverComesFreezesAll(t *testing.T) {
	for _, c := range []struct {
		name   string
		orders []string
		all    bool
		agents []string
	}{
		{"nothing", nil, false, nil},
		{"the mesh", []string{"mesh"}, true, nil},
		{"the sector", []string{"sector=1"}, true, nil},
		{"sectors by exclusion", []string{"sector!=2"}, true, nil},
		{"the cluster", []string{"cluster=1.4"}, true, nil},
		{"a class that all are of", []string{"class=E"}, false, []string{"a", "b"}},
		{"a host that all are on", []string{"host=pi"}, false, []string{"a", "b"}},
		{"one agent", []string{"agent=b"}, false, []string{"b"}},
		{"all but a class that is not there", []string{"mesh", "!class=A"}, false, []string{"a", "b"}},
		{"all but one", []string{"mesh", "!agent=a"}, false, []string{"b"}},
		{"and that one again", []string{"mesh", "!agent=a", "sector=1"}, true, nil},
		{"thawed", []string{"mesh", "!mesh"}, false, nil},
		{"another cluster thawed", []string{"mesh", "!cluster=1.2"}, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sectorOf(t, pi("a", "1.4.1", 0), pi("b", "1.4.2", 1))
			log := logOf(t, c.orders...)
			s.SetFrozen(log, nil)
			state := s.FrozenState(place("1.4"))
			if state.All != c.all || !slices.Equal(state.Agents, c.agents) {
				t.Errorf("got %+v", state)
			}
			for r := range s.Rows(place("1.4")) {
				if r.Frozen != state.Frozen(r.AgentID) {
					t.Errorf("%s: the flag is %v", r.AgentID, r.Frozen)
				}
			}
		})
	}
}

func TestWhoComesWhileFrozenIsFrozen(t *testing.T) {
	s := sectorOf(t, pi("a", "1.4.1", 0))
	s.SetFrozen(logOf(t, "class=E", "!agent=lucky"), nil)
	if err := s.Enrol([]wire.Enrolled{pi("b", "1.4.2", 1), pi("lucky", "1.4.3", 2)}); err != nil {
		t.Fatal(err)
	}
	if !s.Agent("b").Frozen || s.Agent("lucky").Frozen {
		t.Errorf("b %v, lucky %v", s.Agent("b").Frozen, s.Agent("lucky").Frozen)
	}
	if got := s.FrozenState(place("1.4")).Agents; !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("state names %v", got)
	}
}

func TestSetFrozenNamesTheClustersThatChanged(t *testing.T) {
	s := sectorOf(t, pi("a", "1.4.1", 0), pi("b", "1.2.1", 1))
	s.Blocks(noon)
	log := logOf(t, "cluster=1.4")
	if got := s.SetFrozen(log, nil); !slices.Equal(got, []wire.Address{place("1.4")}) {
		t.Fatalf("frozen: %v", got)
	}
	if blocks := s.Blocks(after(2)); len(blocks) != 1 || !blocks[0].Rows[0].Frozen {
		t.Fatalf("published: %v", blocks)
	}
	extend(t, log, "class=E") // covers a again and b newly
	if got := s.SetFrozen(log, nil); !slices.Equal(got, []wire.Address{place("1.2")}) {
		t.Fatalf("more frozen: %v", got)
	}
	if a, b := s.FrozenState(place("1.4")).Seq, s.FrozenState(place("1.2")).Seq; a != 1 || b != 2 {
		t.Errorf("sequences %d and %d", a, b)
	}
	extend(t, log, "!mesh")
	if got := s.SetFrozen(log, []wire.Address{place("1.2")}); !slices.Equal(got, []wire.Address{place("1.2")}) {
		t.Fatalf("only 1.2: %v", got)
	}
	if s.Agent("b").Frozen || !s.Agent("a").Frozen {
		t.Error("the wrong cluster was thawed")
	}
}
