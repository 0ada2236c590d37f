package agentd

import "time"

// alarm is what a timer rings for.
type alarm uint8

const (
	ringHello     alarm = iota // cluster: HELLO has not been answered
	ringBeat                   // cluster: a HEARTBEAT is due
	ringReport                 // cluster: REPORT has not been answered
	ringSweep                  // host: look for messages that expired in a queue
	ringArrive                 // agent: a message reaches an emulated agent
	ringServed                 // agent: an emulated agent has ended its work
	ringResult                 // agent: that result reaches the host
	ringDeadline               // agent: the time to live of the work in hand may be over
	ringOwn                    // agent: work of its own arrives
	ringCrash                  // agent: dies by its own schedule
	ringReturn                 // agent: comes back
	ringFaultEnds              // agent: an injected fault ends
	ringCutEnds                // host: the cut link is whole again
	ringSkewEnds               // host: the skewed clock is right again
)

// timer is one entry of a host's heap. A timer is never taken out: who set it
// gives it a number, and ignores it when the number is not the present one.
type timer struct {
	at      time.Time
	what    alarm
	number  uint64
	cluster *cluster
	agent   *agent
	task    *task
	fault   uint64 // ringFaultEnds: number of the fault
}

// timers is a binary heap, earliest first. It holds values, not interfaces: the
// loops of a fleet take some 10,000 a second through it.
type timers []timer

func (t timers) next() (at time.Time, ok bool) {
	if len(t) == 0 {
		return time.Time{}, false
	}
	return t[0].at, true
}

func (t *timers) push(x timer) {
	h := append(*t, x)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].at.Before(h[parent].at) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	*t = h
}

func (t *timers) pop() timer {
	h := *t
	top, last := h[0], len(h)-1
	h[0], h[last] = h[last], timer{}
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1].at.Before(h[child].at) {
			child++
		}
		if !h[child].at.Before(h[i].at) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	*t = h
	return top
}
