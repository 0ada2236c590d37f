package registry

import (
	"math"

	"mesh30k/meshcore/wire"
)

const (
	// queueFactor is 3.1's: each queued item adds 10 % to the processing time.
	queueFactor = 0.1
	// priorWeight is 3.1's weight_factor at payload weight 1; it holds where
	// nothing has been measured of an agent.
	priorWeight = 1.5
	// degradedScore and unstableDrift are 4.2's thresholds; both must be exceeded.
	degradedScore = 800
	unstableDrift = 0.5
	// leastMS keeps the score finite: no agent is faster than a microsecond.
	leastMS = 0.001
)

// Impedance is the predicted send-to-READY time in ms of an agent at payload
// weight 1 (rulings: impedance in ms): half the round trip, and the processing
// time of a standard payload, stretched by the queue.
func Impedance(rttMS, processingMS float64, queue int) float64 {
	return rttMS/2 + processingMS*(1+queueFactor*float64(queue))
}

// Score is 2.3's impedance_score of an impedance of z ms: 500 at the class's
// Z_ref, 150 more each time it doubles, unclipped (rulings).
func Score(class wire.Class, z float64) float64 {
	return 500 + 150*math.Log2(max(z, leastMS)/class.RefMS())
}

// PriorProcessingMS is what 3.1 assumes of an agent of this class before its
// processing has been measured.
func PriorProcessingMS(class wire.Class) float64 { return class.BaseMS() * priorWeight }

// derive recomputes what follows from a row's measured values. A quarantined
// agent stays quarantined.
func derive(r *wire.AgentImpedance) {
	r.ImpedanceMS = Impedance(r.LatencyMS, r.ProcessingMS, r.QueueDepth)
	r.Score = Score(r.Class, r.ImpedanceMS)
	r.Unstable = r.Drift > unstableDrift
	switch {
	case r.State == wire.Quarantined:
	case r.Score > degradedScore:
		r.State = wire.Degraded
	default:
		r.State = wire.Active
	}
}
