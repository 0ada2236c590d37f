package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestSelectorHasOneCanonicalForm(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"mesh", "mesh"},
		{" MESH ", "mesh"},
		// Bare places and the specification's spellings.
		{"7", "sector=7"},
		{"007", "sector=7"},
		{"7.4", "cluster=7.4"},
		{"7.04.012", "agent=7.4.12"},
		{"7.4.12|7.4.19", "agent=7.4.12|7.4.19"},
		{"3-9", "sector=3-9"},
		{"3|9", "sector=3|9"},
		{"SECTOR-12", "sector=12"},
		{"SECTOR7-CLUSTER4", "cluster=7.4"},
		{"SECTOR7-CLUSTER4-AGENT-12", "agent=7.4.12"},
		{"SECTOR3-GPU-CLUSTER2-AGENT-07", "agent=3.2.7"},
		{"GPU-SECTOR3-CLUSTER7-A12", "agent=3.7.12"},
		{"Cluster 7-4", "cluster=7.4"},
		{"cluster=7-4", "cluster=7.4"},
		{"cluster=Cluster 7-4", "cluster=7.4"},
		{"sector=SECTOR-12", "sector=12"},
		{"CLASS_D_GPU", "class=D"},
		{"CLASS_E_LOCAL|CLASS_F", "class=E|F"},
		{"class=class_d_gpu", "class=D"},
		{"SECTOR-12,CLASS_E_LOCAL", "sector=12,class=E"},
		{"mesh,class=E", "class=E"},
		// Order, spaces, case, numbers and ranges.
		{"class=D,sector=7", "sector=7,class=D"},
		{" Class = d , SECTOR = 7 ", "sector=7,class=D"},
		{"sector=9|3", "sector=3|9"},
		{"sector=3|4", "sector=3|4"},
		{"sector=3-4", "sector=3|4"},
		{"sector=5|3|4", "sector=3-5"},
		{"sector=3-5|4-9|11", "sector=3-9|11"},
		{"sector=north|7", "sector=7|north"},
		{"sector=1-1000000000", "sector=1-1000000000"},
		{"cluster=7.10|7.9|7.10", "cluster=7.9|7.10"},
		{"cluster=7.4-7.6", "cluster=7.4|7.5|7.6"},
		{"cluster=7.4-6", "cluster=7.4|7.5|7.6"},
		{"agent=7.4.12-7.4.14", "agent=7.4.12|7.4.13|7.4.14"},
		{"agent=pi-2|7.4.12|pi-1", "agent=7.4.12|pi-1|pi-2"},
		{"label.zone=b,label.region=US|eu", "label.region=US|eu,label.zone=b"},
		{"label.rack=7-9", "label.rack=7-9"},
		{"label.note=a b > c", "label.note=a b > c"},
		{"host=b|a,host!=c", "host=a|b"},
		// Several conditions on one thing.
		{"sector=1-5,sector=3-9", "sector=3-5"},
		{"sector=3-9,sector!=5", "sector=3|4|6-9"},
		{"sector!=5,sector!=7", "sector!=5|7"},
		{"sector=a|b,sector=b|c", "sector=b"},
		{"sector=7|a,sector!=a", "sector=7,sector!=a"}, // 7 may be called a,
		{"sector=7|a,sector!=8|b", "sector=7|a,sector!=8|b"},
		{"sector=a,sector!=7|b", "sector=a,sector!=7"},
		{"sector=7,sector!=8|b", "sector=7,sector!=b"},
		{"sector=7,sector=a", "sector=7,sector=a"},
		{"host!=a,host!=b|a", "host!=a|b"},
		{"label.x=a|b,label.x!=b", "label.x=a"},
		{"impedance>500,impedance>600ms,impedance<900", "impedance>600,impedance<900"},
		{"impedance > 500.50 ms", "impedance>500.5"},
		{"impedance>1e3", "impedance>1000"},
		{"impedance>-0", "impedance>0"},
		{"capability=a|b,capability=a", "capability=a"},
		{"capability=a|b,capability=b|c", "capability=a|b,capability=b|c"},
		{"capability=a|b,capability!=b", "capability=a,capability!=b"},
		// Classes: six, so that the shorter way round is known.
		{"class=A-F", "mesh"},
		{"class=A|B|C|D|E|F,sector=7", "sector=7"},
		{"class=A-C", "class=A|B|C"},
		{"class=A-E", "class!=F"},
		{"class!=A|B|C|D|E", "class=F"},
		{"class!=A|B|C", "class=D|E|F"},
		{"class!=A|B", "class!=A|B"},
		{"class=C|D|E|F", "class!=A|B"},
		{"class=A|B,class=B|C", "class=B"},
		{"class=A|B,class!=F", "class=A|B"},
		{"class!=A,class!=B", "class!=A|B"},
		// States are flags: several can be set.
		{"state=frozen|active", "state=active|frozen"},
		{"state=frozen,state=active", "state=active,state=frozen"},
		{"state=active|degraded", "state=active"},
		{"state=active,state=degraded", "state=degraded"},
		{"state=active|offline|quarantined", "mesh"},
		{"state=offline|quarantined", "state=offline|quarantined"},
		{"state!=offline|quarantined", "state=active"},
		{"state!=offline", "state!=offline"},
		{"state!=active|degraded", "state!=active"},
		{"state=active|frozen,state!=frozen", "state=active,state!=frozen"},
		{"state=degraded,state!=offline", "state=degraded"},
		// Places within places.
		{"sector=7,cluster=7.4", "cluster=7.4"},
		{"sector=7,cluster=7.4|9.1", "cluster=7.4"},
		{"sector=7,agent=7.4.12", "agent=7.4.12"},
		{"cluster=7.4,agent=7.4.12|9.9.9", "agent=7.4.12"},
		{"cluster=7.4,agent!=7.4.12|7.5.1", "cluster=7.4,agent!=7.4.12"},
		{"sector=7,cluster!=9.4", "sector=7"},
		{"sector!=7,cluster!=7.4", "sector!=7"},
		{"sector!=9,cluster=7.4", "cluster=7.4"},
		{"sector=north,cluster=7.4", "sector=north,cluster=7.4"},
		{"sector=7,agent=pi-1", "sector=7,agent=pi-1"},
		// Contradictions stay as they were asked.
		{"class=B,class=A", "class=A,class=B"},
		{"class=A,class!=A", "class=A,class!=A"},
		{"class!=A-F", "class!=A|B|C|D|E|F"},
		{"sector=3,sector=5", "sector=3,sector=5"},
		{"sector=7,cluster=9.4", "sector=7,cluster=9.4"},
		{"sector=3,sector=5,cluster!=3.1", "sector=3,sector=5,cluster!=3.1"},
		{"state=active,state=offline", "state=active,state=offline"},
		{"capability=a,capability!=a", "capability=a,capability!=a"},
		{"impedance>600,impedance<500", "impedance>600,impedance<500"},
	} {
		s, err := ParseSelector(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if got := s.String(); got != c.want {
			t.Errorf("%q: canonical form is %q, want %q", c.in, got, c.want)
		}
		again, err := ParseSelector(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q: canonical form %q reads as %q, %v", c.in, s, again, err)
		}
	}
}

func TestSelectorErrorsSayWhereAndWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct{ in, where, says, hint string }{
		{"", "character 1", "empty", "mesh"},
		{"sectr=7", "character 1", `no condition "sectr"`, "did you mean sector?"},
		{"class=A,capabilty=vision", "character 9", `no condition "capabilty"`, "did you mean capability?"},
		{"region=eu", "character 1", `no condition "region"`, "label.NAME"},
		{"state=quarantine", "character 7", `no state "quarantine"`, "did you mean quarantined?"},
		{"sector=0", "character 8", "counted from 1", "sector=7"},
		{"0", "character 1", "not a place", "counted from 1"},
		{"sector=3-0", "character 8", "counted from 1", "sector"},
		{"sector=9-3", "character 8", "backwards", "3-9"},
		{"sector=7.4", "character 8", "is a cluster", "cluster=7.4"},
		{"cluster=7", "character 9", "is a sector", "sector=7"},
		{"agent=7.4", "character 7", "is a cluster", "cluster=7.4"},
		{"cluster=mesh", "character 9", "the mesh", "sector=7"},
		{"class=G", "character 7", `class "G"`, "class=D"},
		{"class=F-A", "character 7", "backwards", "A-F"},
		{"sector=7|", "character 10", "missing", "sector=7"},
		{"sector=", "character 8", "missing", "sector=7"},
		{"sector=7,,class=A", "character 10", "missing", "conditions"},
		{"sector!7", "character 7", "lone", "sector!=…"},
		{"sector>7", "character 7", "with >", "only impedance"},
		{"impedance=500", "character 10", "with =", "impedance>500"},
		{"impedance>=500", "character 10", `">="`, "= != > <"},
		{"impedance>fast", "character 11", "not an impedance", "ms"},
		{"impedance>-5", "character 11", "not an impedance", "ms"},
		{"impedance>NaN", "character 11", "not an impedance", "ms"},
		{"impedance>1e308", "character 11", "not an impedance", "ms"},
		{"7,9", "character 3", "two of them at once", "sector=…|…"},
		{"pi-kitchen", "character 1", "not a condition", "host=pi-kitchen"},
		{"agent=7.4.1-200", "character 7", "at most 100", ""},
		{"agent=7.4.1-7.5.1", "character 7", "not a range", "7.4.12-7.4.19"},
		{"host=Größe", "character 6", "host name", "host=pi-kitchen"},
		{"höst=a,zz=1", "character 1", "no condition", "conditions are"},
		{"host=a\x1b[2J", "character 1", "not printable", ""},
		{"host=\u202eevil", "character 1", "not printable", ""},
		{"host=\xff", "character 1", "not printable", ""},
		{"label.=x", "character 1", "label name", "label.region=eu"},
		{strings.Repeat("x", MaxSelector+1), "character 1", "limit", ""},
		{strings.Repeat("host!=a,", maxConditions) + "host=b", "character 1", "conditions", "|"},
		{"agent=" + strings.TrimSuffix(strings.Repeat("1.1.1-100|", maxPlaces/100+1), "|"), "character 817", "places", ""},
	} {
		_, err := ParseSelector(c.in)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: want an error, got %v", shorten(c.in), err)
			continue
		}
		if e.Code != CodeBadMessage || e.Code.Verdict() != Usage {
			t.Errorf("%q: code %s", shorten(c.in), e.Code)
		}
		if !strings.Contains(e.Message, c.where+":") || !strings.Contains(e.Message, c.says) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%q: %v\n\twant it to say %q, %q, hint %q", shorten(c.in), e, c.where, c.says, c.hint)
		}
	}
}

