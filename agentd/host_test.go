package agentd

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// bench is a handler whose work ends when the test says so.
type bench struct {
	mu    sync.Mutex
	begun []Work
	open  map[string]func(Result)
	told  chan struct{}
	auto  bool // ends at once
}

func newBench(auto bool) *bench {
	return &bench{auto: auto, open: map[string]func(Result){}, told: make(chan struct{}, 1000)}
}

func (b *bench) Begin(ctx context.Context, w Work, end func(Result)) {
	b.mu.Lock()
	b.begun = append(b.begun, w)
	b.open[w.Message.MessageID+"/"+w.AgentID] = end
	b.mu.Unlock()
	b.told <- struct{}{}
	if b.auto {
		end(Result{State: wire.Worked, Answer: jsontext.Value(`"done"`)})
		return
	}
	context.AfterFunc(ctx, func() { end(Result{State: wire.Refused, Code: wire.CodeExpired}) })
}

func (b *bench) Close() error { return nil }

func (b *bench) times(message string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.begun {
		if w.Message.MessageID == message {
			n++
		}
	}
	return n
}

func (b *bench) end(t *testing.T, key string, r Result) {
	t.Helper()
	b.mu.Lock()
	end := b.open[key]
	b.mu.Unlock()
	if end == nil {
		t.Fatalf("%s has not begun", key)
	}
	end(r)
}

func (b *bench) untilBegun(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-b.told:
		case <-time.After(20 * time.Second):
			t.Fatal("work does not begin")
		}
	}
}

func (b *bench) handlers(wire.Enrolled) (Handler, error) { return b, nil }

func TestAHostSaysHelloBeatsAndWorks(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(3)...)
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	h, _ := start(t, cfg)

	core.until("two heartbeats", func() bool { return len(core.beats) >= 2 })
	core.order("m1", nil)
	it := core.untilState("m1", wire.Worked, "a-01", "a-02", "a-03")
	if string(it.Answer) != `"done"` || it.Trinary != wire.Ready {
		t.Errorf("the answer came as %s, %d", it.Answer, it.Trinary)
	}
	if st := h.Stats(); st.Agents != 3 || st.Worked != 3 || !st.Welcomed {
		t.Errorf("stats %+v", st)
	}
	core.mu.Lock()
	defer core.mu.Unlock()
	for _, id := range []string{"a-01", "a-02", "a-03"} {
		// RECEIVED is not said of what ends before its ACK is sent.
		if received, worked := core.count("m1", id, wire.Received), core.count("m1", id, wire.Worked); received > 1 || worked != 1 {
			t.Errorf("%s said RECEIVED %d times, WORKED %d times", id, received, worked)
		}
	}
	if beat := core.beats[0]; len(beat.Agents) != 3 || beat.Incarnation == 0 {
		t.Errorf("the first heartbeat is %+v", beat)
	}
}

func TestARepeatIsAnsweredFromTheJournalAndNotWorked(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers, cfg.Journal = b.handlers, t.TempDir()
	_, stop := start(t, cfg)
	core.until("hello", func() bool { return len(core.hellos) > 0 })
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")

	core.order("m1", nil)
	core.until("WORKED twice", func() bool { return core.count("m1", "a-01", wire.Worked) == 2 })
	stop()
	start(t, cfg) // the same journal
	core.until("a second hello", func() bool { return len(core.hellos) == 2 })
	core.until("a beat of the new start", func() bool { return len(core.beats) > 0 && core.beats[len(core.beats)-1].Incarnation == 2 })
	core.order("m1", nil)
	core.until("WORKED a third time", func() bool { return core.count("m1", "a-01", wire.Worked) == 3 })
	if n := b.times("m1"); n != 1 {
		t.Errorf("it was worked %d times", n)
	}
	if it := core.state("m1", "a-01"); string(it.Answer) != `"done"` {
		t.Errorf("after the restart the answer is %s", it.Answer)
	}
}

func TestNothingBeginsBeforeWelcomeNorWhileFrozen(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(2)...)
	core.frozen = wire.FrozenState{Seq: 5, All: true}
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	h, _ := start(t, cfg)
	core.until("the freeze is obeyed", func() bool { return len(core.froze) > 0 && core.froze[0].Seq == 5 && core.froze[0].Frozen == 2 })
	core.order("m1", nil)
	core.untilState("m1", wire.Received, "a-01", "a-02")
	core.freeze(4, false) // older: ignored, and the present state is answered
	core.until("still 5", func() bool { return len(core.froze) > 1 && core.froze[len(core.froze)-1].Seq == 5 })
	if n := h.Stats().Begun; n != 0 {
		t.Fatalf("%d messages begun while frozen", n)
	}
	core.freeze(6, false, "a-02")
	core.untilState("m1", wire.Worked, "a-01")
	if it := core.state("m1", "a-02"); it.State != wire.Received {
		t.Errorf("a-02 is frozen and says %s", it.State)
	}
	core.freeze(7, false)
	core.untilState("m1", wire.Worked, "a-02")
}

