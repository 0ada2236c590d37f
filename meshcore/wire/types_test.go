package wire

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

func TestCleanDisarmsTerminals(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"plain text", "agent 7.4.12: 34 ms, 97 %", "agent 7.4.12: 34 ms, 97 %"},
		{"letters of all kinds", "Größe 大きさ 🙂", "Größe 大きさ 🙂"},
		{"a colour", "\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"},
		{"OSC 52, which writes the clipboard", "\x1b]52;c;cm0gLXJm\x07", "\ufffd]52;c;cm0gLXJm\ufffd"},
		{"a window title ended by ST", "\x1b]0;root\x1b\\", "\ufffd]0;root\ufffd\\"},
		{"C1 as a code point: CSI", "\u009b2J", "\ufffd2J"},
		{"C1 as a byte", "\x9b2J", "\ufffd2J"},
		{"CR, which overwrites the line", "all is lost\rall is well", "all is lost\ufffdall is well"},
		{"backspace and delete", "no\b\bgo\x7f", "no\ufffd\ufffdgo\ufffd"},
		{"a line break", "a\nb", "a\ufffdb"},
		{"a tab", "a\tb", "a b"},
		{"a right-to-left override", "\u202etxt.exe", "\ufffdtxt.exe"},
		{"bidi isolates and marks", "\u2066a\u2069\u200f", "\ufffda\ufffd\ufffd"},
		{"zero width", "ad\u200bmin\u2060\ufeff", "ad\ufffdmin\ufffd\ufffd"},
		{"fillers that show as nothing", "a\u3164\u115f\u034f\u2028", "a\ufffd\ufffd\ufffd\ufffd"},
		{"tags and private use", "a\U000e0041\ue000", "a\ufffd\ufffd"},
		{"NUL", "a\x00b", "a\ufffdb"},
		{"invalid UTF-8", "a\xffb\xc3", "a\ufffdb\ufffd"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.what, c.in, got, c.want)
		}
	}
	if got := CleanBlock("a\r\nb\x1b\n"); got != "a\ufffd\nb\ufffd\n" {
		t.Errorf("a block became %q", got)
	}
}

func TestCleanIsDoneOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.Map(rapid.IntRange(MaxText-5, MaxText+5), func(n int) string { return strings.Repeat("ä", n/2) + "\x1b🙂" }),
		).Draw(t, "text")
		for _, clean := range []func(string) string{Clean, CleanBlock} {
			once := clean(s)
			if clean(once) != once || !utf8.ValidString(once) || len(once) > MaxText {
				t.Fatalf("%q becomes %q (%d bytes), then %q", s, once, len(once), clean(once))
			}
			if strings.ContainsFunc(once, func(r rune) bool { return r != '\n' && unsafe(r) }) {
				t.Fatalf("%q becomes %q", s, once)
			}
		}
	})
}

func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	if s := strings.Repeat("x", MaxText); Clean(s) != s {
		t.Error("text of the full length was altered")
	}
	got := Clean(strings.Repeat("日", MaxText))
	if len(got) > MaxText || !strings.HasSuffix(got, "日…") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-6:])
	}
}

func TestAddressIsReadAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAddress(t)
		got, err := ParseAddress(a.String())
		if err != nil || got != a {
			t.Fatalf("%v is written %q and read as %v, %v", a, a, got, err)
		}
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var b Address
		if err := json.Unmarshal(data, &b); err != nil || b != a {
			t.Fatalf("%s decodes as %v, %v", data, b, err)
		}
	})
}

func drawAddress(t *rapid.T) Address {
	part := rapid.IntRange(1, MaxPlace)
	var a Address
	level := Level(rapid.IntRange(0, 3).Draw(t, "level"))
	if level >= LevelSector {
		a.Sector = part.Draw(t, "sector")
	}
	if level >= LevelCluster {
		a.Cluster = part.Draw(t, "cluster")
	}
	if level >= LevelAgent {
		a.Seat = part.Draw(t, "seat")
	}
	if a.Level() != level {
		t.Fatalf("%v has level %d, want %d", a, a.Level(), level)
	}
	return a
}

