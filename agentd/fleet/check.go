package fleet

import (
	"fmt"
	"math"

	"mesh30k/meshcore/wire"
)

// outOfRange is a value of a profile that makes no sense.
type outOfRange struct {
	key  string // path in the file, dots between the keys
	got  float64
	want string
}

func (b *outOfRange) Error() string {
	return fmt.Sprintf("%s: %v is out of range; want %s", b.key, b.got, b.want)
}

// limits collects the first value that is out of range; in is the path of the
// block that is being checked.
type limits struct {
	in  string
	bad *outOfRange
}

// number wants low ≤ v ≤ high; NaN is never in range.
func (l *limits) number(key string, v, low, high float64) {
	if l.bad == nil && !(v >= low && v <= high) {
		l.bad = &outOfRange{l.in + key, v, fmt.Sprintf("%v to %v", low, high)}
	}
}

func (l *limits) share(key string, v float64) { l.number(key, v, 0, 1) }

// pair wants both ends of a range within low and high and in order.
func (l *limits) pair(key string, r Range, low, high float64) {
	l.number(key, r[0], low, high)
	l.number(key, r[1], low, high)
	if l.bad == nil && r[0] > r[1] {
		l.bad = &outOfRange{l.in + key, r[0], fmt.Sprintf("[low, high] with low at most high (%v)", r[1])}
	}
}

func (l *limits) tail(key string, t Tail) {
	l.share(key+".probability", t.Probability)
	if t.Probability == 0 {
		return // switched off: the law does not matter
	}
	l.number(key+".index", t.Index, 0.5, 100)
	l.number(key+".from", t.From, 1, 1000)
	l.number(key+".max", t.Max, t.From, 100_000)
}

// check returns the first value out of range, or nil.
func (p *Profile) check() *outOfRange {
	l := limits{in: "host."}
	l.number("clock_offset_sd_ms", p.Host.ClockOffsetMS, 0, 60_000)
	l.number("clock_drift_sd_ppm", p.Host.ClockDriftPPM, 0, 1000)
	l.in = "loss."
	l.share("probability", p.Loss.Probability)
	l.in = "churn."
	l.number("crashes_per_min", p.Churn.CrashesPerMin, 0, 1_000_000)
	l.number("down_median_s", p.Churn.DownMedianS, 0.01, 86_400)
	l.number("down_log_sd", p.Churn.DownLogSD, 0, 5)
	l.number("down_max_s", p.Churn.DownMaxS, 0.01, 30*86_400)
	l.tail("down_tail", p.Churn.DownTail)
	sum := 0.0
	for _, c := range wire.Classes {
		l.class(c, p.Classes.Of(c))
		sum += p.Classes.Of(c).Share
	}
	l.in = ""
	if l.bad == nil && !(sum > 0 && !math.IsInf(sum, 0)) {
		l.bad = &outOfRange{"classes", sum, "shares whose sum is over 0"}
	}
	return l.bad
}

func (l *limits) class(name wire.Class, c *Class) {
	l.in = "classes." + name.String() + "."
	l.number("share", c.Share, 0, 1_000_000)

	l.in = "classes." + name.String() + ".network."
	n := &c.Network
	l.pair("median_ms", n.MedianMS, 0, 600_000)
	l.number("jitter_cv", n.JitterCV, 0, 5)
	l.number("drift_cv", n.DriftCV, 0, 5)
	l.number("drift_min", n.DriftMin, 0.1, 100_000)
	l.number("route_shifts_per_day", n.RoutesPerDay, 0, 10_000)
	l.number("route_shift_log_sd", n.RouteLogSD, 0, 3)
	l.share("retransmit_probability", n.Retransmit)
	l.pair("retransmit_ms", n.RetransmitMS, 0, 60_000)
	l.tail("tail", n.Tail)

	l.in = "classes." + name.String() + ".service."
	s := &c.Service
	l.number("base_ms", s.BaseMS, 0.01, 86_400_000)
	l.number("spread_log_sd", s.SpreadLogSD, 0, 3)
	l.number("body_cv", s.BodyCV, 0, 5)
	l.pair("weight_factor", s.Weight, 0, 100)
	l.pair("queue_factor", s.Queue, 0, 10)
	l.tail("tail", s.Tail)
	l.number("regime.changes_per_day", s.Regime.PerDay, 0, 10_000)
	l.number("regime.step_log_sd", s.Regime.LogSD, 0, 3)
	l.number("regime.revert_min", s.Regime.RevertMin, 0.1, 100_000)
	l.share("cold_start.probability", s.Cold.Probability)
	l.number("cold_start.idle_s", s.Cold.IdleS, 0, 86_400)
	l.number("cold_start.extra_ms", s.Cold.ExtraMS, 0, 600_000)
	l.number("cold_start.log_sd", s.Cold.LogSD, 0, 3)

	l.in = "classes." + name.String() + ".work."
	w := &c.Work
	if w.IntervalS != 0 {
		l.number("interval_s", w.IntervalS, 0.05, 30*86_400)
	}
	l.number("burst_mean", w.BurstMean, 1, 1000)
	l.number("weight_median", w.WeightMedian, minWeight, 100_000)
	l.number("weight_log_sd", w.WeightLogSD, 0, 3)
}