func TestWorkInHandGoesOnThroughAFreezeAndIsCounted(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(2)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("m1", nil, "a-01")
	b.untilBegun(t, 1)
	core.freeze(9, true)
	core.until("frozen with one in hand", func() bool {
		n := len(core.froze)
		return n > 0 && core.froze[n-1] == wire.FrozenAck{Seq: 9, Frozen: 2, InHand: 1, StoppedAt: core.froze[n-1].StoppedAt}
	})
	b.end(t, "m1/a-01", Result{State: wire.InConflict, Detail: &wire.ConflictDetail{Type: "STATE"}})
	if it := core.untilState("m1", wire.InConflict, "a-01"); it.Detail == nil || it.Trinary != wire.Conflict {
		t.Errorf("the conflict came as %+v", it)
	}
}

func TestWhatCannotBeTakenIsRefusedWithItsCode(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	core.queue = 2
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("flies", func(m *wire.MeshMessage) { m.Requires = []string{"flying"} })
	core.order("late", func(m *wire.MeshMessage) { m.TTLMS = 0 })
	core.order("m1", nil)
	core.order("m2", nil)
	core.order("m3", nil)
	for id, want := range map[string]wire.AckItem{
		"flies": {State: wire.Refused, Code: wire.CodeCapability},
		"late":  {State: wire.Expired, Code: wire.CodeExpired},
		"m3":    {State: wire.Refused, Code: wire.CodeQueueFull},
	} {
		if got := core.untilState(id, want.State, "a-01"); got.Code != want.Code {
			t.Errorf("%s: code %s, want %s", id, got.Code, want.Code)
		}
	}
	core.untilState("m2", wire.Received, "a-01")
}

func TestHigherPriorityFirstThenInOrder(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("first", nil)
	b.untilBegun(t, 1)
	for _, m := range []struct {
		id       string
		priority int
	}{{"low", 0}, {"mid-1", 2}, {"mid-2", 2}, {"high", 3}} {
		core.order(m.id, func(x *wire.MeshMessage) { x.Priority = m.priority })
		core.untilState(m.id, wire.Received, "a-01")
	}
	for _, id := range []string{"first", "high", "mid-1", "mid-2"} {
		b.end(t, id+"/a-01", Result{State: wire.Worked})
		b.untilBegun(t, 1)
	}
	b.end(t, "low/a-01", Result{State: wire.Worked})
	core.untilState("low", wire.Worked, "a-01")
}

func TestWorkIsBrokenOffWhenItsTimeToLiveRunsOut(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("m1", func(m *wire.MeshMessage) { m.TTLMS = 300 })
	core.order("m2", func(m *wire.MeshMessage) { m.TTLMS = 50 }) // waits behind it
	if it := core.untilState("m1", wire.Expired, "a-01"); it.Code != wire.CodeExpired {
		t.Errorf("m1: %+v", it)
	}
	core.untilState("m2", wire.Expired, "a-01")
	if b.times("m2") != 0 {
		t.Error("m2 was begun after its time")
	}
}

func TestAFreezeStopsTheClockOfAMessage(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(2)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.freeze(3, false, "a-01")
	core.until("frozen", func() bool { n := len(core.froze); return n > 0 && core.froze[n-1].Frozen == 1 })
	core.order("m1", func(m *wire.MeshMessage) { m.TTLMS = 400 })
	core.untilState("m1", wire.Expired, "a-02") // its handler never ends
	core.order("m2", func(m *wire.MeshMessage) { m.TTLMS = 1500 }, "a-02")
	core.untilState("m2", wire.Expired, "a-02") // far more than 400 ms of freeze have passed
	core.freeze(4, false)
	b.untilBegun(t, 3) // m1 and m2 at a-02, m1 at a-01
	b.end(t, "m1/a-01", Result{State: wire.Worked})
	core.untilState("m1", wire.Worked, "a-01")
}

func TestAHostDrains(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers, cfg.Journal, cfg.DrainTimeout = b.handlers, t.TempDir(), 20*time.Second
	_, stop := start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("m1", nil)
	core.order("m2", nil)
	b.untilBegun(t, 1)
	core.untilState("m2", wire.Received, "a-01")
	done := make(chan struct{})
	go func() { stop(); close(done) }()
	core.until("it leaves", func() bool {
		return len(core.reports) > 0 && core.reports[0].Items[0].Kind == wire.ReportLeaving
	})
	core.order("m3", nil)
	if it := core.untilState("m3", wire.Refused, "a-01"); it.Code != wire.CodeDraining {
		t.Errorf("m3: %+v", it)
	}
	b.end(t, "m1/a-01", Result{State: wire.Worked})
	core.untilState("m1", wire.Worked, "a-01")
	<-done
	if b.times("m2") != 0 {
		t.Error("a draining host began m2")
	}
	b.auto = true
	start(t, cfg)
	core.untilState("m2", wire.Worked, "a-01") // the journal had kept it
}