func TestAddressSpellings(t *testing.T) {
	for in, want := range map[string]Address{
		"7": {7, 0, 0}, "007.04": {7, 4, 0}, "SECTOR-12": {12, 0, 0}, "sector 12": {12, 0, 0}, "sector12": {12, 0, 0},
		"SECTOR7-CLUSTER4-AGENT-12": {7, 4, 12}, "Cluster 7-4": {7, 4, 0}, "cluster 7.4": {7, 4, 0},
		"SECTOR3-GPU-CLUSTER2-AGENT-07": {3, 2, 7}, "GPU-SECTOR3-CLUSTER7-A12": {3, 7, 12}, "mesh": {},
	} {
		if got, err := ParseAddress(in); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", " 7", "0", "7.0", "7.4.0", "7.", ".4", "7..4", "7.4.12.1", "-7", "+7", "7,4", "seven", "7.4.x", "1000000001",
		"99999999999999999999", "SECTOR-0", "٧", "7\n", "SECTOR7-AGENT-12",
	} {
		if got, err := ParseAddress(in); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}

func TestAddressOrderAndContainment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAddress(t), drawAddress(t)
		if cmp.Compare(a.Compare(b), 0) != -cmp.Compare(b.Compare(a), 0) || (a.Compare(b) == 0) != (a == b) {
			t.Fatalf("%v and %v compare as %d and %d", a, b, a.Compare(b), b.Compare(a))
		}
		if !a.Contains(a) || !(Address{}).Contains(a) || !a.InCluster().Contains(a) {
			t.Fatalf("%v is not in itself, its cluster or the mesh", a)
		}
		if a.Contains(b) && b.Contains(a) && a != b {
			t.Fatalf("%v and %v contain each other", a, b)
		}
	})
}

func TestClassSpellings(t *testing.T) {
	agents := 0
	for _, c := range Classes {
		agents += c.Allocation()
		for _, spelled := range []string{c.String(), strings.ToLower(c.String()), c.LongName(), strings.ToLower(c.LongName()), "CLASS_" + c.String()} {
			if got, err := ParseClass(spelled); err != nil || got != c {
				t.Errorf("%q is %v, %v", spelled, got, err)
			}
		}
		for _, name := range c.Capabilities() {
			if err := CheckCapability(name); err != nil {
				t.Error(err)
			}
		}
		if c.BaseMS() <= 0 || c.RefMS() <= 0 {
			t.Errorf("%s: base %v, reference %v", c, c.BaseMS(), c.RefMS())
		}
	}
	if agents != 30_000 {
		t.Errorf("2.2 allots 30,000 agents, the classes %d", agents)
	}
	for _, spelled := range []string{"", "G", "AA", "CLASS_D_CPU", "CLASS_", "0"} {
		if got, err := ParseClass(spelled); err == nil {
			t.Errorf("%q was read as %v", spelled, got)
		}
	}
}

func TestDeliveryStatesAreWrittenByName(t *testing.T) {
	for _, s := range DeliveryStates() {
		text, _ := s.MarshalText()
		var got DeliveryState
		if err := got.UnmarshalText(text); err != nil || got != s {
			t.Errorf("%s is read as %s, %v", s, got, err)
		}
		trinary, counted := s.Trinary()
		if counted == s.Miss() {
			t.Errorf("%s: a miss is none of the three trinary states", s)
		}
		if s.Final() && counted && trinary == Transit {
			t.Errorf("%s is final and in transit", s)
		}
	}
	if err := new(DeliveryState).UnmarshalText([]byte("sent")); err == nil {
		t.Error("lower case was taken")
	}
}

func drawSet(t *rapid.T, label string) map[int]bool {
	set := map[int]bool{}
	for _, n := range rapid.SliceOf(rapid.IntRange(0, 700)).Draw(t, label) {
		set[n] = true
	}
	return set
}

