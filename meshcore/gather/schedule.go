package gather

import (
	"time"

	"mesh30k/meshcore/wire"
)

// How long the core waits before it sends again.
const (
	firstResend = time.Second      // then twice as long each time …
	lastResend  = 32 * time.Second // … up to this
	// slower is how much longer it waits once the host has RECEIVED the message:
	// only the answer can have been lost, and work takes its time.
	slower = 5
	// longestWait bounds both.
	longestWait = time.Minute
)

// Grace is how long after its time to live a delivery that a host has RECEIVED
// stays open: what was begun in time may end, and its answer may be asked for
// again. Then it is EXPIRED too.
const Grace = 30 * time.Second

// backoff is the wait after the given number of transmissions: 1, 2, 4, 8 … s.
func backoff(attempts int) time.Duration {
	wait := firstResend
	for range attempts - 1 {
		if wait *= 2; wait >= lastResend {
			return lastResend
		}
	}
	return wait
}

// patience is the wait when the host has RECEIVED the message.
func patience(attempts int) time.Duration { return min(slower*backoff(attempts), longestWait) }

// Due are the agents that the message is to be sent to now: for the first time,
// or once more because no host has acknowledged it for 1, 2, 4, 8 … s, or
// because its answer is overdue. Frozen agents and those whose time is over are
// never among them. Tell [Set.Sent] when it has been sent.
func (s *Set) Due(now time.Time) (due wire.Bits) {
	for _, n := range s.order {
		if d := s.items[n]; !d.state.Final() && !d.frozen() && !d.next.After(now) && s.end(d).After(now) {
			due.Add(n)
		}
	}
	return due
}

// end is when a delivery expires.
func (s *Set) end(d *delivery) time.Time {
	end := d.expires
	if d.state >= wire.Received {
		end = end.Add(Grace)
	}
	if end.Before(s.notBefore) {
		return s.notBefore
	}
	return end
}

// Sent notes that the message has been sent to agents. One that was frozen
// between [Set.Due] and now stays FROZEN, and will be SENT after the thaw.
func (s *Set) Sent(now time.Time, agents wire.Bits) {
	for n := range agents.All() {
		d := s.items[n]
		if d == nil || d.state.Final() {
			continue
		}
		d.attempts++
		if d.state == wire.Unsent {
			s.move(n, d, wire.Sent)
		}
		if d.state >= wire.Received {
			d.next = now.Add(patience(d.attempts))
		} else {
			d.next = now.Add(backoff(d.attempts))
		}
	}
}

// Hurry makes agents due at once: their host has come back, so that what it did
// not acknowledge can be sent without waiting for its turn.
func (s *Set) Hurry(agents wire.Bits) {
	for n := range agents.All() {
		if d := s.items[n]; d != nil && !d.state.Final() {
			d.next = time.Time{}
		}
	}
}

// Freeze tells that agents are frozen, from the time of the freeze fact on,
// which may be past but not before the operation's start. What no host has
// RECEIVED becomes FROZEN; nothing is sent to the agents, and the time to live
// of all their deliveries stands still: what a host has in its journal cannot be
// worked either. Freezing the frozen changes nothing.
func (s *Set) Freeze(at time.Time, agents wire.Bits) {
	if at.Before(s.started) {
		at = s.started
	}
	for n := range agents.All() {
		d := s.items[n]
		if d == nil || d.state.Final() || d.frozen() {
			continue
		}
		d.frozenAt = at
		if d.state < wire.Received {
			s.move(n, d, wire.Frozen)
		}
	}
}

// Thaw tells that agents are no longer frozen, from the time of the thaw fact
// on. Their time to live goes on, and they are due at once.
func (s *Set) Thaw(at time.Time, agents wire.Bits) {
	for n := range agents.All() {
		d := s.items[n]
		if d == nil || !d.frozen() {
			continue
		}
		if at.After(d.frozenAt) {
			d.expires = d.expires.Add(at.Sub(d.frozenAt))
		}
		d.frozenAt, d.next = time.Time{}, time.Time{}
		if d.state == wire.Frozen {
			s.move(n, d, d.unfrozen())
		}
	}
}

// unfrozen is what a FROZEN delivery was before.
func (d *delivery) unfrozen() wire.DeliveryState {
	if d.attempts > 0 {
		return wire.Sent
	}
	return wire.Unsent
}

// Expire makes EXPIRED, with code expired, what has run out of time: what no
// host has RECEIVED at the end of its time to live, what one has [Grace] later.
// The frozen do not run out of time. It returns those that expired now.
func (s *Set) Expire(now time.Time) wire.Bits {
	var over wire.Bits
	for _, n := range s.order {
		if d := s.items[n]; !d.state.Final() && !d.frozen() && !s.end(d).After(now) {
			over.Add(n)
		}
	}
	return s.settle(wire.Expired, over, wire.CodeExpired)
}

// Remaining is the time to live that is left for an agent, to be stamped on the
// message when it is sent; not counting the time it was frozen, and never
// negative.
func (s *Set) Remaining(now time.Time, ordinal int) time.Duration {
	d := s.items[ordinal]
	if d == nil || d.state.Final() {
		return 0
	}
	if d.frozen() {
		now = d.frozenAt
	}
	return max(0, d.expires.Sub(now))
}

// NextWake is when [Set.Due] or [Set.Expire] will next have something to say;
// not after now if they have already, zero if only a host or a thaw can change
// anything.
func (s *Set) NextWake(now time.Time) (wake time.Time) {
	for _, n := range s.order {
		d := s.items[n]
		if d.state.Final() || d.frozen() {
			continue
		}
		at := s.end(d)
		if d.next.Before(at) {
			at = d.next
		}
		if at.Before(now) {
			return now
		}
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	return wake
}
