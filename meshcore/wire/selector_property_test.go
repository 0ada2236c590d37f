package wire

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// smallMesh has five sectors of three clusters; some have names.
func smallMesh() *Topology {
	t := &Topology{Mesh: "small"}
	for s := 1; s <= 5; s++ {
		plan := SectorPlan{}
		for c := 1; c <= 3; c++ {
			plan.Clusters = append(plan.Clusters, ClusterPlan{Seats: map[Class]int{ClassLocal: 4}})
		}
		t.Sectors = append(t.Sectors, plan)
	}
	t.Sectors[1].Name, t.Sectors[3].Name = "north", "south"
	t.Sectors[1].Clusters[0].Name, t.Sectors[4].Clusters[2].Name = "lab", "attic"
	return t
}

// asked is a condition as a person thinks of it: what it holds for is asked of
// each row plainly, without any of the selector's own code.
type asked struct {
	text  string
	holds func(*AgentImpedance) bool
}

func drawAsked(t *rapid.T) asked {
	fields := []struct {
		key  string
		item func() (string, func(*AgentImpedance) bool)
	}{
		{"sector", func() (string, func(*AgentImpedance) bool) { return drawSector(t) }},
		{"cluster", func() (string, func(*AgentImpedance) bool) { return drawCluster(t) }},
		{"agent", func() (string, func(*AgentImpedance) bool) { return drawAgent(t) }},
		{"host", func() (string, func(*AgentImpedance) bool) {
			h := rapid.SampledFrom([]string{"pi", "box", "rack"}).Draw(t, "host")
			return h, func(r *AgentImpedance) bool { return r.Host == h }
		}},
		{"class", func() (string, func(*AgentImpedance) bool) {
			c := rapid.SampledFrom(Classes[:]).Draw(t, "class")
			return c.String(), func(r *AgentImpedance) bool { return r.Class == c }
		}},
		{"state", func() (string, func(*AgentImpedance) bool) {
			s := rapid.SampledFrom(stateNames[:]).Draw(t, "state")
			return s, func(r *AgentImpedance) bool {
				switch s {
				case "active":
					return r.State.Heard()
				case "unstable":
					return r.Unstable
				case "frozen":
					return r.Frozen
				}
				return string(r.State) == s
			}
		}},
		{"capability", func() (string, func(*AgentImpedance) bool) {
			c := rapid.SampledFrom([]string{"vision", "training", "oversight"}).Draw(t, "capability")
			return c, func(r *AgentImpedance) bool { return slices.Contains(r.Capabilities, c) }
		}},
		{"label.region", func() (string, func(*AgentImpedance) bool) {
			v := rapid.SampledFrom([]string{"eu", "us", "1-3"}).Draw(t, "label")
			return v, func(r *AgentImpedance) bool { return r.Labels["region"] == v }
		}},
	}
	n := rapid.IntRange(0, len(fields)).Draw(t, "field")
	if n == len(fields) {
		return drawImpedance(t)
	}
	not := rapid.Bool().Draw(t, "not")
	var items []string
	var ones []func(*AgentImpedance) bool
	for range rapid.IntRange(1, 4).Draw(t, "items") {
		text, holds := fields[n].item()
		items, ones = append(items, text), append(ones, holds)
	}
	op := "="
	if not {
		op = "!="
	}
	return asked{
		fields[n].key + op + strings.Join(items, "|"),
		func(r *AgentImpedance) bool {
			return slices.ContainsFunc(ones, func(holds func(*AgentImpedance) bool) bool { return holds(r) }) != not
		},
	}
}

func drawSector(t *rapid.T) (string, func(*AgentImpedance) bool) {
	switch n := rapid.IntRange(1, 5).Draw(t, "sector"); rapid.IntRange(0, 2).Draw(t, "spelling") {
	case 0:
		return "north", func(r *AgentImpedance) bool { return r.Address.Sector == 2 }
	case 1:
		high := rapid.IntRange(n, 5).Draw(t, "to")
		return fmt.Sprintf("%d-%d", n, high), func(r *AgentImpedance) bool { return n <= r.Address.Sector && r.Address.Sector <= high }
	default:
		return strconv.Itoa(n), func(r *AgentImpedance) bool { return r.Address.Sector == n }
	}
}

