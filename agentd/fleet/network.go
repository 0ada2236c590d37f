package fleet

import (
	"math"
	"math/rand/v2"
	"time"
)

// Leg implements [agentd.Emulation]: half the agent's median round trip, times
// what has drifted and been rerouted since, times the jitter, now and then a
// tail, and a retransmission on top.
func (a *Agent) Leg(now time.Time) (delay time.Duration, lost bool) {
	r := rand.New(&a.rng)
	a.moveNetwork(r, now)
	n := &a.model.own.Network
	ms := float64(a.medianMS) / 2 * math.Exp(float64(a.drift+a.route)) * logNormal(r, a.model.jitter) * n.Tail.draw(r)
	if chance(r, n.Retransmit) {
		ms += even(r, n.RetransmitMS)
	}
	return millis(ms), chance(r, a.model.loss)
}

// moveNetwork moves drift and route on to now. A new route is drawn around the
// agent's median, not around the old route: routes shift, they do not run away.
func (a *Agent) moveNetwork(r *rand.Rand, now time.Time) {
	dt := a.netAt.since(now)
	a.netAt = max(a.netAt, at(now))
	if dt == 0 {
		return
	}
	n := &a.model.own.Network
	a.drift = float32(wander(r, float64(a.drift), a.model.drift, dt, span(n.DriftMin, time.Minute)))
	if happens(r, n.RoutesPerDay, dt) {
		a.route = float32(n.RouteLogSD * r.NormFloat64())
	}
}
