package agentd

import (
	"slices"
	"time"
)

const (
	ringSize    = 100 // 4.1: RingBuffer(size=100)
	madToSigma  = 1.4826
	hourBuckets = 12
	bucketSpan  = time.Hour / hourBuckets
)

// ring holds the latest 100 samples, in ms. It grows with its samples, because
// most of 30,000 agents have few.
type ring struct {
	v    []float32
	next int
}

func (r *ring) add(ms float64) {
	if len(r.v) < ringSize {
		r.v = append(r.v, float32(ms))
		return
	}
	r.v[r.next] = float32(ms)
	r.next = (r.next + 1) % ringSize
}

// robust returns median and median absolute deviation; zeros without samples.
// The samples are sorted in scratch. The deviations need no second sort: seen
// from the median they ascend in both directions.
func (r *ring) robust(scratch *[ringSize]float32) (median, mad float64) {
	s := scratch[:copy(scratch[:], r.v)]
	if len(s) == 0 {
		return 0, 0
	}
	slices.Sort(s)
	n := len(s)
	median = (float64(s[(n-1)/2]) + float64(s[n/2])) / 2
	left, right := (n-1)/2, (n-1)/2+1
	var before, last float64
	for range n/2 + 1 {
		before = last
		if right >= n || left >= 0 && median-float64(s[left]) <= float64(s[right])-median {
			last = median - float64(s[left])
			left--
		} else {
			last = float64(s[right]) - median
			right++
		}
	}
	if n%2 == 0 {
		return median, (before + last) / 2
	}
	return median, last
}

// spread is rulings' drift_coefficient of a median and its MAD.
func spread(median, mad float64) float64 {
	if median <= 0 {
		return 0
	}
	return madToSigma * mad / median
}

const (
	linkSamples    = 8   // fewer round trips say nothing about a link's drift
	linkResolution = 1.0 // ms: stamps of a process under load resolve no better
)

// linkDrift is the drift_coefficient of a host's link, from the round trips of
// its heartbeats. On a loopback the stamps waver more than the link: a median
// below what they resolve counts as that, or every local agent would be unstable.
func linkDrift(samples int, median, mad float64) float64 {
	if samples < linkSamples {
		return 0
	}
	return spread(max(median, linkResolution), mad)
}

// profile is 4.1's ImpedanceProfiler of one agent.
type profile struct {
	oneWay     ring // ms, one-way delay host to agent
	processing ring // ms, of a payload of weight 1
	fresh      bool // figures below are of the present samples

	latencyMS, drift, processingMS float64

	hour [hourBuckets]struct{ good, bad uint32 }
	slot int64 // of now; its bucket is slot % hourBuckets
}

// leg takes one one-way trip between host and agent.
func (p *profile) leg(delay time.Duration) {
	p.oneWay.add(ms(delay))
	p.fresh = false
}

// served takes the time that work of a payload weight took; processing is
// taken to grow in proportion to the weight, as 3.1 has it.
func (p *profile) served(took time.Duration, weight float64) {
	p.processing.add(ms(took) / weight)
	p.fresh = false
}

// outcome counts a success or failure of the agent at now.
func (p *profile) outcome(now time.Time, good bool) {
	p.turn(now)
	b := &p.hour[p.slot%hourBuckets]
	if good {
		b.good++
	} else {
		b.bad++
	}
}

// reliability is the success rate of the last hour, 1 where nothing happened.
func (p *profile) reliability(now time.Time) float64 {
	p.turn(now)
	var good, all float64
	for _, b := range p.hour {
		good += float64(b.good)
		all += float64(b.good) + float64(b.bad)
	}
	if all == 0 {
		return 1
	}
	return good / all
}

// turn empties the buckets that now has passed by.
func (p *profile) turn(now time.Time) {
	slot := now.UnixNano() / int64(bucketSpan)
	for range min(slot-p.slot, hourBuckets) {
		p.slot++
		p.hour[p.slot%hourBuckets] = struct{ good, bad uint32 }{}
	}
	p.slot = max(p.slot, slot)
}

// measure brings latency (round trip), drift and processing up to date.
func (p *profile) measure(scratch *[ringSize]float32) {
	if p.fresh {
		return
	}
	median, mad := p.oneWay.robust(scratch)
	p.latencyMS, p.drift = 2*median, spread(median, mad)
	p.processingMS, _ = p.processing.robust(scratch)
	p.fresh = true
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
