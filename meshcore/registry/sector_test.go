package registry_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

func TestAnAgentIsUnheardUntilItsFirstHeartbeat(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0))
	if r := s.Agent("pi-1"); r.State != wire.Offline || !r.LastHeartbeat.IsZero() {
		t.Fatalf("before: %s, heard %v", r.State, r.LastHeartbeat)
	}

	hb := beatOf("1.4", "pi-1")
	hb.Agents[0].QueueDepth, hb.Agents[0].ContextHash = 2, "abc"
	res := s.Beat(noon, hb)
	if res.Folded != 1 || !slices.Equal(res.Heard, []string{"pi-1"}) {
		t.Fatalf("got %+v", res)
	}
	r := s.Agent("pi-1")
	// RTT 20 + 10; impedance 30/2 + 100·1.2
	if r.State != wire.Active || r.LatencyMS != 30 || r.ImpedanceMS != 135 || !r.LastHeartbeat.Equal(noon) {
		t.Errorf("got %s, RTT %v, impedance %v, heard %v", r.State, r.LatencyMS, r.ImpedanceMS, r.LastHeartbeat)
	}
	if want := 500 + 150*math.Log2(135.0/450); math.Abs(r.Score-want) > 1e-9 {
		t.Errorf("score %v, want %v", r.Score, want)
	}

	if res := s.Beat(after(5), beatOf("1.4", "pi-1")); res.Heard != nil {
		t.Errorf("heard again: %v", res.Heard)
	}
	if got := s.Agent("pi-1").ContextHash; got != "abc" {
		t.Errorf("a beat without context hash made it %q", got)
	}
	if got := s.Counters().Beats; got != 2 {
		t.Errorf("%d beats counted, want 2", got)
	}
}

func TestStateAndFlagsFollowTheMeasurements(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*wire.Beat)
		state    wire.OperationalState
		unstable bool
		z        float64
	}{
		{"as usual", func(b *wire.Beat) {}, wire.Active, false, 115},
		{"four times Z_ref is not over 800", func(b *wire.Beat) { b.ProcessingMS = 1785 }, wire.Active, false, 1800},
		{"more is", func(b *wire.Beat) { b.ProcessingMS = 1786 }, wire.Degraded, false, 1801},
		{"a long queue too", func(b *wire.Beat) { b.QueueDepth = 200 }, wire.Degraded, false, 2115},
		{"drift of a half is stable", func(b *wire.Beat) { b.Drift = 0.5 }, wire.Active, false, 115},
		{"more is not", func(b *wire.Beat) { b.Drift = 0.51 }, wire.Active, true, 115},
		{"nothing measured: 3.1's prior", func(b *wire.Beat) { b.Samples, b.ProcessingMS = 0, 0 }, wire.Active, false, 15 + 225},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sectorOf(t, pi("pi-1", "1.4.1", 0))
			hb := beatOf("1.4", "pi-1")
			c.change(&hb.Agents[0])
			s.Beat(noon, hb)
			r := s.Agent("pi-1")
			if r.State != c.state || r.Unstable != c.unstable || math.Abs(r.ImpedanceMS-c.z) > 1e-9 {
				t.Errorf("got %s, unstable %v, %v ms", r.State, r.Unstable, r.ImpedanceMS)
			}
		})
	}
}

func TestAnAgentOfNoImpedanceHasAFiniteScore(t *testing.T) {
	if got := registry.Score(wire.ClassEdge, 0); math.IsInf(got, 0) || math.IsNaN(got) {
		t.Errorf("got %v", got)
	}
}

func TestAHostSpeaksOnlyForItsOwn(t *testing.T) {
	other := pi("other", "1.4.2", 1)
	other.Host = "attic"
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), other, pi("elsewhere", "1.1.1", 2))

	res := s.Beat(noon, beatOf("1.4", "pi-1", "other", "elsewhere", "nobody"))
	if res.Folded != 1 || !slices.Equal(res.Foreign, []string{"other", "elsewhere", "nobody"}) {
		t.Errorf("got %+v", res)
	}
	if s.Agent("other").State != wire.Offline {
		t.Error("a foreign heartbeat was folded")
	}

	stranger := beatOf("1.4", "pi-1")
	stranger.Host = "stranger"
	if res := s.Beat(noon, stranger); res.Folded != 0 || len(res.Foreign) != 1 {
		t.Errorf("a stranger: got %+v", res)
	}
	nowhere := beatOf("2.4", "pi-1")
	if res := s.Beat(noon, nowhere); res.Folded != 0 || len(res.Foreign) != 1 {
		t.Errorf("another sector: got %+v", res)
	}
	if got := s.Counters().Foreign; got != 5 {
		t.Errorf("%d foreign ids counted, want 5", got)
	}
}

