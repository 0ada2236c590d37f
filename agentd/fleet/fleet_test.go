package fleet

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a profile in which nobody needs long: the story is about the fleet.
func quick() Profile {
	p := Default()
	for _, c := range wire.Classes {
		k := p.Classes.Of(c)
		k.Network.MedianMS, k.Network.Retransmit = Range{1, 3}, 0
		k.Service.BaseMS, k.Service.Tail.Probability, k.Service.Cold = 1, 0, Cold{}
		k.Work.IntervalS = 1
	}
	return p
}

// startFleet runs a fleet until the test ends or stop is called; stop returns
// when it has drained.
func startFleet(t *testing.T, l *leads, p Profile, journal string) (f *Fleet, stop func()) {
	t.Helper()
	f, err := New(Config{
		Places: []agentd.Config{l.place(journal)},
		Agents: l.agents, Seed: 1, Profile: p, DrainTimeout: time.Second,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the fleet ended with: %v", err)
		}
	})
	t.Cleanup(stop)
	return f, stop
}

func TestThreeHundredAgentsLive(t *testing.T) {
	agents := sector(300)
	l := newLeads(t, agents)
	f, stop := startFleet(t, l, quick(), t.TempDir())

	l.until("all 300 beat", func() bool { return len(l.beats) == 300 })
	l.until("latency of each is measured", func() bool { return all(l.beats, func(b wire.Beat) bool { return b.LatencyMS > 0 }) })
	l.until("own work is done by most", func() bool {
		return count(l.beats, func(b wire.Beat) bool { return b.Samples > 0 && b.ProcessingMS > 0 }) > 200
	})

	l.send("m-1")
	l.until("all have worked m-1", func() bool { return l.states["m-1"][wire.Worked] == 300 })

	l.freeze(11, true)
	l.until("all clusters say that they are frozen", func() bool { return frozen(l) == 300 })
	l.send("m-2")
	l.until("all have received m-2", func() bool { return l.states["m-2"][wire.Received] == 300 })
	if begun := f.Counters().Begun; begun != 300 {
		t.Errorf("%d messages begun, 300 of them before the freeze: something was begun while frozen", begun)
	}
	l.freeze(12, false)
	l.until("all have worked m-2 after the thaw", func() bool { return l.states["m-2"][wire.Worked] == 300 })

	first := l.latest("sim-5").Incarnation
	l.inject(wire.FaultCrash, 200, "sim-5")
	l.until("the crash is reported", func() bool { return l.reported(wire.ReportCrash, "sim-5") == 1 })
	l.until("the return is reported", func() bool { return l.reported(wire.ReportReturn, "sim-5") == 1 })
	l.until("it beats in a new incarnation", func() bool { return l.beats["sim-5"].Incarnation == first+1 })

	stop()
	l.until("every cluster is told that its host leaves", func() bool { return l.reported(wire.ReportLeaving, "") == 10 })
	c := f.Counters()
	l.until("every beat that was counted as sent arrives", func() bool { return uint64(l.beating) == c.Beats })
	if c.Worked != 600 || c.Crashes != 1 || c.Returns != 1 || c.BeatsLost != 0 {
		t.Errorf("counters: %+v; want 600 worked, one crash, one return, nothing lost", c)
	}
}

func TestChurnAndLossAreCountedAndReported(t *testing.T) {
	agents := sector(60)
	l := newLeads(t, agents)
	p := quick()
	p.Churn.CrashesPerMin, p.Churn.DownMedianS, p.Churn.DownMaxS = 3000, 0.05, 0.2
	p.Loss.Probability = 0.1
	f, stop := startFleet(t, l, p, "")

	l.until("twenty crashes and returns are reported", func() bool {
		return l.reported(wire.ReportCrash, "") >= 20 && l.reported(wire.ReportReturn, "") >= 20
	})
	l.until("beats are lost and said to be", func() bool { return l.lost > 10 })
	stop()
	c := f.Counters()
	l.until("each crash and return that was counted is reported", func() bool {
		return uint64(l.reported(wire.ReportCrash, "")) == c.Crashes && uint64(l.reported(wire.ReportReturn, "")) == c.Returns
	})
	l.until("beats sent are beats received", func() bool { return uint64(l.beating) == c.Beats })
	if uint64(l.lost) > c.BeatsLost {
		t.Errorf("the heartbeats speak of %d lost beats, the counters of %d", l.lost, c.BeatsLost)
	}
}

