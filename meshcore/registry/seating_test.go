package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// join asks for n agents of a class.
func join(host string, class wire.Class, n int) *wire.Join {
	return &wire.Join{Mesh: "test", Host: host, Agents: []wire.AgentSpec{{Class: class, Count: n}}}
}

func codeOf(err error) wire.Code {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestThirtyThousandAtOnceFillTheDefaultMesh(t *testing.T) {
	topo := registry.DefaultTopology("mesh", 100, 10, 30)
	s := registry.NewSeating(&topo)
	all := &wire.Join{Host: "fleet", Sim: true}
	for _, c := range wire.Classes {
		all.Agents = append(all.Agents, wire.AgentSpec{Class: c, Count: c.Allocation()})
	}
	agents, err := s.Take(all)
	if err != nil {
		t.Fatal(err)
	}
	sits := map[wire.Address]map[wire.Class]int{}
	seats, ids := map[wire.Address]bool{}, map[string]bool{}
	for _, e := range agents {
		at := e.Address.InCluster()
		if sits[at] == nil {
			sits[at] = map[wire.Class]int{}
		}
		sits[at][e.Class]++
		seats[e.Address], ids[e.AgentID] = true, true
	}
	for a := range topo.Clusters {
		plan := topo.Sectors[a.Sector-1].Clusters[a.Cluster-1].Seats
		for c, n := range plan {
			if sits[a][c] != n {
				t.Fatalf("cluster %s has %d of class %s, planned are %d", a, sits[a][c], c, n)
			}
		}
	}
	if len(agents) != 30_000 || len(seats) != 30_000 || len(ids) != 30_000 || s.Taken() != 30_000 {
		t.Errorf("%d agents in %d seats with %d names", len(agents), len(seats), len(ids))
	}
}

func TestTheLeadWithMostFreePlacesTakesTheAgent(t *testing.T) {
	topo := wire.Topology{Mesh: "test", Sectors: []wire.SectorPlan{
		{Clusters: []wire.ClusterPlan{{Seats: map[wire.Class]int{'A': 2}}, {Seats: map[wire.Class]int{'A': 3, 'E': 1}}}},
		{Clusters: []wire.ClusterPlan{{Seats: map[wire.Class]int{'A': 3}}}},
	}}
	s := registry.NewSeating(&topo)
	for i, want := range []string{"1.2.1", "2.1.1", "1.1.1", "1.2.2", "2.1.2", "1.1.2", "1.2.3", "2.1.3"} {
		agents, err := s.Take(join("pi", 'A', 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := agents[0].Address.String(); got != want {
			t.Fatalf("agent %d sits at %s, want %s", i+1, got, want)
		}
	}
	// No place of class A is free: clusters grow, most room first. One of 1.2's
	// hundred is kept for its E.
	for i, want := range []string{"1.1.3", "1.1.4", "2.1.4"} {
		agents, err := s.Take(join("pi", 'A', 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := agents[0].Address.String(); got != want {
			t.Errorf("growing by %d: %s, want %s", i+1, got, want)
		}
	}
	if _, err := s.Take(join("pi", 'A', 300-1-11+1)); codeOf(err) != wire.CodeFull {
		t.Errorf("one too many: got %v", err)
	}
	if agents, err := s.Take(join("pi", 'A', 300-1-11)); err != nil || len(agents) != 288 {
		t.Errorf("all that is left: %d, %v", len(agents), err)
	}
	agents, err := s.Take(join("pi", 'E', 1))
	if err != nil || agents[0].Address.InCluster() != place("1.2") {
		t.Errorf("the place kept for class E: %v, %v", agents, err)
	}
	if _, err := s.Take(join("pi", 'E', 1)); codeOf(err) != wire.CodeFull {
		t.Errorf("a full mesh: got %v", err)
	}
}

func TestARefusedJoinTakesNothing(t *testing.T) {
	s := registry.NewSeating(smallMesh())
	named := func(ids ...string) *wire.Join {
		j := &wire.Join{Host: "pi"}
		for _, id := range ids {
			j.Agents = append(j.Agents, wire.AgentSpec{AgentID: id, Class: 'E'})
		}
		return j
	}
	if _, err := s.Take(named("pi-kitchen")); err != nil {
		t.Fatal(err)
	}
	far := join("pi", 'E', 1)
	far.Sector = 3
	for _, c := range []struct {
		name string
		j    *wire.Join
		code wire.Code
	}{
		{"a name that is taken", named("pi-attic", "pi-kitchen"), wire.CodeDuplicate},
		{"a name twice", named("pi-attic", "pi-attic"), wire.CodeDuplicate},
		{"too many", join("pi", 'A', 1001), wire.CodeFull},
		{"a sector that is not there", far, wire.CodeUnknownTarget},
		{"names that grow too long", join(strings.Repeat("x", 62), 'E', 1), wire.CodeBadMessage},
	} {
		if _, err := s.Take(c.j); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want code %s", c.name, err, c.code)
		}
		if s.Taken() != 1 || s.Knows("pi-attic") {
			t.Fatalf("%s: something was taken", c.name)
		}
	}
	agents, err := s.Take(named("pi-attic"))
	if err != nil || agents[0].Ordinal != 1 && agents[0].Ordinal != 0 {
		t.Errorf("afterwards: %v, %v", agents, err)
	}
}

func TestAgentsGetWhatTheyDoNotBring(t *testing.T) {
	s := registry.NewSeating(smallMesh())
	j := &wire.Join{Host: "pi", Labels: map[string]string{"room": "attic"}, Agents: []wire.AgentSpec{
		{Class: 'A'},
		{Class: 'F'},
		{Class: 'D'},
		{AgentID: "pi-2", Class: 'E', Capabilities: []string{"weather"}, Hold: wire.HoldNone},
	}}
	agents, err := s.Take(j)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]wire.Enrolled{}
	for _, e := range agents {
		byName[e.AgentID] = e
		if e.Host != "pi" || e.Labels["room"] != "attic" {
			t.Errorf("%s: %+v", e.AgentID, e)
		}
	}
	for _, c := range []struct {
		id         string
		class      wire.Class
		hold       wire.Hold
		capability string
	}{
		{"pi-1", 'A', wire.HoldGateway, "routing"},
		{"pi-3", 'F', wire.HoldNone, "oversight"}, // pi-2 is named by hand
		{"pi-4", 'D', wire.HoldSelf, "vision"},
		{"pi-2", 'E', wire.HoldNone, "weather"},
	} {
		e := byName[c.id]
		if e.Class != c.class || e.Hold != c.hold || !slices.Contains(e.Capabilities, c.capability) {
			t.Errorf("%s: %+v", c.id, e)
		}
	}
}

func TestASectorsJoinStaysInItsSector(t *testing.T) {
	s := registry.NewSeating(smallMesh())
	j := join("pi", 'E', 20) // more than sector 2 has planned for E
	j.Sector = 2
	agents, err := s.Take(j)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range agents {
		if e.Address.Sector != 2 {
			t.Errorf("%s sits at %s", e.AgentID, e.Address)
		}
	}
}

// After a restart, nothing that was given is given again.
func TestRestoreGivesNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topo := registry.DefaultTopology("test", 2, 4, 5)
		s := registry.NewSeating(&topo)
		var facts []wire.Enrolled
		type ordinal struct{ sector, n int }
		names, seats, ordinals := map[string]bool{}, map[wire.Address]bool{}, map[ordinal]bool{}
		for range rapid.IntRange(1, 10).Draw(t, "joins") {
			if rapid.Bool().Draw(t, "restart") {
				s = registry.NewSeating(&topo)
				if err := s.Restore(facts); err != nil {
					t.Fatal(err)
				}
			}
			j := join(rapid.SampledFrom([]string{"pi", "pi-1", "vps"}).Draw(t, "host"),
				rapid.SampledFrom(wire.Classes[:]).Draw(t, "class"), rapid.IntRange(1, 12).Draw(t, "count"))
			j.Sector = rapid.IntRange(0, 2).Draw(t, "sector")
			agents, err := s.Take(j)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range agents {
				key := ordinal{e.Address.Sector, e.Ordinal}
				if names[e.AgentID] || seats[e.Address] || ordinals[key] {
					t.Fatalf("given twice: %+v", e)
				}
				names[e.AgentID], seats[e.Address], ordinals[key] = true, true, true
			}
			facts = append(facts, agents...)
		}
		if s.Taken() != len(facts) {
			t.Fatalf("%d seats are taken, %d were given", s.Taken(), len(facts))
		}
	})
}

