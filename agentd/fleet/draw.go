package fleet

import (
	"math"
	"math/rand/v2"
	"time"
)

// stream makes the random numbers of one thing of a fleet: an agent by its id,
// a host's clock. Streams of different names are independent.
func stream(seed uint64, name string) rand.PCG {
	h := mix(seed ^ 0xcbf29ce484222325) // FNV-1a, begun from the seed
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	// Mixing the two halves differently keeps alike ids, sim-1 and sim-2, apart
	// from the first value on.
	return *rand.NewPCG(mix(h), mix(h^0x9e3779b97f4a7c15))
}

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// sigmaOf is the standard deviation of ln X for a log-normal X with this
// coefficient of variation.
func sigmaOf(cv float64) float64 { return math.Sqrt(math.Log1p(cv * cv)) }

// even draws evenly between the ends of a range.
func even(r *rand.Rand, in Range) float64 { return in[0] + (in[1]-in[0])*r.Float64() }

// logNormal draws with median 1; sd is that of the logarithm.
func logNormal(r *rand.Rand, sd float64) float64 {
	if sd == 0 {
		return 1
	}
	return math.Exp(sd * r.NormFloat64())
}

// chance is true with probability p.
func chance(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }

// draw is the multiplier of a tail: mostly 1.
func (t *Tail) draw(r *rand.Rand) float64 {
	if !chance(r, t.Probability) {
		return 1
	}
	return min(t.Max, t.From*math.Pow(1-r.Float64(), -1/t.Index))
}

// wander moves x, an Ornstein–Uhlenbeck process of standard deviation sd that is
// forgotten to 1/e in tau, on by dt; seen at even steps it is AR(1).
func wander(r *rand.Rand, x, sd float64, dt, tau time.Duration) float64 {
	if sd == 0 {
		return 0
	}
	keep := math.Exp(-float64(dt) / float64(tau))
	return x*keep + sd*math.Sqrt(1-keep*keep)*r.NormFloat64()
}

// happens reports whether an event of this rate happened at least once in dt.
func happens(r *rand.Rand, perDay float64, dt time.Duration) bool {
	return chance(r, -math.Expm1(-perDay*dt.Hours()/24))
}

// geometric draws a number from 1 up with this mean.
func geometric(r *rand.Rand, mean float64) int {
	if mean <= 1 {
		return 1
	}
	return int(min(10_000, 1+math.Floor(math.Log(1-r.Float64())/math.Log1p(-1/mean))))
}

// span is a duration of this many units, at most a year, so that no valid
// profile makes one that overflows.
func span(n float64, unit time.Duration) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(n*float64(unit), float64(year)))
}

func millis(ms float64) time.Duration { return span(ms, time.Millisecond) }