func TestOldHeartbeatsAreNotFolded(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0))
	say := func(host, seq, agent uint64, queue int) registry.BeatResult {
		hb := beatOf("1.4", "pi-1")
		hb.Incarnation, hb.Seq = host, seq
		hb.Agents[0].Incarnation, hb.Agents[0].QueueDepth = agent, queue
		return s.Beat(noon, hb)
	}
	for _, c := range []struct {
		name             string
		host, seq, agent uint64
		folded           int
		stale            bool
	}{
		{"first", 2, 10, 3, 1, false},
		{"repeated", 2, 10, 3, 0, true},
		{"overtaken", 2, 9, 3, 0, true},
		{"host before its restart", 1, 99, 3, 0, true},
		{"next", 2, 11, 3, 1, false},
		{"agent before its crash", 2, 12, 2, 0, false},
		{"agent after its crash", 2, 13, 4, 1, false},
		{"host after its restart", 3, 1, 4, 1, false},
	} {
		if res := say(c.host, c.seq, c.agent, int(c.seq)); res.Folded != c.folded || res.Stale != c.stale {
			t.Errorf("%s: got %+v", c.name, res)
		}
	}
	if got := s.Counters().Stale; got != 4 {
		t.Errorf("%d stale counted, want 4", got)
	}
	if got := s.Agent("pi-1").QueueDepth; got != 1 {
		t.Errorf("queue depth %d is not the latest heartbeat's", got)
	}
}

func TestSilenceIsOfflineAndIsNamedOnce(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), pi("pi-2", "1.4.2", 1), pi("never", "1.1.1", 2))
	s.Beat(noon, beatOf("1.4", "pi-1", "pi-2"))
	s.Beat(after(20), beatOf("1.4", "pi-2"))

	if quiet := s.Expire(after(29.9), 30*time.Second); quiet != nil {
		t.Fatalf("too early: %v", quiet)
	}
	quiet := s.Expire(after(30), 30*time.Second)
	if len(quiet) != 1 || quiet[0].Cluster != place("1.4") || !slices.Equal(quiet[0].Agents, []string{"pi-1"}) {
		t.Fatalf("got %v", quiet)
	}
	if s.Agent("pi-1").State != wire.Offline || s.Agent("pi-2").State != wire.Active {
		t.Error("the wrong agent is offline")
	}
	if quiet := s.Expire(after(31), 30*time.Second); quiet != nil {
		t.Errorf("named again: %v", quiet)
	}
	if res := s.Beat(after(32), beatOf("1.4", "pi-1")); !slices.Equal(res.Heard, []string{"pi-1"}) {
		t.Errorf("back again: %+v", res)
	}
}

func TestAHostThatLeavesTakesItsAgentsAlong(t *testing.T) {
	other := pi("other", "1.4.2", 1)
	other.Host = "attic"
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), other, pi("pi-2", "1.1.1", 2))
	s.Beat(noon, beatOf("1.4", "pi-1"))
	s.Beat(noon, beatOf("1.1", "pi-2"))
	attic := beatOf("1.4", "other")
	attic.Host = "attic"
	s.Beat(noon, attic)

	if quiet := s.HostLeft(place("1.1"), "pi"); len(quiet) != 1 || quiet[0].Agents[0] != "pi-2" {
		t.Fatalf("left 1.1: got %v", quiet)
	}
	if quiet := s.HostDown("pi"); len(quiet) != 1 || quiet[0].Agents[0] != "pi-1" {
		t.Fatalf("down: got %v", quiet)
	}
	if s.Agent("other").State != wire.Active {
		t.Error("another host's agent went offline")
	}
	if !s.MarkOffline("other") || s.MarkOffline("other") || s.MarkOffline("nobody") {
		t.Error("MarkOffline does not tell whether the agent was heard")
	}
}

func TestEachMissedHeartbeatCountsOnce(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), pi("never", "1.4.2", 1))
	s.Beat(noon, beatOf("1.4", "pi-1"))
	due := func(at float64, want int) {
		t.Helper()
		if got := s.Due(after(at), 5*time.Second); got != want {
			t.Errorf("at %v s: %d missed, want %d", at, got, want)
		}
	}
	due(5, 0)
	due(7, 0) // 2 s of patience
	due(7.01, 1)
	due(8, 0)
	s.Beat(after(10), beatOf("1.4", "pi-1"))
	due(16.9, 0)
	due(27.1, 3) // of 15, 20 and 25
	s.MarkOffline("pi-1")
	due(100, 0)
	if got := s.Counters().BeatsMissed; got != 4 {
		t.Errorf("%d missed counted, want 4", got)
	}
}