func bitsOf(set map[int]bool) (b Bits) {
	for n := range set {
		b.Add(n)
	}
	return b
}

func TestBitsAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawSet(t, "x"), drawSet(t, "y")
		same := func(what string, got Bits, want func(n int) bool) {
			size := 0
			for n := range 720 {
				if got.Has(n) != want(n) {
					t.Fatalf("%s: %d is in: %t", what, n, got.Has(n))
				}
				if want(n) {
					size++
				}
			}
			members := slices.Collect(got.All())
			if got.Len() != size || len(members) != size || got.Empty() != (size == 0) || !slices.IsSorted(members) {
				t.Fatalf("%s: %d members, %v, want %d", what, got.Len(), members, size)
			}
		}
		same("x", bitsOf(x), func(n int) bool { return x[n] })
		or, and, less, gone := bitsOf(x), bitsOf(x), bitsOf(x), bitsOf(x)
		or.Or(bitsOf(y))
		and.And(bitsOf(y))
		less.AndNot(bitsOf(y))
		for n := range y {
			gone.Remove(n)
		}
		same("x or y", or, func(n int) bool { return x[n] || y[n] })
		same("x and y", and, func(n int) bool { return x[n] && y[n] })
		same("x and not y", less, func(n int) bool { return x[n] && !y[n] })
		same("x without y's", gone, func(n int) bool { return x[n] && !y[n] })
		clone := or.Clone()
		clone.Add(719)
		same("what was cloned", or, func(n int) bool { return x[n] || y[n] })

		text, err := gone.MarshalText()
		var back Bits
		if err != nil || back.UnmarshalText(text) != nil {
			t.Fatalf("%s, %v", text, err)
		}
		same("x read back", back, func(n int) bool { return x[n] && !y[n] })
		if again, _ := back.MarshalText(); !bytes.Equal(again, text) {
			t.Fatalf("%s is written again as %s", text, again)
		}
	})
}

func TestBitsRefuseWhatIsNoSet(t *testing.T) {
	full := make([]byte, MaxOrdinal/8)
	full[len(full)-1] = 0x80
	var b Bits
	if err := b.UnmarshalText([]byte(base64.RawStdEncoding.EncodeToString(full))); err != nil || !b.Has(MaxOrdinal-1) || b.Len() != 1 {
		t.Errorf("the highest ordinal: %v", err)
	}
	over := base64.RawStdEncoding.EncodeToString(append(full, make([]byte, 8)...))
	for _, text := range []string{over, "AQ", "AQAAAAAAAAA=", "AQAAAAAAAAB", "AQAAAA\nAAAAA", "AQAAAAA-AAA", "*", "AAAA"} {
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%.20q was read as %v", text, b)
		}
	}
}

func TestTargetsAreBySector(t *testing.T) {
	targets := Targets{{3, Bits{0b111}}, {9, Bits{0, 1}}}
	if targets.Len() != 4 || targets.Sector(9).Len() != 1 || targets.Sector(4) != nil {
		t.Errorf("%v", targets)
	}
}

func TestTopologySaysWhatThereIs(t *testing.T) {
	mesh := &Topology{Mesh: "m", Sectors: make([]SectorPlan, 100)}
	for i := range mesh.Sectors {
		mesh.Sectors[i].Clusters = make([]ClusterPlan, 10)
		for j := range mesh.Sectors[i].Clusters {
			mesh.Sectors[i].Clusters[j].Seats = map[Class]int{ClassEdge: 30}
		}
	}
	if err := mesh.Check(); err != nil || mesh.Seats() != 30_000 {
		t.Fatalf("%d seats, %v", mesh.Seats(), err)
	}
	for at, says := range map[Address]string{
		{101, 0, 0}:  "there is no sector 101; sectors are 1 to 100",
		{-1, 0, 0}:   "there is no sector -1",
		{7, 11, 0}:   "there is no cluster 7.11; the clusters of sector 7 are 7.1 to 7.10",
		{7, -4, 0}:   "there is no cluster 7.-4",
		{7, 4, 101}:  "there is no seat 7.4.101; a cluster has at most 100 agents",
		{101, 4, 12}: "there is no sector 101",
	} {
		var e *Error
		if err := mesh.Require(at); !errors.As(err, &e) || e.Code != CodeUnknownTarget || !strings.Contains(e.Error(), says) || mesh.Exists(at) {
			t.Errorf("%v: %v", at, err)
		}
	}
	for _, at := range []Address{{}, {1, 0, 0}, {100, 10, 0}, {7, 4, 100}} {
		if err := mesh.Require(at); err != nil || !mesh.Exists(at) {
			t.Errorf("%v: %v", at, err)
		}
	}
	if _, err := ParseAddress("0"); err == nil {
		t.Error("sector 0 was read")
	}
	clusters := 0
	for at := range mesh.Clusters {
		if clusters++; at.Level() != LevelCluster || !mesh.Exists(at) {
			t.Errorf("%v", at)
		}
	}
	if clusters != 1000 {
		t.Errorf("%d clusters", clusters)
	}
}