func TestRestoreRefusesPlacesThatAreNotThere(t *testing.T) {
	for _, seat := range []string{"3.1.1", "1.6.1", "1.1.101", "1.1"} {
		e := wire.Enrolled{AgentID: "a", Class: 'E', Address: place(seat), Host: "pi"}
		if err := registry.NewSeating(smallMesh()).Restore([]wire.Enrolled{e}); codeOf(err) != wire.CodeUnknownTarget {
			t.Errorf("%s: got %v", seat, err)
		}
	}
}

func TestAReplacementLeavesOneInTheSeat(t *testing.T) {
	s := registry.NewSeating(smallMesh())
	if err := s.Restore([]wire.Enrolled{pi("first", "1.4.1", 0), pi("second", "1.4.1", 1)}); err != nil {
		t.Fatal(err)
	}
	if s.Taken() != 1 || !s.Knows("first") || !s.Knows("second") {
		t.Errorf("%d taken", s.Taken())
	}
	if err := s.Restore([]wire.Enrolled{pi("third", "1.4.2", 41)}); err != nil {
		t.Fatal(err)
	}
	j := join("pi", 'E', 1)
	j.Sector = 1
	if agents, err := s.Take(j); err != nil || agents[0].Ordinal != 42 {
		t.Errorf("the ordinal after 41: %v, %v", agents, err)
	}
}

func ExampleSeating_Take() {
	topo := registry.DefaultTopology("home", 1, 4, 6)
	s := registry.NewSeating(&topo)
	agents, err := s.Take(&wire.Join{Mesh: "home", Host: "pi-kitchen", Agents: []wire.AgentSpec{{Class: wire.ClassLocal, Count: 2}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range agents {
		fmt.Println(a.AgentID, a.Address, a.Hold)
	}
	// Output:
	// pi-kitchen-1 1.4.1 self
	// pi-kitchen-2 1.4.2 self
}

func TestWhatWasGivenBackIsFreeAgain(t *testing.T) {
	s := registry.NewSeating(smallMesh())
	j := &wire.Join{Host: "pi", Agents: []wire.AgentSpec{{AgentID: "pi-kitchen", Class: 'E'}}}
	first, err := s.Take(j)
	if err != nil {
		t.Fatal(err)
	}
	s.GiveBack(first)
	if s.Taken() != 0 || s.Knows("pi-kitchen") {
		t.Errorf("%d seats are taken", s.Taken())
	}
	second, err := s.Take(j)
	if err != nil || second[0].Address != first[0].Address || second[0].Ordinal == first[0].Ordinal {
		t.Errorf("taken again: %v, %v", second, err)
	}
}