func TestSelectorResolvesAgainstATopology(t *testing.T) {
	mesh := smallMesh()
	for _, c := range []struct{ in, want string }{
		{"sector=north", "sector=2"},
		{"sector=north|south|3", "sector=2-4"},
		{"sector=north,sector!=2|5", "sector=north,sector!=2"}, // contradiction: north is 2
		{"cluster=lab", "cluster=2.1"},
		{"sector=north,cluster=lab", "cluster=2.1"},
		{"sector=1-5", "mesh"},
		{"sector=1-5,class=E", "class=E"},
		{"sector=1|2|4|5", "sector!=3"},
		{"sector!=3", "sector!=3"},
		{"sector!=2-5", "sector=1"},
		{"sector!=north|3|4|5", "sector=1"},
		{"agent=some-id", "agent=some-id"},
	} {
		s, err := ParseSelector(c.in)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Resolve(mesh)
		if c.in == "sector=north,sector!=2|5" {
			if err != nil || len(r.Places(mesh)) != 0 || r.Places(mesh) == nil {
				t.Errorf("%q: resolved as %q, reaching %v, %v: want a contradiction", c.in, r, r.Places(mesh), err)
			}
			continue
		}
		if err != nil || r.String() != c.want {
			t.Errorf("%q resolves as %q, %v; want %q", c.in, r, err, c.want)
		}
	}
	for _, c := range []struct{ in, says string }{
		{"6", "no sector 6; sectors are 1 to 5"},
		{"sector=4-9", "no sector 6"},
		{"sector!=1000000000", "no sector 1000000000"},
		{"sector=1-1000000000", "no sector 6"},
		{"sector=west", `no sector is named "west"`},
		{"cluster=2.4", "no cluster 2.4"},
		{"cluster=cellar", `no cluster is named "cellar"`},
		{"agent=2.1.101", "no seat 2.1.101"},
		{"agent=9.1.1", "no sector 9"},
	} {
		s, err := ParseSelector(c.in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Resolve(mesh)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeUnknownTarget || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%q: %v; want unknown_target: %s", c.in, err, c.says)
		}
	}
}

