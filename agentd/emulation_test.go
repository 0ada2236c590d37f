package agentd

import (
	"sync"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

// puppet is an emulated agent that does what the test sets.
type puppet struct {
	leg      time.Duration
	loseLeg  bool
	took     time.Duration
	ownEvery time.Duration

	mu     sync.Mutex
	served []Work
}

func (p *puppet) Leg(time.Time) (time.Duration, bool) { return p.leg, p.loseLeg }

func (p *puppet) Serve(_ time.Time, w Work, _ int) (time.Duration, Result) {
	p.mu.Lock()
	p.served = append(p.served, w)
	p.mu.Unlock()
	return p.took, Result{State: wire.Worked}
}

func (p *puppet) NextOwn(now time.Time) (time.Time, float64) {
	if p.ownEvery == 0 {
		return time.Time{}, 0
	}
	return now.Add(p.ownEvery), 1
}

func (p *puppet) NextCrash(time.Time) (time.Time, time.Duration) { return time.Time{}, 0 }

func (p *puppet) works() []Work {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Work(nil), p.served...)
}

// startSim starts a host with one emulated agent a-01, and waits until it beats.
func startSim(t *testing.T, p *puppet) (*lead, *Host) {
	t.Helper()
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	cfg := testConfig(s)
	cfg.Emulate = func(wire.Enrolled) Emulation { return p }
	h, _ := start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	return core, h
}

func (l *lead) lastBeat() wire.Heartbeat { return l.beats[len(l.beats)-1] }

// reported finds a report of this kind about a-01.
func (l *lead) reportedItem(kind wire.ReportKind) (wire.ReportItem, bool) {
	for _, r := range l.reports {
		for _, it := range r.Items {
			if it.Kind == kind {
				return it, true
			}
		}
	}
	return wire.ReportItem{}, false
}

func TestAnEmulatedAgentHasALegATimeAndWorkOfItsOwn(t *testing.T) {
	p := &puppet{leg: 15 * time.Millisecond, took: 5 * time.Millisecond, ownEvery: 20 * time.Millisecond}
	core, h := startSim(t, p)
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")
	core.until("a profile", func() bool {
		b := core.lastBeat()
		return len(b.Agents) == 1 && b.Agents[0].LatencyMS == 30 && b.Agents[0].Samples > 3 && b.Agents[0].ProcessingMS >= 5
	})
	if st := h.Stats(); st.Worked != 1 || st.OwnWorked == 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestAFrozenAgentBeginsNoWorkOfItsOwn(t *testing.T) {
	p := &puppet{ownEvery: 5 * time.Millisecond}
	core, _ := startSim(t, p)
	core.freeze(3, true)
	core.until("frozen", func() bool { n := len(core.froze); return n > 0 && core.froze[n-1].Frozen == 1 })
	frozen := len(p.works())
	beats := len(core.beats)
	core.until("three beats more", func() bool { return len(core.beats) >= beats+3 })
	if n := len(p.works()); n != frozen {
		t.Errorf("%d works were begun while frozen", n-frozen)
	}
	core.freeze(4, false)
	core.until("work again", func() bool { return len(p.works()) > frozen })
}

func TestACrashedAgentLosesItsWorkAndWorksItAgainWhenItIsBack(t *testing.T) {
	p := &puppet{took: time.Hour}
	core, h := startSim(t, p)
	core.order("m1", nil)
	core.order("m2", nil)
	core.until("in hand", func() bool { return len(core.lastBeat().Agents) == 1 && core.lastBeat().Agents[0].InHand == 1 })
	core.inject(wire.Inject{Fault: wire.FaultCrash})
	core.until("the crash is told", func() bool { _, ok := core.reportedItem(wire.ReportCrash); return ok })
	core.until("a beat without it", func() bool { return len(core.lastBeat().Agents) == 0 })
	core.order("m3", nil) // nobody there: silence

	p.mu.Lock()
	p.took = 0
	p.mu.Unlock()
	core.inject(wire.Inject{Fault: wire.FaultRevive, Agents: []string{"a-01"}})
	if it := core.untilState("m1", wire.Worked, "a-01"); !it.Again {
		t.Error("m1 was begun twice and does not say so")
	}
	if it := core.untilState("m2", wire.Worked, "a-01"); it.Again {
		t.Error("m2 was begun once and says again")
	}
	core.until("the return is told", func() bool { _, ok := core.reportedItem(wire.ReportReturn); return ok })
	crash, _ := core.reportedItem(wire.ReportCrash)
	back, _ := core.reportedItem(wire.ReportReturn)
	if back.Incarnation != crash.Incarnation+1 {
		t.Errorf("incarnation %d, then %d", crash.Incarnation, back.Incarnation)
	}
	if st := h.Stats(); st.Crashes != 1 || st.Returns != 1 || st.WorkedAgain != 1 || st.Agents != 1 {
		t.Errorf("stats %+v", st)
	}
	if it := core.state("m3", "a-01"); it.State != wire.Unsent {
		t.Errorf("a dead agent said %s", it.State)
	}
}

func TestInAHostThatDrainsNobodyReturns(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(2)...)
	cfg := testConfig(s)
	cfg.DrainTimeout = time.Second
	cfg.Emulate = func(wire.Enrolled) Emulation { return &puppet{took: time.Hour} }
	h, stop := start(t, cfg)
	core.until("a beat of two", func() bool { return len(core.beats) > 0 && len(core.lastBeat().Agents) == 2 })
	core.order("m1", nil, "a-02") // its work outlasts the drain
	core.until("in hand", func() bool { b := core.lastBeat().Agents; return len(b) == 2 && b[1].InHand == 1 })
	core.inject(wire.Inject{Fault: wire.FaultCrash, Agents: []string{"a-01"}, ForMS: 500})
	core.until("the crash is told", func() bool { _, ok := core.reportedItem(wire.ReportCrash); return ok })
	stop() // the return would come within the drain
	if st := h.Stats(); st.Crashes != 1 || st.Returns != 0 {
		t.Errorf("%d crashes, %d returns; a host that leaves brings nobody back", st.Crashes, st.Returns)
	}
}