func TestNothingCrashesOrIsLostByDefault(t *testing.T) {
	agents := sector(60)
	l := newLeads(t, agents)
	f, stop := startFleet(t, l, quick(), "")
	l.until("a thousand beats have come", func() bool { return l.beating > 1000 })
	stop()
	if c := f.Counters(); c.Crashes+c.Returns+c.BeatsLost != 0 {
		t.Errorf("counters: %+v; want no crash, no return, nothing lost", c)
	}
}

func TestTheReportEndsWithAFinalLine(t *testing.T) {
	agents := sector(30)
	l := newLeads(t, agents)
	f, err := New(Config{
		Places: []agentd.Config{l.place("")}, Agents: 30, Profile: quick(), DrainTimeout: time.Second,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- f.Report(ctx, &out, 10*time.Millisecond) }()
	l.until("they beat", func() bool { return len(l.beats) == 30 })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last Counters
	for i, line := range lines {
		var c Counters
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("line %d is no JSON: %v", i, err)
		}
		if c.Beats < last.Beats || c.Final != (i == len(lines)-1) {
			t.Errorf("line %d of %d: %+v after %+v", i, len(lines), c, last)
		}
		last = c
	}
	if last.Beats < 30 || last.Hosts != 1 {
		t.Errorf("final line: %+v; want at least 30 beats of one host", last)
	}
}

func TestAFleetThatCannotRunSaysWhy(t *testing.T) {
	place := (&leads{}).place("")
	odd := Default()
	odd.Loss.Probability = 2
	foreign := place
	foreign.Sector = 8
	foreign.Clusters = []wire.Address{{Sector: 7, Cluster: 1}}
	for name, tt := range map[string]struct {
		cfg  Config
		want string
	}{
		"not joined":        {Config{Profile: Default()}, "join the mesh"},
		"odd profile":       {Config{Places: []agentd.Config{place}, Profile: odd}, "loss.probability"},
		"grant of a sector": {Config{Places: []agentd.Config{foreign}, Profile: Default()}, "sector 8"},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v; want one about %q", name, err, tt.want)
		}
	}
}

func TestClocksAreWrongAsTheProfileSays(t *testing.T) {
	f := &Fleet{cfg: Config{Seed: 3, Profile: Default()}}
	offsets, drifts := make([]float64, 500), make([]float64, 500)
	for i := range offsets {
		offset, ppm := f.clock(i + 1)
		if again, _ := f.clock(i + 1); again != offset {
			t.Fatal("a host's clock is not the same at the next start")
		}
		offsets[i], drifts[i] = float64(offset)/1e6, ppm
	}
	for what, x := range map[string][]float64{"offsets, ms": offsets, "drifts, ppm": drifts} {
		if inner := quantile(x, 0.84) - quantile(x, 0.16); inner < 16 || inner > 24 {
			t.Errorf("%s: two standard deviations are %.1f; want about 20", what, inner)
		}
	}
	f.cfg.Profile.Host = Host{}
	if offset, ppm := f.clock(1); offset != 0 || ppm != 0 {
		t.Errorf("switched off, the clock is off by %v and %v ppm", offset, ppm)
	}
}

func all(beats map[string]wire.Beat, ok func(wire.Beat) bool) bool {
	return count(beats, ok) == len(beats)
}

func count(beats map[string]wire.Beat, ok func(wire.Beat) bool) (n int) {
	for _, b := range beats {
		if ok(b) {
			n++
		}
	}
	return n
}

// frozen is how many agents their hosts call frozen.
func frozen(l *leads) (n int) {
	for _, a := range l.froze {
		n += a.Frozen
	}
	return n
}
