package fleet

import (
	"math"
	"math/rand/v2"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// Serve implements [agentd.Emulation]. Work begun at now takes
//
//	base · exp(regime) · (1 + a·weight)/(1 + a) · (1 + b·queued) · log-normal · tail
//
// and a cold start on top, so that base is the median of a standard payload, of
// weight 1, in an empty queue: 3.1's base processing. It always ends WORKED.
func (a *Agent) Serve(now time.Time, w agentd.Work, queued int) (time.Duration, agentd.Result) {
	r := rand.New(&a.rng)
	a.moveRegime(r, now)
	s := &a.model.own.Service
	wf, qf := float64(a.weight), float64(a.queue)
	ms := float64(a.baseMS) * math.Exp(float64(a.regime)) *
		(1 + wf*w.Weight) / (1 + wf) * (1 + qf*float64(queued)) *
		logNormal(r, a.model.body) * s.Tail.draw(r)
	took := millis(ms + a.coldStart(r, now))
	a.warm = at(now) + instant(took)
	return took, agentd.Result{State: wire.Worked}
}

// moveRegime lets a regime wear off up to now and now and then begins another.
func (a *Agent) moveRegime(r *rand.Rand, now time.Time) {
	dt := a.regimeAt.since(now)
	a.regimeAt = max(a.regimeAt, at(now))
	g := &a.model.own.Service.Regime
	if a.regime != 0 {
		a.regime *= float32(math.Exp(-float64(dt) / float64(span(g.RevertMin, time.Minute))))
	}
	if happens(r, g.PerDay, dt) {
		a.regime += float32(g.LogSD * r.NormFloat64())
	}
}

// coldStart is what it costs, in ms, if the agent is not warm at now: it has not
// worked for long, never, or the platform starts another instance.
func (a *Agent) coldStart(r *rand.Rand, now time.Time) float64 {
	c := &a.model.own.Service.Cold
	idle := c.IdleS > 0 && (a.warm == 0 || a.warm.since(now) > span(c.IdleS, time.Second))
	if !idle && !chance(r, c.Probability) {
		return 0
	}
	return c.ExtraMS * logNormal(r, c.LogSD)
}
