package fleet

import (
	"testing"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// Each behaviour shows in the default profile and is gone when it is switched
// off there: it is what it says, and nothing else makes it.
func TestEachBehaviourCanBeSwitchedOff(t *testing.T) {
	tests := []struct {
		what  string
		class wire.Class
		off   func(*Profile, *Class)
		// figure is over the threshold exactly when the behaviour is on.
		figure    func(*Agent) float64
		threshold float64
	}{
		{
			"jitter", wire.ClassLocal,
			func(_ *Profile, c *Class) { c.Network.JitterCV = 0 },
			func(a *Agent) float64 { x := roundTrips(a, 200, 0); return quantile(x, 0.75) / quantile(x, 0.25) }, 1.01,
		},
		{
			"drift", wire.ClassLocal,
			func(_ *Profile, c *Class) { c.Network.DriftCV = 0 },
			func(a *Agent) float64 {
				a.model.own.Network.RoutesPerDay = 0
				return spreadOfMedians(a, 40, 2*time.Hour)
			}, 1.3,
		},
		{
			"route shifts", wire.ClassEdge,
			func(_ *Profile, c *Class) { c.Network.RoutesPerDay = 0 },
			func(a *Agent) float64 { a.model.drift, a.drift = 0, 0; return spreadOfMedians(a, 100, 24*time.Hour) }, 1.03,
		},
		{
			"retransmissions", wire.ClassEdge,
			func(_ *Profile, c *Class) { c.Network.Retransmit = 0 },
			func(a *Agent) float64 { return quantile(roundTrips(a, 20_000, time.Second), 0.9999) }, 150,
		},
		{
			"tail of the network", wire.ClassLocal,
			func(_ *Profile, c *Class) { c.Network.Tail.Probability, c.Network.Retransmit = 0, 0 },
			func(a *Agent) float64 { return ratio(roundTrips(a, 5000, 0), 0.995) }, 2.5,
		},
		{
			"tail of the service", wire.ClassPersistent,
			func(_ *Profile, c *Class) { c.Service.Tail.Probability = 0 },
			func(a *Agent) float64 { return ratio(serviceAt(a, 5000, 0), 0.999) }, 4,
		},
		{
			"scatter of the service", wire.ClassGPU,
			func(_ *Profile, c *Class) { c.Service.BodyCV = 0 },
			func(a *Agent) float64 { x := serviceAt(a, 500, 0); return quantile(x, 0.75) / quantile(x, 0.25) }, 1.05,
		},
		{
			"regimes", wire.ClassGPU,
			func(_ *Profile, c *Class) { c.Service.Regime.PerDay = 0 },
			func(a *Agent) float64 { return regimes(a) }, 0.5,
		},
		{
			"cold starts by chance", wire.ClassServerless,
			func(_ *Profile, c *Class) { c.Service.Cold.Probability = 0 },
			func(a *Agent) float64 { return ratio(serviceAt(a, 5000, 0), 0.99) }, 4,
		},
		{
			"cold starts after idleness", wire.ClassServerless,
			func(_ *Profile, c *Class) { c.Service.Cold.IdleS = 0 },
			func(a *Agent) float64 { return median(serviceAt(a, 50, time.Hour)) }, 200,
		},
		{
			"weight", wire.ClassGPU,
			func(_ *Profile, c *Class) { c.Service.Weight = Range{} },
			func(a *Agent) float64 { return worked(a, 10, 0) / worked(a, 1, 0) }, 1.5,
		},
		{
			"queue", wire.ClassGPU,
			func(_ *Profile, c *Class) { c.Service.Queue = Range{} },
			func(a *Agent) float64 { return worked(a, 1, 40) / worked(a, 1, 0) }, 1.3,
		},
		{
			"own work", wire.ClassGPU,
			func(_ *Profile, c *Class) { c.Work.IntervalS = 0 },
			func(a *Agent) float64 { next, _ := a.NextOwn(epoch); return float64(next.Unix()) }, 0,
		},
		{
			"bursts", wire.ClassServerless,
			func(_ *Profile, c *Class) { c.Work.BurstMean = 1 },
			func(a *Agent) float64 { return dispersion(a, 20_000) }, 3,
		},
		{
			"loss", wire.ClassEdge,
			func(p *Profile, _ *Class) { p.Loss.Probability = 0 },
			func(a *Agent) float64 { return losses(a, 1000) }, 0,
		},
		{
			"churn", wire.ClassEdge,
			func(p *Profile, _ *Class) { p.Churn.CrashesPerMin = 0 },
			func(a *Agent) float64 { next, _ := a.NextCrash(epoch); return float64(next.Unix()) }, 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			p := Default()
			p.Loss.Probability, p.Churn.CrashesPerMin = 0.05, 300
			agent := func() *Agent { return NewAgent(NewModel(&p, tt.class, 30_000), 5, "sim-1") }
			if on := tt.figure(agent()); on <= tt.threshold {
				t.Errorf("switched on: %.4g is not over %.4g: the behaviour does not show", on, tt.threshold)
			}
			tt.off(&p, p.Classes.Of(tt.class))
			if off := tt.figure(agent()); off > tt.threshold {
				t.Errorf("switched off: %.4g is still over %.4g: something else makes it", off, tt.threshold)
			}
		})
	}
}

