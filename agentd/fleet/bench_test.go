package fleet

import (
	"fmt"
	"testing"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// liveABit fails if the agent does something that no agent can.
func liveABit(t *testing.T, a *Agent) {
	t.Helper()
	for i := range 50 {
		now := epoch.Add(time.Duration(i) * time.Hour)
		leg, _ := a.Leg(now)
		took, _ := a.Serve(now, agentd.Work{Weight: 1e6}, 1e6)
		own, weight := a.NextOwn(now)
		crash, away := a.NextCrash(now)
		switch {
		case leg < 0, took < 0, away < 0, weight < minWeight:
			t.Fatalf("leg %v, took %v, away %v, weight %v", leg, took, away, weight)
		case !own.IsZero() && !own.After(now), !crash.IsZero() && !crash.After(now):
			t.Fatalf("own work at %v, crash at %v: not after %v", own, crash, now)
		}
	}
}

func fleetOf(n int) []*Agent {
	p := Default()
	models := models(&p, n)
	agents := make([]*Agent, 0, n)
	for _, c := range wire.Classes {
		for i := range p.Counts(n)[c] {
			agents = append(agents, NewAgent(models[c], 1, fmt.Sprintf("sim-%s-%d", c, i)))
		}
	}
	return agents
}

func BenchmarkLeg(b *testing.B) {
	a, now := agentOf(wire.ClassPersistent, 1), epoch
	for b.Loop() {
		now = now.Add(5 * time.Second)
		a.Leg(now)
	}
}

func BenchmarkServe(b *testing.B) {
	a, now := agentOf(wire.ClassServerless, 1), epoch
	for b.Loop() {
		now = now.Add(time.Second)
		a.Serve(now, agentd.Work{Weight: 1}, 1)
	}
}

func BenchmarkBirthOf30000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		fleetOf(30_000)
	}
}

// All that the models of 30,000 agents are asked in a minute: a round trip each
// heartbeat, and its own work as it comes.
func BenchmarkMinuteOf30000(b *testing.B) {
	agents := fleetOf(30_000)
	next := make([]time.Time, len(agents))
	for i, a := range agents {
		next[i], _ = a.NextOwn(epoch)
	}
	start, tasks := epoch, 0
	for b.Loop() {
		for beat := range 12 {
			now := start.Add(time.Duration(beat) * 5 * time.Second)
			for i, a := range agents {
				a.Leg(now)
				a.Leg(now)
				for !next[i].IsZero() && next[i].Before(now) {
					a.Serve(next[i], agentd.Work{Weight: 1}, 0)
					next[i], _ = a.NextOwn(next[i])
					tasks++
				}
			}
		}
		start = start.Add(time.Minute)
	}
	b.ReportMetric(float64(tasks)/float64(b.N), "tasks/min")
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N)/60, "%core")
}
