package wire

import (
	"testing"
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