func drawCluster(t *rapid.T) (string, func(*AgentImpedance) bool) {
	if rapid.IntRange(0, 3).Draw(t, "spelling") == 0 {
		return "attic", func(r *AgentImpedance) bool { return r.Address.InCluster() == Address{5, 3, 0} }
	}
	a := Address{rapid.IntRange(1, 5).Draw(t, "sector"), rapid.IntRange(1, 3).Draw(t, "cluster"), 0}
	return a.String(), func(r *AgentImpedance) bool { return r.Address.InCluster() == a }
}

func drawAgent(t *rapid.T) (string, func(*AgentImpedance) bool) {
	a := Address{rapid.IntRange(1, 5).Draw(t, "sector"), rapid.IntRange(1, 3).Draw(t, "cluster"), rapid.IntRange(1, 4).Draw(t, "seat")}
	if rapid.Bool().Draw(t, "by id") {
		id := idAt(a)
		return id, func(r *AgentImpedance) bool { return r.AgentID == id }
	}
	return a.String(), func(r *AgentImpedance) bool { return r.Address == a }
}

func drawImpedance(t *rapid.T) asked {
	bound := float64(rapid.IntRange(0, 1000).Draw(t, "bound"))
	if rapid.Bool().Draw(t, "above") {
		return asked{fmt.Sprintf("impedance>%v", bound), func(r *AgentImpedance) bool { return r.ImpedanceMS > bound }}
	}
	return asked{fmt.Sprintf("impedance<%v", bound), func(r *AgentImpedance) bool { return r.ImpedanceMS < bound }}
}

func idAt(a Address) string { return "agent-" + strings.ReplaceAll(a.String(), ".", "-") }

// smallRows fills smallMesh's sixty seats with agents of every kind.
func smallRows(seed uint64) (rows []AgentImpedance) {
	rng := rand.New(rand.NewPCG(seed, 1))
	hosts, labels := []string{"pi", "box", "rack"}, []string{"eu", "us", "1-3", ""}
	for at := range smallMesh().Clusters {
		for seat := 1; seat <= 4; seat++ {
			at.Seat = seat
			r := AgentImpedance{
				AgentID: idAt(at), Address: at, Class: Classes[rng.IntN(6)], Host: hosts[rng.IntN(3)],
				State:    []OperationalState{Active, Degraded, Offline, Quarantined}[rng.IntN(4)],
				Unstable: rng.IntN(3) == 0, Frozen: rng.IntN(3) == 0, ImpedanceMS: float64(rng.IntN(1000)),
			}
			for _, c := range []string{"vision", "training", "oversight"} {
				if rng.IntN(2) == 0 {
					r.Capabilities = append(r.Capabilities, c)
				}
			}
			if v := labels[rng.IntN(4)]; v != "" {
				r.Labels = map[string]string{"region": v}
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// However conditions are joined, shortened, turned round or nested, the target
// selects exactly the agents for which every condition holds as it was written.
func TestSelectorSelectsWhatWasAsked(t *testing.T) {
	mesh := smallMesh()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawAsked), 1, 6).Draw(t, "conditions")
		parts := make([]string, len(all))
		for i, a := range all {
			parts[i] = a.text
		}
		text := strings.Join(parts, ",")
		parsed, err := ParseSelector(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		resolved, err := parsed.Resolve(mesh)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := ParseSelector(resolved.String())
		if err != nil {
			t.Fatalf("%q: resolved as %q: %v", text, resolved, err)
		}
		if again, err = again.Resolve(mesh); err != nil || again.String() != resolved.String() {
			t.Fatalf("%q: resolved as %q, then as %q, %v", text, resolved, again, err)
		}
		places := resolved.Places(mesh)
		for _, r := range smallRows(rapid.Uint64().Draw(t, "rows")) {
			want := !slices.ContainsFunc(all, func(a asked) bool { return !a.holds(&r) })
			if got := resolved.Match(&r); got != want {
				t.Fatalf("%q (canonical %q, resolved %q): selects %+v: %t, want %t", text, parsed, resolved, r, got, want)
			}
			if want && places != nil && !slices.Contains(places, r.Address.Sector) {
				t.Fatalf("%q: %s is selected, but Places says %v", text, r.Address, places)
			}
		}
	})
}

// The canonical form reads back as itself, and does not depend on the order in
// which conditions and values were written.
func TestSelectorCanonicalFormIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for _, a := range rapid.SliceOfN(rapid.Custom(drawAsked), 1, 6).Draw(t, "conditions") {
			parts = append(parts, a.text)
		}
		first, err := ParseSelector(strings.Join(parts, ","))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSelector(first.String())
		if err != nil || again.String() != first.String() {
			t.Fatalf("%q reads as %q, %v", first, again, err)
		}
		for i, part := range parts {
			if key, list, ok := strings.Cut(part, "="); ok {
				items := strings.Split(list, "|")
				slices.Reverse(items)
				parts[i] = key + "=" + strings.Join(items, "|")
			}
		}
		shuffled := rapid.Permutation(parts).Draw(t, "order")
		other, err := ParseSelector(strings.Join(append(shuffled, shuffled[0]), ","))
		if err != nil || other.String() != first.String() {
			t.Fatalf("%v is %q, in the order %v it is %q, %v", parts, first, shuffled, other, err)
		}
	})
}