func TestWorkThatAKillCutShortIsWorkedAgainAndSaidSo(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(false)
	cfg := testConfig(s)
	cfg.Handlers, cfg.Journal, cfg.DrainTimeout = b.handlers, t.TempDir(), time.Millisecond
	_, stop := start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("m1", nil)
	b.untilBegun(t, 1)
	core.untilState("m1", wire.Received, "a-01")
	stop() // the drain does not wait for it: as if killed
	if it := core.state("m1", "a-01"); it.State != wire.Received {
		t.Fatalf("m1 is %s", it.State)
	}
	start(t, cfg)
	b.untilBegun(t, 1)
	b.end(t, "m1/a-01", Result{State: wire.Worked})
	if it := core.untilState("m1", wire.Worked, "a-01"); !it.Again {
		t.Error("it was worked again and does not say so")
	}
	if w := b.begun[1]; !w.Again {
		t.Error("the handler was not told that it may have been worked before")
	}
}

func TestTheCoresClockIsEstimated(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	core.skew = 3 * time.Hour
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers, cfg.ClockOffset = b.handlers, -time.Hour
	start(t, cfg)
	core.until("an estimate", func() bool {
		n := len(core.beats)
		return n > 0 && core.beats[n-1].ClockErrorMS > 0
	})
	beat := core.beats[len(core.beats)-1]
	want := ms(4 * time.Hour)
	if d := beat.ClockOffsetMS - want; d > beat.ClockErrorMS+1 || d < -beat.ClockErrorMS-1 {
		t.Errorf("offset %v ms, bound %v; want %v", beat.ClockOffsetMS, beat.ClockErrorMS, want)
	}
}

func TestARubbishMessageIsReportedAndHarmless(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	if err := core.nc.Publish(wire.SubjectCluster(testCluster), []byte("{rubbish\x1b[31m")); err != nil {
		t.Fatal(err)
	}
	core.inject(wire.Inject{Fault: wire.FaultCrash})
	core.until("both are rejected", func() bool {
		n := 0
		for _, r := range core.reports {
			for _, it := range r.Items {
				if it.Kind == wire.ReportRejected {
					n++
				}
			}
		}
		return n == 2
	})
	core.order("m1", nil)
	core.untilState("m1", wire.Worked, "a-01")
}

func TestAReportIsRepeatedUntilItIsAnswered(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	core.deaf = true
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.inject(wire.Inject{Fault: wire.FaultStall})
	core.until("the same report twice", func() bool { return len(core.reports) == 2 && core.reports[0].Seq == core.reports[1].Seq })
	core.mu.Lock()
	core.deaf = false
	core.mu.Unlock()
	core.inject(wire.Inject{Fault: wire.FaultStall})
	core.until("the next report", func() bool { return core.reports[len(core.reports)-1].Seq == 2 })
}

func TestAHostThatCannotWriteItsJournalAcknowledgesNothing(t *testing.T) {
	l, c := benchLoop(t)
	if err := l.journal.file.file.Close(); err != nil { // as a full disk would
		t.Fatal(err)
	}
	core, err := nats.Connect(l.link.conn.ConnectedUrl())
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	acked := make(chan *nats.Msg, 10)
	if _, err := core.ChanSubscribe(wire.UplinkAck.OfSector(7), acked); err != nil {
		t.Fatal(err)
	}
	if err := core.Flush(); err != nil {
		t.Fatal(err)
	}
	m := testMessage("m1", time.Minute)
	m.All = true
	if err := l.down(c, wire.Encode(&wire.Coordinate{Header: wire.Head(wire.TypeCoordinate), MeshMessage: *m})); err != nil {
		t.Fatal(err)
	}
	if err := l.turn(); err == nil || l.stats.begun.Load() != 0 {
		t.Fatalf("the turn ended with %v, %d begun", err, l.stats.begun.Load())
	}
	_ = l.close(func(error) {}) // complains about the file again
	if err := core.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := len(acked); n != 0 {
		t.Errorf("%d ACKs were sent", n)
	}
}

func TestAfterAReconnectNothingBeginsUntilTheLeadHasSaidWhoIsFrozen(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	b := newBench(true)
	cfg := testConfig(s)
	cfg.Handlers = b.handlers
	h, _ := start(t, cfg)
	core.until("a beat", func() bool { return len(core.beats) > 0 })

	core.mu.Lock()
	core.mute = true
	core.frozen = wire.FrozenState{Seq: 8, All: true}
	core.mu.Unlock()
	disconnect(t, s, "pi")
	core.until("a second hello", func() bool { return len(core.hellos) >= 2 })
	core.order("m1", nil)
	core.untilState("m1", wire.Received, "a-01")
	beats := len(core.beats)
	core.until("two beats more", func() bool { return len(core.beats) >= beats+2 })
	if n := h.Stats().Begun; n != 0 {
		t.Fatalf("%d begun before WELCOME", n)
	}
	core.mu.Lock()
	core.mute = false
	core.mu.Unlock()
	core.until("the freeze is obeyed", func() bool { n := len(core.froze); return n > 0 && core.froze[n-1].Seq == 8 })
	core.freeze(9, false)
	core.untilState("m1", wire.Worked, "a-01")
}

// disconnect breaks the connection of the client of this name.
func disconnect(t *testing.T, s *server.Server, name string) {
	t.Helper()
	list, err := s.Connz(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Conns {
		if c.Name == name {
			if err := s.DisconnectClientByID(c.Cid); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no client %s", name)
}
