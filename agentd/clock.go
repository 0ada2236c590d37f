package agentd

import "time"

const (
	clockSamples = 8                      // exchanges that an estimate looks back on, like NTP's clock filter
	clockWander  = 100                    // ppm: how fast two quartz clocks may part, both being bad ones
	clockSlack   = 500 * time.Microsecond // stamps are taken a little beside the wire
)

// clock estimates how far the core's clock is ahead of the host's, from
// exchanges of four timestamps. The estimate is that of the exchange with the
// least delay, because delay that is not symmetrical is what makes it wrong,
// and its error is bounded by half of that delay.
type clock struct {
	ring [clockSamples]exchange
	n    int // filled
	next int
}

type exchange struct {
	offset time.Duration
	delay  time.Duration
	at     time.Time // host's clock, when it ended
}

// add takes an exchange: sent at t1 and back at t4 by the host's clock, in at
// t2 and out at t3 by the core's. It returns the round trip without the time
// that the core spent itself; ok is false if the four cannot be true.
//
// An exchange that contradicts the estimate beyond both bounds means that one
// of the clocks was set: what was known is then forgotten.
func (c *clock) add(t1, t2, t3, t4 time.Time) (delay time.Duration, ok bool) {
	delay = t4.Sub(t1) - t3.Sub(t2)
	if t3.Before(t2) || delay < 0 || delay > time.Hour {
		return 0, false
	}
	x := exchange{offset: (t2.Sub(t1) + t3.Sub(t4)) / 2, delay: delay, at: t4}
	if offset, bound, known := c.estimate(t4); known && (x.offset-offset).Abs() > bound+delay/2+clockSlack {
		*c = clock{}
	}
	c.ring[c.next] = x
	c.next = (c.next + 1) % clockSamples
	c.n = min(c.n+1, clockSamples)
	return delay, true
}

// estimate is the core's clock minus the host's at now, and how wrong that can
// be; known is false before the first exchange.
func (c *clock) estimate(now time.Time) (offset, bound time.Duration, known bool) {
	for _, x := range c.ring[:c.n] {
		b := x.delay/2 + max(0, now.Sub(x.at))*clockWander/1_000_000
		if !known || b < bound {
			offset, bound, known = x.offset, b, true
		}
	}
	return offset, bound, known
}