func TestEnrolment(t *testing.T) {
	first, second := pi("first", "1.4.1", 0), pi("second", "1.4.1", 7)
	t.Run("again changes nothing measured", func(t *testing.T) {
		s := sectorOf(t, first)
		s.Beat(noon, beatOf("1.4", "first"))
		moved := first
		moved.Host = "attic"
		if err := s.Enrol([]wire.Enrolled{moved}); err != nil {
			t.Fatal(err)
		}
		if r := s.Agent("first"); r.State != wire.Active || r.Host != "attic" {
			t.Errorf("got %s on %s", r.State, r.Host)
		}
		if hosts := s.Hosts(place("1.4")); !slices.Equal(hosts, []string{"attic"}) {
			t.Errorf("hosts %v", hosts)
		}
	})
	t.Run("a replacement takes the seat, not the name", func(t *testing.T) {
		s := sectorOf(t, first, second)
		if s.Agent("first") != nil || s.ByOrdinal(0) != nil || s.Len() != 1 {
			t.Error("the one before is still there")
		}
		if r := s.ByOrdinal(7); r == nil || r.AgentID != "second" || r.Address != first.Address {
			t.Errorf("got %v", r)
		}
	})
	t.Run("older facts do not undo newer ones", func(t *testing.T) {
		s := sectorOf(t, second, first)
		if s.Agent("second") == nil || s.Agent("first") != nil {
			t.Error("the earlier agent took the seat back")
		}
	})
	for _, c := range []struct {
		name string
		e    wire.Enrolled
		code wire.Code
	}{
		{"an id that sits elsewhere", pi("first", "1.4.2", 0), wire.CodeDuplicate},
		{"an id with another ordinal", pi("first", "1.4.1", 3), wire.CodeDuplicate},
		{"an ordinal of another", pi("third", "1.4.2", 0), wire.CodeDuplicate},
		{"another sector", pi("third", "2.4.1", 9), wire.CodeUnknownTarget},
		{"a cluster that is not there", pi("third", "1.6.1", 9), wire.CodeUnknownTarget},
		{"a seat over 100", pi("third", "1.4.101", 9), wire.CodeUnknownTarget},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sectorOf(t, first)
			var e *wire.Error
			if err := s.Enrol([]wire.Enrolled{c.e}); !errors.As(err, &e) || e.Code != c.code {
				t.Errorf("got %v, want code %s", err, c.code)
			}
			if s.Len() != 1 {
				t.Errorf("%d agents", s.Len())
			}
		})
	}
}

func TestRowsAreFoundByNameOrdinalAndPlace(t *testing.T) {
	s := sectorOf(t, pi("c", "1.4.9", 2), pi("a", "1.4.1", 0), pi("b", "1.4.5", 1), pi("d", "1.2.3", 3))
	var ids []string
	for r := range s.Rows(place("1")) {
		ids = append(ids, r.AgentID)
		if n, ok := s.Ordinal(r.AgentID); !ok || s.ByOrdinal(n) != r || s.Agent(r.AgentID) != r {
			t.Errorf("%s is not found", r.AgentID)
		}
	}
	if !slices.Equal(ids, []string{"d", "a", "b", "c"}) {
		t.Errorf("order %v is not that of addresses", ids)
	}
	set := wire.Bits{}
	set.Add(0)
	set.Add(2)
	set.Add(3)
	if got := s.IDs(set, place("1.4")); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("in 1.4: %v", got)
	}
	if s.HostOf("a") != "pi" || s.HostOf("nobody") != "" || s.ByOrdinal(99) != nil || s.ByOrdinal(-1) != nil {
		t.Error("who is not there was found")
	}
	if got := slices.Collect(s.Clusters()); !slices.Equal(got, []wire.Address{place("1.2"), place("1.4")}) {
		t.Errorf("clusters %v", got)
	}
}

func TestRouteWithinClusterTakesTheFastestWhoCanAndMay(t *testing.T) {
	plain := pi("plain", "1.4.5", 4)
	plain.Capabilities = []string{"weather"}
	s := sectorOf(t, pi("slow", "1.4.1", 0), pi("frozen", "1.4.2", 1), pi("gone", "1.4.3", 2), pi("fast", "1.4.4", 3), plain)
	hb := beatOf("1.4", "slow", "frozen", "gone", "fast", "plain")
	for i, ms := range []float64{300, 1, 2, 200, 3} {
		hb.Agents[i].ProcessingMS = ms
	}
	s.Beat(noon, hb)
	s.MarkOffline("gone")
	log := registry.NewFreezeLog(smallMesh())
	if err := log.Append(wire.FreezeOrder{Seq: 1, Selector: "agent=frozen"}); err != nil {
		t.Fatal(err)
	}
	s.SetFrozen(log, nil)

	if id, err := s.RouteWithinCluster(place("1.4"), "sensor_data"); err != nil || id != "fast" {
		t.Errorf("got %q, %v", id, err)
	}
	_, err := s.RouteWithinCluster(place("1.4"), "vision")
	var none *registry.NoCapableAgentError
	if !errors.As(err, &none) || none.Capability != "vision" || none.Cluster != place("1.4") {
		t.Errorf("got %v", err)
	}
}