func TestSelectorTellsWhatItNames(t *testing.T) {
	for _, c := range []struct {
		in               string
		standing, namesF bool
	}{
		{"mesh", true, false},
		{"class=F", true, true},
		{"class=E", true, false},
		{"class!=E", true, false},
		{"class!=A|B|C", true, true}, // class=D|E|F
		{"agent=7.4.12", true, true},
		{"agent!=7.4.12", true, false},
		{"sector=7,host=a,label.region=eu", true, false},
		{"state=frozen", false, false},
		{"capability=vision", false, false},
		{"impedance>5", false, false},
	} {
		s, err := ParseSelector(c.in)
		if err != nil || s.Standing() != c.standing || s.NamesClass(ClassHuman) != c.namesF {
			t.Errorf("%q: standing %t, names F %t, %v", c.in, s.Standing(), s.NamesClass(ClassHuman), err)
		}
		if s.IsMesh() != (c.in == "mesh") {
			t.Errorf("%q: IsMesh is %t", c.in, s.IsMesh())
		}
	}
}

func TestSelectorTravelsAsText(t *testing.T) {
	var v struct {
		Target Selector `json:"target"`
	}
	if err := json.Unmarshal([]byte(`{"target":"class=D, SECTOR-12"}`), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil || string(data) != `{"target":"sector=12,class=D"}` {
		t.Errorf("%s, %v", data, err)
	}
	if err := json.Unmarshal([]byte(`{"target":"sectr=1"}`), &v); err == nil || !strings.Contains(err.Error(), "did you mean sector?") {
		t.Errorf("%v", err)
	}
}

// A state counts degraded agents as active, and every other name is one flag.
func TestSelectorStateAsksOneFlag(t *testing.T) {
	rows := map[string]AgentImpedance{
		"active":        {State: Active},
		"degraded":      {State: Degraded},
		"frozen active": {State: Active, Frozen: true},
		"unstable":      {State: Offline, Unstable: true},
		"quarantined":   {State: Quarantined},
	}
	for target, want := range map[string]string{
		"state=active":      "active degraded frozen active",
		"state=degraded":    "degraded",
		"state=unstable":    "unstable",
		"state=offline":     "unstable",
		"state=quarantined": "quarantined",
		"state=frozen":      "frozen active",
		"state!=frozen":     "active degraded quarantined unstable",
	} {
		s, err := ParseSelector(target)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, r := range rows {
			if s.Match(&r) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s selects %v, want %s", target, got, want)
		}
	}
}
