package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// epoch is when every test's fleet begins.
var epoch = time.Date(2024, 11, 30, 12, 0, 0, 0, time.UTC)

// agentOf is the n-th agent of a class with the default profile.
func agentOf(c wire.Class, n int) *Agent {
	p := Default()
	return NewAgent(NewModel(&p, c, 30_000), 1, fmt.Sprintf("sim-%s-%d", c, n))
}

// roundTrips draws n round trips, in ms.
func roundTrips(a *Agent, n int, every time.Duration) []float64 {
	x := make([]float64, n)
	for i := range x {
		now := epoch.Add(time.Duration(i) * every)
		out, _ := a.Leg(now)
		back, _ := a.Leg(now)
		x[i] = float64(out+back) / 1e6
	}
	return x
}

// ownWork draws n tasks of its own: the gaps in seconds and the weights.
func ownWork(a *Agent, n int) (gaps, weights []float64) {
	now := epoch
	for range n {
		next, w := a.NextOwn(now)
		gaps, weights = append(gaps, next.Sub(now).Seconds()), append(weights, w)
		now = next
	}
	return gaps, weights
}

// life is everything that an agent does in n steps.
func life(seed uint64, id string, n int) []int64 {
	p := Default()
	p.Churn.CrashesPerMin = 300
	p.Loss.Probability = 0.1
	a := NewAgent(NewModel(&p, wire.ClassServerless, 1000), seed, id)
	var out []int64
	for i := range n {
		now := epoch.Add(time.Duration(i) * 5 * time.Second)
		leg, lost := a.Leg(now)
		took, _ := a.Serve(now, agentd.Work{Weight: 1}, i%3)
		own, _ := a.NextOwn(now)
		crash, away := a.NextCrash(now)
		out = append(out, int64(leg), int64(took), own.UnixNano(), crash.UnixNano(), int64(away))
		if lost {
			out = append(out, -1)
		}
	}
	return out
}

func TestTheSameSeedShowsTheSameAgentAgain(t *testing.T) {
	first := life(7, "sim-1", 1000)
	if !slices.Equal(first, life(7, "sim-1", 1000)) {
		t.Error("seed 7, agent sim-1: two lives of 1,000 steps differ")
	}
	if slices.Equal(first, life(8, "sim-1", 1000)) {
		t.Error("seeds 7 and 8 show the same life of sim-1")
	}
	if slices.Equal(first, life(7, "sim-2", 1000)) {
		t.Error("sim-1 and sim-2 live the same life")
	}
}

// A fleet file that is changed in one place must not give an agent another
// network: who an agent is stays what its seed says.
func TestAnAgentStaysWhoItIsAtEveryStart(t *testing.T) {
	a, b := agentOf(wire.ClassGPU, 3), agentOf(wire.ClassGPU, 3)
	roundTrips(a, 500, time.Second)
	if a.medianMS != b.medianMS || a.baseMS != b.baseMS {
		t.Error("median and base changed while the agent ran")
	}
}

func TestMediansAreOrderedAsTheClassesAre(t *testing.T) {
	p := Default()
	last := 0.0
	for _, c := range []wire.Class{wire.ClassEdge, wire.ClassServerless, wire.ClassPersistent, wire.ClassGPU} {
		got := medianOver(c, 200, func(a *Agent) float64 { return median(roundTrips(a, 50, 5*time.Second)) })
		if got <= last {
			t.Errorf("class %s: median round trip %.1f ms is not over the %.1f ms of the class before", c, got, last)
		}
		if in := p.Classes.Of(c).Network.MedianMS; got < in[0] || got > in[1] {
			t.Errorf("class %s: median round trip %.1f ms is outside 2.2's %v", c, got, in)
		}
		last = got
	}
}

func TestStandardWorkTakesTheClassesBaseTime(t *testing.T) {
	for _, c := range wire.Classes {
		got := medianOver(c, 200, func(a *Agent) float64 { return median(service(a, 50)) })
		if want := c.BaseMS(); got < 0.8*want || got > 1.25*want {
			t.Errorf("class %s: median of standard work %.1f ms; 3.1 has %.0f ms", c, got, want)
		}
	}
}

func TestWeightAndQueueMakeWorkLonger(t *testing.T) {
	a := bodyOnly(wire.ClassGPU)
	took := func(w float64, queued int) float64 {
		x := make([]float64, 200)
		for i := range x {
			d, _ := a.Serve(epoch, agentd.Work{Weight: w}, queued)
			x[i] = float64(d)
		}
		return median(x)
	}
	if plain, heavy := took(1, 0), took(10, 0); heavy < 2*plain {
		t.Errorf("weight 10 takes %.2f times as long as weight 1; want over 2", heavy/plain)
	}
	if plain, queued := took(1, 0), took(1, 20); queued < 1.2*plain {
		t.Errorf("a queue of 20 makes work %.2f times as long; want over 1.2", queued/plain)
	}
}

func TestAnAgentIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Agent{}); size > 200 {
		t.Errorf("an agent takes %d bytes; want at most 200", size)
	}
}

func TestNothingThatIsAskedGoesBack(t *testing.T) {
	for _, c := range wire.Classes {
		a := agentOf(c, 1)
		for i := range 2000 {
			now := epoch.Add(time.Duration(i) * time.Second)
			if next, _ := a.NextOwn(now); !next.After(now) {
				t.Fatalf("class %s: own work at %v is not after %v", c, next, now)
			}
			if d, _ := a.Leg(now); d < 0 {
				t.Fatalf("class %s: a trip of %v", c, d)
			}
		}
	}
}