// serviceAt draws n service times, ms, of standard payloads, every so often.
func serviceAt(a *Agent, n int, every time.Duration) []float64 {
	x := make([]float64, n)
	for i := range x {
		d, _ := a.Serve(epoch.Add(time.Duration(i)*every), agentd.Work{Weight: 1}, 0)
		x[i] = float64(d) / 1e6
	}
	return x
}

// spreadOfMedians is largest over smallest of n medians of round trips, each
// taken at one instant, so that only what is slow shows.
func spreadOfMedians(a *Agent, n int, apart time.Duration) float64 {
	x := make([]float64, n)
	for i := range x {
		one := make([]float64, 101)
		for j := range one {
			out, _ := a.Leg(epoch.Add(time.Duration(i) * apart))
			one[j] = float64(out)
		}
		x[i] = median(one)
	}
	return quantile(x, 1) / quantile(x, 0)
}

// regimes is the sum of all steps of the regime in a week, as seen each minute.
func regimes(a *Agent) (sum float64) {
	for i := range 7 * 24 * 60 {
		before := a.regime
		a.Serve(epoch.Add(time.Duration(i)*time.Minute), agentd.Work{Weight: 1}, 0)
		if step := float64(a.regime - before); step > 0.05 || step < -0.05 {
			sum += max(step, -step)
		}
	}
	return sum
}

// worked is the median service time of work of this weight with so many queued.
func worked(a *Agent, weight float64, queued int) float64 {
	x := make([]float64, 301)
	for i := range x {
		d, _ := a.Serve(epoch, agentd.Work{Weight: weight}, queued)
		x[i] = float64(d)
	}
	return median(x)
}

func losses(a *Agent, n int) (lost float64) {
	for range n {
		if _, gone := a.Leg(epoch); gone {
			lost++
		}
	}
	return lost
}

// A regime wears off: long after a step the service is what it was.
func TestARegimeWearsOff(t *testing.T) {
	a := agentOf(wire.ClassGPU, 1)
	never := *a.model
	never.own.Service.Regime.PerDay = 0
	a.model = &never
	a.Serve(epoch, agentd.Work{Weight: 1}, 0)
	a.regime = 1
	a.Serve(epoch.Add(20*time.Minute), agentd.Work{Weight: 1}, 0)
	if a.regime < 0.36 || a.regime > 0.38 {
		t.Errorf("after one revert_min the step of 1 is %.3f; want 1/e", a.regime)
	}
}

// Churn is given for the fleet: its agents together crash that often.
func TestTheFleetCrashesAsOftenAsAsked(t *testing.T) {
	p := Default()
	p.Churn.CrashesPerMin = 300
	m := NewModel(&p, wire.ClassEdge, 30_000)
	crashes := 0
	for i := range 30_000 {
		a := NewAgent(m, uint64(i), "sim-1")
		if next, away := a.NextCrash(epoch); next.Sub(epoch) < 10*time.Minute {
			crashes++
			if away <= 0 {
				t.Fatalf("an agent stays away for %v", away)
			}
		}
	}
	if crashes < 2700 || crashes > 3100 { // 3,000 expected, less the 5 % that would have crashed twice
		t.Errorf("%d first crashes in 10 minutes at 300 a minute; want about 2,850", crashes)
	}
}