// In a mesh whose size is known, targets that select the same sectors have the
// same form.
func TestSelectorOfSectorsIsUniqueOnceResolved(t *testing.T) {
	mesh := smallMesh()
	rapid.Check(t, func(t *rapid.T) {
		forms := map[string]string{} // by the sectors selected
		for range 20 {
			text := "sector=1-5"
			for range rapid.IntRange(0, 3).Draw(t, "conditions") {
				item, _ := drawSector(t)
				text += rapid.SampledFrom([]string{",sector=", ",sector!="}).Draw(t, "op") + item
			}
			s, err := ParseSelector(text)
			if err == nil {
				s, err = s.Resolve(mesh)
			}
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			chosen := fmt.Sprint(s.Places(mesh))
			if chosen == "[]" {
				continue // contradictions keep what was asked
			}
			if have, ok := forms[chosen]; ok && have != s.String() {
				t.Fatalf("sectors %s are %q and %q", chosen, have, s)
			}
			forms[chosen] = s.String()
		}
	})
}

func FuzzParseSelector(f *testing.F) {
	for _, seed := range []string{
		"mesh", "7.4.12", "sector=3-9,class!=F", "Cluster 7-4", "SECTOR7-CLUSTER4-AGENT-12", "CLASS_D_GPU",
		"label.region=eu|us,impedance>500", "state=active,state!=frozen", "sector=1-1000000000,sector!=7|north",
		"agent=7.4.1-100|pi", "class=A,class=B", "sector=0", "impedance>NaN", "\x1b]52;c;", "=,|!<>", "sector=7,cluster=9.4,agent!=x",
	} {
		f.Add(seed)
	}
	mesh := smallMesh()
	rows := smallRows(1)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			if err.Error() != Clean(err.Error()) && len(err.Error()) <= MaxText {
				t.Fatalf("the error about %q is not fit for a terminal: %q", text, err)
			}
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q: canonical form %q reads as %q, %v", text, s, again, err)
		}
		r, err := s.Resolve(mesh)
		if err != nil {
			return
		}
		for i := range rows {
			if again, _ := again.Resolve(mesh); again.Match(&rows[i]) != r.Match(&rows[i]) {
				t.Fatalf("%q and its canonical form %q disagree about %s", text, s, rows[i].Address)
			}
		}
	})
}

func BenchmarkSelectorMatch(b *testing.B) {
	rows := make([]AgentImpedance, 0, 30_000)
	for i := range 30_000 {
		at := Address{1 + i/300, 1 + i%300/30, 1 + i%30}
		rows = append(rows, AgentImpedance{
			AgentID: idAt(at), Address: at, Class: Classes[i%6], State: Active, Host: "host-" + strconv.Itoa(i/300),
			Capabilities: Classes[i%6].Capabilities(), ImpedanceMS: float64(i % 1000), Labels: map[string]string{"region": "eu"},
		})
	}
	for _, text := range []string{
		"mesh",
		"sector=3-9,class=E",
		"sector!=7,class!=F,state=active,capability=vision,impedance>500,label.region=eu",
		"agent=" + manyAgents(4000),
	} {
		s, err := ParseSelector(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(shorten(text), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for i := range rows {
					if s.Match(&rows[i]) {
						n++
					}
				}
			}
		})
	}
}

func manyAgents(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = idAt(Address{1 + i%100, 1 + i/100%10, 1})
	}
	return strings.Join(ids, "|")
}