func TestAStalledAgentBeatsAndDoesNothing(t *testing.T) {
	p := &puppet{took: 50 * time.Millisecond}
	core, _ := startSim(t, p)
	core.order("m1", nil)
	core.until("in hand", func() bool { return len(p.works()) == 1 })
	core.inject(wire.Inject{Fault: wire.FaultStall})
	core.order("m2", nil)
	core.untilState("m2", wire.Received, "a-01")
	beats := len(core.beats)
	core.until("three beats more, still in hand", func() bool {
		b := core.lastBeat()
		return len(core.beats) >= beats+3 && len(b.Agents) == 1 && b.Agents[0].InHand == 1 && b.Agents[0].QueueDepth == 1
	})
	if it := core.state("m1", "a-01"); it.State != wire.Received {
		t.Errorf("it ended m1 as %s while it was stalled", it.State)
	}
	core.inject(wire.Inject{Fault: wire.FaultRevive})
	core.untilState("m1", wire.Worked, "a-01")
	core.untilState("m2", wire.Worked, "a-01")
}

func TestAStallEndsByItselfWhenItHasATime(t *testing.T) {
	p := &puppet{}
	core, _ := startSim(t, p)
	core.inject(wire.Inject{Fault: wire.FaultStall, ForMS: 200})
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")
}

func TestASlowedAgentTakesLonger(t *testing.T) {
	p := &puppet{took: 10 * time.Millisecond}
	core, _ := startSim(t, p)
	core.inject(wire.Inject{Fault: wire.FaultSlow, Factor: 20})
	core.order("m1", nil)
	if it := core.untilState("m1", wire.Worked, "a-01"); it.ProcessingMS < 200 {
		t.Errorf("it took %v ms, want 10 times 20", it.ProcessingMS)
	}
}

func TestLostBeatsAreCountedAndLostMessagesComeAgain(t *testing.T) {
	p := &puppet{}
	core, h := startSim(t, p)
	core.inject(wire.Inject{Fault: wire.FaultLoss, Factor: 1})
	core.until("a beat without it, counted", func() bool { return len(core.lastBeat().Agents) == 0 && core.lastBeat().Lost == 1 })
	core.order("m1", nil)
	core.inject(wire.Inject{Fault: wire.FaultRevive})
	core.until("a beat with it", func() bool { return len(core.lastBeat().Agents) == 1 })
	if len(p.works()) != 0 {
		t.Error("a lost message was worked")
	}
	core.order("m1", nil) // the lead repeats it
	core.untilState("m1", wire.Worked, "a-01")

	sent, lost := 0, 0
	core.until("all counted", func() bool {
		sent, lost = 0, 0
		for _, b := range core.beats {
			sent += len(b.Agents)
			lost += b.Lost
		}
		return lost == int(h.Stats().BeatsLost)
	})
	if st := h.Stats(); st.BeatsSent < uint64(sent) {
		t.Errorf("the lead has seen %d beats, the host says it sent %d", sent, st.BeatsSent)
	}
}

func TestAResultLostOnTheLegIsAnsweredFromTheJournal(t *testing.T) {
	p := &puppet{took: 300 * time.Millisecond}
	core, h := startSim(t, p)
	core.order("m1", nil)
	core.until("in hand", func() bool { return len(p.works()) == 1 })
	core.inject(wire.Inject{Fault: wire.FaultLoss, Factor: 1})
	core.until("it has ended", func() bool { return h.Stats().Worked == 1 })
	beats := len(core.beats)
	core.until("two beats more", func() bool { return len(core.beats) >= beats+2 })
	if it := core.state("m1", "a-01"); it.State != wire.Received {
		t.Fatalf("the result was lost, and the lead heard %s", it.State)
	}
	core.inject(wire.Inject{Fault: wire.FaultRevive})
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")
	if n := len(p.works()); n != 1 {
		t.Errorf("it was worked %d times", n)
	}
}

func TestACutLinkIsSilentAndComesBack(t *testing.T) {
	p := &puppet{}
	core, _ := startSim(t, p)
	core.inject(wire.Inject{Fault: wire.FaultCut, ForMS: 400})
	core.until("a second hello", func() bool { return len(core.hellos) == 2 })
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")
}

func TestASkewedClockIsFoundOut(t *testing.T) {
	p := &puppet{}
	core, _ := startSim(t, p)
	core.until("an estimate near 0", func() bool { b := core.lastBeat(); return b.ClockErrorMS > 0 && b.ClockOffsetMS < 1000 })
	core.inject(wire.Inject{Fault: wire.FaultSkew, SkewMS: -7_200_000})
	core.until("an estimate near 2 h", func() bool {
		d := core.lastBeat().ClockOffsetMS - 7_200_000
		return d < 1000 && d > -1000
	})
	core.inject(wire.Inject{Fault: wire.FaultRevive})
	core.until("an estimate near 0", func() bool { return core.lastBeat().ClockOffsetMS < 1000 })
}

func TestEmulatedWorkExpiresAtItsDeadline(t *testing.T) {
	p := &puppet{took: time.Hour}
	core, _ := startSim(t, p)
	core.order("m1", func(m *wire.MeshMessage) { m.TTLMS = 200 })
	core.untilState("m1", wire.Expired, "a-01")
}
