package fleet

import (
	"math/rand/v2"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// Model holds what the agents of one class of a fleet have in common, worked out
// once from the profile. It does not change and is shared.
type Model struct {
	Class  wire.Class
	own    Class
	loss   float64
	churn  Churn
	crash  float64 // crashes of one agent an hour
	jitter float64 // standard deviation of ln of a trip, from one to the next
	drift  float64 // … of its slow part
	body   float64 // … of the service time
}

// NewModel prepares a class of a profile that [Parse] or [Default] made, for a
// fleet of this many agents: churn is given for the fleet and shared out.
func NewModel(p *Profile, class wire.Class, agents int) *Model {
	own := *p.Classes.Of(class)
	return &Model{
		Class: class,
		own:   own,
		loss:  p.Loss.Probability,
		churn: p.Churn,
		crash: p.Churn.CrashesPerMin * 60 / float64(max(1, agents)),
		// A round trip is two trips whose jitters are independent; each must
		// vary by √2 more for the sum to vary by the given share.
		jitter: sigmaOf(1.4142135623730951 * own.Network.JitterCV),
		drift:  sigmaOf(own.Network.DriftCV),
		body:   sigmaOf(own.Service.BodyCV),
	}
}

// Agent is the behaviour of one emulated agent; it implements
// [agentd.Emulation], whose rules hold: one goroutine, times that never go back.
type Agent struct {
	model *Model
	rng   rand.PCG

	// Drawn once.
	medianMS, baseMS float32
	weight, queue    float32 // a and b of the service time

	// What wanders: logarithms, and when each was last moved on.
	drift, route, regime float32
	netAt, regimeAt      instant

	warm  instant // end of the latest work; 0: never worked
	burst int32   // own tasks of the present burst that are still to come
}

var _ agentd.Emulation = (*Agent)(nil)

// instant is a time as Unix nanoseconds, a third of a time.Time; 0 is before
// anything was asked.
type instant int64

func at(t time.Time) instant { return instant(t.UnixNano()) }

// since is the time from i to t, never negative; 0 if i was never set.
func (i instant) since(t time.Time) time.Duration {
	if i == 0 {
		return 0
	}
	return max(0, time.Duration(at(t)-i))
}

// NewAgent makes the agent of this id. Equal seeds, ids and models make equal
// agents.
func NewAgent(m *Model, seed uint64, id string) *Agent {
	a := &Agent{model: m, rng: stream(seed, id)}
	r := rand.New(&a.rng)
	s := &m.own.Service
	a.medianMS = float32(even(r, m.own.Network.MedianMS))
	a.baseMS = float32(s.BaseMS * logNormal(r, s.SpreadLogSD))
	a.weight = float32(even(r, s.Weight))
	a.queue = float32(even(r, s.Queue))
	a.drift = float32(m.drift * r.NormFloat64())
	return a
}

// models prepares all classes of a profile for a fleet of this many agents.
func models(p *Profile, agents int) map[wire.Class]*Model {
	m := make(map[wire.Class]*Model, len(wire.Classes))
	for _, c := range wire.Classes {
		m[c] = NewModel(p, c, agents)
	}
	return m
}