func TestTopologyRefusesTooManyChildrenAndDoubleNames(t *testing.T) {
	plan := func(change func(*Topology)) *Topology {
		m := smallMesh()
		change(m)
		return m
	}
	for what, mesh := range map[string]*Topology{
		"no name":          plan(func(m *Topology) { m.Mesh = "" }),
		"no sectors":       plan(func(m *Topology) { m.Sectors = nil }),
		"1001 sectors":     plan(func(m *Topology) { m.Sectors = make([]SectorPlan, 1001) }),
		"no clusters":      plan(func(m *Topology) { m.Sectors[0].Clusters = nil }),
		"101 clusters":     plan(func(m *Topology) { m.Sectors[0].Clusters = slices.Repeat(m.Sectors[0].Clusters[:1], 101) }),
		"an empty cluster": plan(func(m *Topology) { m.Sectors[0].Clusters[0].Seats = nil }),
		"101 seats":        plan(func(m *Topology) { m.Sectors[0].Clusters[0].Seats = map[Class]int{ClassEdge: 60, ClassGPU: 41} }),
		"negative seats":   plan(func(m *Topology) { m.Sectors[0].Clusters[0].Seats = map[Class]int{ClassEdge: 60, ClassGPU: -1} }),
		"a sum that overflows": plan(func(m *Topology) {
			m.Sectors[0].Clusters[0].Seats = map[Class]int{ClassEdge: 1<<63 - 1, ClassGPU: 1<<63 - 1, ClassLocal: 3}
		}),
		"a class G":         plan(func(m *Topology) { m.Sectors[0].Clusters[0].Seats = map[Class]int{'G': 1} }),
		"a name twice":      plan(func(m *Topology) { m.Sectors[0].Name = "north" }),
		"a name with a dot": plan(func(m *Topology) { m.Sectors[0].Name = "north.1" }),
	} {
		if err := mesh.Check(); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	mesh := smallMesh()
	if err := mesh.Check(); err != nil {
		t.Error(err)
	}
	if at, err := mesh.ClusterNamed("attic"); err != nil || at != (Address{5, 3, 0}) || mesh.SectorNamed("south") != 4 {
		t.Errorf("%v, %v", at, err)
	}
	if _, err := mesh.ClusterNamed(""); err == nil || mesh.SectorNamed("") != 0 {
		t.Error("a place without a name was found by it")
	}
}

func TestUplinkSubjects(t *testing.T) {
	for _, u := range Uplinks {
		got, cluster, host, err := ParseUplink(u.Subject(Address{7, 4, 12}, "pi-kitchen"))
		if err != nil || got != u || cluster != cluster74 || host != "pi-kitchen" {
			t.Errorf("%s: %s %s %s, %v", u, got, cluster, host, err)
		}
	}
	for _, subject := range []string{
		"", "m.hb.7.4", "m.hb.7.4.h.x", "x.hb.7.4.h", "m.evil.7.4.h", "m.hb.07.4.h", "m.hb.0.4.h", "m.hb.7.x.h", "m.hb.7.4.*", "m.hb.7.4.H",
	} {
		if u, cluster, host, err := ParseUplink(subject); err == nil {
			t.Errorf("%q was read as %s %s %s", subject, u, cluster, host)
		}
	}
	for got, want := range map[string]string{
		UplinkHeartbeat.OfSector(7):                    "m.hb.7.>",
		SubjectCluster(Address{7, 4, 12}):              "m.c.7.4",
		SubjectHost(cluster74, "h"):                    "m.c.7.4.h",
		SubjectRegistry(cluster74):                     "m.reg.7.4",
		SubjectSector(7):                               "m.sum.sector.7",
		SubjectPerson("ada"):                           "m.do.ada",
		SubjectShard(7) + " " + SubjectShardUp(7):      "m.core.down.7 m.core.up.7",
		InboxPrefix("pi-kitchen"):                      "_INBOX_pi-kitchen",
		UplinkReport.Subject(Address{7, 4, 12}, "h-1"): "m.report.7.4.h-1",
	} {
		if got != want {
			t.Errorf("subject %q, want %q", got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "pi-kitchen", "a1", strings.Repeat("a", MaxName)} {
		if err := CheckName("agent", name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "1a", "-a", "A", "a.b", "a b", "a*", ">", "a\n", "ä", strings.Repeat("a", MaxName+1), "a_b"} {
		if CheckName("agent", name) == nil {
			t.Errorf("%q was taken as a name", name)
		}
	}
	if CheckCapability("llm_inference") != nil || CheckCapability("LLM") == nil {
		t.Error("capabilities")
	}
}

func TestMessageAddresses(t *testing.T) {
	all := MeshMessage{All: true, Except: []string{"b"}}
	some := MeshMessage{Targets: []string{"b"}}
	for id, want := range map[string][2]bool{"a": {true, false}, "b": {false, true}} {
		if got := [2]bool{all.Addresses(id), some.Addresses(id)}; got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	f := FrozenState{Agents: []string{"a"}}
	if !f.Frozen("a") || f.Frozen("b") || !(&FrozenState{All: true}).Frozen("b") {
		t.Error("frozen state")
	}
}

func TestVerdictsHaveTheirExitCodes(t *testing.T) {
	for v, want := range map[Verdict]int{
		Done: 0, Internal: 1, Usage: 2, Partial: 3, BelowQuorum: 4, NothingMatched: 5, WasRefused: 6, Unreachable: 7, "nonsense": 1,
	} {
		if v.Exit() != want {
			t.Errorf("%s exits with %d", v, v.Exit())
		}
	}
	for c, want := range map[Code]Verdict{
		CodeUnknownTarget: Usage, CodeBadMessage: Usage, CodeNothingMatched: NothingMatched, CodeInternal: Internal,
		CodeStalePlan: WasRefused, CodeNotYet: WasRefused, CodeUnreachable: Unreachable,
	} {
		if c.Verdict() != want {
			t.Errorf("%s leads to %s", c, c.Verdict())
		}
	}
}

func TestTextOfAgentsIsCleanWhenDecoded(t *testing.T) {
	const evil = `"\u001b]52;c;eA==\u0007\u202e"`
	var h Hello
	if err := Decode(altered(t, TypeHello, "program", evil), TypeHello, &h); err != nil || h.Program != Clean(h.Program) {
		t.Errorf("%q, %v", h.Program, err)
	}
	var r Report
	if err := Decode(altered(t, TypeReport, "items", `[{"kind":"crash","at":"2026-03-21T12:00:00Z","detail":`+evil+`}]`), TypeReport, &r); err != nil || r.Items[0].Detail != Clean(r.Items[0].Detail) {
		t.Errorf("%+v, %v", r.Items, err)
	}
	var e Error
	if err := Decode(altered(t, TypeError, "message", evil), TypeError, &e); err != nil || e.Message != Clean(e.Message) {
		t.Errorf("%q, %v", e.Message, err)
	}
}
