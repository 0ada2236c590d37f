package fleet

import (
	"math/rand/v2"
	"time"
)

// NextCrash implements [agentd.Emulation]. Crashes come at random (Poisson); the
// agent comes back cold, with the regime it had: the machine is the same.
func (a *Agent) NextCrash(now time.Time) (time.Time, time.Duration) {
	a.warm, a.burst = 0, 0
	if a.model.crash == 0 {
		return time.Time{}, 0
	}
	r := rand.New(&a.rng)
	up := span(r.ExpFloat64()/a.model.crash, time.Hour)
	return now.Add(1 + up), a.away(r)
}

// away draws a down time: a log-normal body with a tail.
func (a *Agent) away(r *rand.Rand) time.Duration {
	c := &a.model.churn
	s := c.DownMedianS * logNormal(r, c.DownLogSD) * c.DownTail.draw(r)
	return span(min(s, c.DownMaxS), time.Second)
}
