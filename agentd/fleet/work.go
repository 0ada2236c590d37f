package fleet

import (
	"math/rand/v2"
	"time"
)

const (
	// inBurst is how far apart the tasks of one burst arrive.
	inBurst = time.Millisecond
	// minWeight is the lightest task: the host divides by weights.
	minWeight = 0.1
)

// NextOwn implements [agentd.Emulation]: bursts come at random (Poisson), their
// sizes are geometric, so that the counts of a minute scatter 2·BurstMean − 1
// times as much as single tasks would.
func (a *Agent) NextOwn(now time.Time) (time.Time, float64) {
	w := &a.model.own.Work
	if w.IntervalS == 0 {
		return time.Time{}, 0
	}
	r := rand.New(&a.rng)
	weight := max(minWeight, w.WeightMedian*logNormal(r, w.WeightLogSD))
	if a.burst > 0 {
		a.burst--
		return now.Add(inBurst), weight
	}
	a.burst = int32(geometric(r, w.BurstMean) - 1)
	// Bursts are rarer than tasks by their mean size.
	return now.Add(1 + span(w.IntervalS*w.BurstMean*r.ExpFloat64(), time.Second)), weight
}
