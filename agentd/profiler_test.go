package agentd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func naiveMedian(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// TestRobustIsMedianAndMAD compares with the definition.
func TestRobustIsMedianAndMAD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.Float32Range(0, 1e6)).Draw(t, "samples")
		var r ring
		for _, x := range all {
			r.add(float64(x))
		}
		var last, deviations []float64
		for _, x := range all[max(0, len(all)-ringSize):] {
			last = append(last, float64(x))
		}
		median := naiveMedian(last)
		for _, x := range last {
			deviations = append(deviations, math.Abs(x-median))
		}
		gotMedian, gotMAD := r.robust(new([ringSize]float32))
		if gotMedian != median || gotMAD != naiveMedian(deviations) {
			t.Fatalf("median %v, MAD %v; want %v, %v", gotMedian, gotMAD, median, naiveMedian(deviations))
		}
	})
}

func TestAProfileOfSteadyAndOfWildTrips(t *testing.T) {
	var steady, wild profile
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		steady.leg(20 * time.Millisecond)
		wild.leg(time.Duration(rng.ExpFloat64() * float64(20*time.Millisecond)))
	}
	var scratch [ringSize]float32
	steady.measure(&scratch)
	wild.measure(&scratch)
	if steady.latencyMS != 40 || steady.drift != 0 {
		t.Errorf("steady: %v ms there and back, drift %v", steady.latencyMS, steady.drift)
	}
	if wild.drift < 0.5 {
		t.Errorf("wild: drift %v is not unstable (4.2: over 0.5)", wild.drift)
	}
	steady.served(300*time.Millisecond, 3)
	if steady.measure(&scratch); steady.processingMS != 100 {
		t.Errorf("processing %v ms of a standard payload, want 100", steady.processingMS)
	}
}

func TestALocalLinkIsNotUnstableForItsStampsWaver(t *testing.T) {
	if d := linkDrift(100, 0.3, 0.15); d > 0.5 {
		t.Errorf("a loopback drifts by %v", d)
	}
	if d := linkDrift(100, 40, 20); d < 0.5 {
		t.Errorf("a wild link drifts by %v only", d)
	}
	if d := linkDrift(2, 40, 20); d != 0 {
		t.Errorf("two samples are taken for a drift of %v", d)
	}
}

func TestReliabilityIsOfTheLastHour(t *testing.T) {
	var p profile
	now := time.Unix(1_000_000_000, 0)
	if r := p.reliability(now); r != 1 {
		t.Errorf("of nothing: %v, want 1", r)
	}
	for range 3 {
		p.outcome(now, true)
	}
	p.outcome(now.Add(10*time.Minute), false)
	if r := p.reliability(now.Add(50 * time.Minute)); r != 0.75 {
		t.Errorf("within the hour: %v, want 0.75", r)
	}
	if r := p.reliability(now.Add(65 * time.Minute)); r != 0 {
		t.Errorf("when only the failure is of the last hour: %v, want 0", r)
	}
	if r := p.reliability(now.Add(3 * time.Hour)); r != 1 {
		t.Errorf("long after: %v, want 1", r)
	}
}

// BenchmarkProfile is the cost of one agent's heartbeat: two new samples, all
// figures. 30,000 agents need 6,000 of these a second.
func BenchmarkProfile(b *testing.B) {
	var p profile
	var scratch [ringSize]float32
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	for range ringSize {
		p.leg(time.Duration(rng.Int64N(1e9)))
		p.served(time.Duration(rng.Int64N(1e9)), 1)
	}
	for b.Loop() {
		p.leg(time.Duration(rng.Int64N(1e9)))
		p.measure(&scratch)
		p.reliability(now)
	}
}
