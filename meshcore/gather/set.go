package gather

import (
	"strconv"
	"time"

	"mesh30k/meshcore/wire"
)

// states is the number of delivery states.
const states = int(wire.Expired) + 1

// Set holds the deliveries of one operation in one sector, by the agents'
// ordinals. Its shard's goroutine is its only user.
//
// States only go forward in the order of [wire.DeliveryState], with one
// exception: a delivery that no host has RECEIVED yet is FROZEN while its agent
// is, and then UNSENT or SENT again. A final state is never left.
type Set struct {
	operation string
	started   time.Time // when the time to live began
	items     map[int]*delivery
	order     []int // ordinals, ascending
	in        [states]wire.Bits
	codes     map[wire.Code]wire.Bits // of final states
	again     wire.Bits
	late      wire.Bits
	untaken   wire.Bits // final, not given to TakeFacts's caller yet
	retold    wire.Bits // final and taken, worked again since
	open      int       // not final
	notBefore time.Time // nothing expires before: hosts are being asked after a restart
}

// delivery is one message to one agent.
type delivery struct {
	state    wire.DeliveryState
	code     wire.Code
	attempts int       // transmissions so far
	next     time.Time // of the next one; zero: at once
	expires  time.Time // without the time frozen since frozenAt
	frozenAt time.Time // zero: its agent is not frozen
}

func (d *delivery) frozen() bool { return !d.frozenAt.IsZero() }

// NewSet starts a sector's deliveries. The time to live ends at d.Deadline,
// later by what d.FrozenMS holds for an ordinal (in decimal); freezes that last
// are told with [Set.Freeze].
//
// With d.Resumed it takes them up after a restart: those of d.Final are final,
// as facts already; all others are to be sent again, and none expires within
// [Grace] from now, even if its time ran out meanwhile: its host may have worked
// it and answers a repeat with the result.
func NewSet(d wire.ShardDelivery, now time.Time) *Set {
	left := d.Deadline.Sub(now)
	s := &Set{
		operation: d.Operation,
		started:   now.Add(d.Started.Sub(now)),
		items:     make(map[int]*delivery, d.Targets.Len()),
		codes:     map[wire.Code]wire.Bits{},
	}
	if d.Resumed {
		s.notBefore = now.Add(Grace)
	}
	for n := range d.Targets.All() {
		frozen := ms(d.FrozenMS[strconv.Itoa(n)])
		s.items[n] = &delivery{expires: now.Add(left + frozen)}
		s.order = append(s.order, n)
		s.in[wire.Unsent].Add(n)
		s.open++
	}
	for _, f := range d.Final {
		s.settle(f.State, f.Agents, f.Code)
		s.again.Or(f.Again)
	}
	s.untaken, s.retold = nil, nil
	return s
}

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

// State of the delivery to an agent; false if it is not one of the targets.
func (s *Set) State(ordinal int) (wire.DeliveryState, bool) {
	d, ok := s.items[ordinal]
	if !ok {
		return 0, false
	}
	return d.state, true
}

// Attempt is how often the message has been sent to an agent.
func (s *Set) Attempt(ordinal int) int {
	if d := s.items[ordinal]; d != nil {
		return d.attempts
	}
	return 0
}

// Done reports whether every delivery is final.
func (s *Set) Done() bool { return s.open == 0 }

// Late are the agents whose host reported a final state after another had been
// recorded, such as WORKED after EXPIRED. The record stays as it was.
func (s *Set) Late() wire.Bits { return s.late.Clone() }

// Mark folds what a host says of agents: RECEIVED, READY or a final state, with
// its code. It returns those whose state changed. What comes late, twice or of
// agents that are not targets changes nothing; a host's word that an agent
// worked the message once more (again) is kept.
func (s *Set) Mark(now time.Time, state wire.DeliveryState, agents wire.Bits, code wire.Code, again bool) (changed wire.Bits) {
	if state < wire.Received || int(state) >= states {
		return nil
	}
	if state.Final() {
		changed = s.settle(state, agents, code)
	} else {
		changed = s.progress(now, state, agents)
	}
	if again && state.Final() {
		s.repeat(agents)
	}
	return changed
}

// progress moves deliveries forward to RECEIVED or READY.
func (s *Set) progress(now time.Time, state wire.DeliveryState, agents wire.Bits) (changed wire.Bits) {
	for n := range agents.All() {
		d := s.items[n]
		if d == nil || d.state >= state {
			continue
		}
		s.move(n, d, state)
		d.next = now.Add(patience(d.attempts))
		changed.Add(n)
	}
	return changed
}

// settle moves deliveries to a final state.
func (s *Set) settle(state wire.DeliveryState, agents wire.Bits, code wire.Code) (changed wire.Bits) {
	for n := range agents.All() {
		d := s.items[n]
		switch {
		case d == nil:
		case d.state.Final():
			if d.state != state {
				s.late.Add(n)
			}
		default:
			s.move(n, d, state)
			d.code, d.frozenAt = code, time.Time{}
			if code != "" {
				set := s.codes[code]
				set.Add(n)
				s.codes[code] = set
			}
			s.open--
			s.untaken.Add(n)
			changed.Add(n)
		}
	}
	return changed
}

// repeat notes that agents worked the message once more.
func (s *Set) repeat(agents wire.Bits) {
	for n := range agents.All() {
		d := s.items[n]
		if d == nil || s.again.Has(n) {
			continue
		}
		s.again.Add(n)
		if d.state.Final() && !s.untaken.Has(n) {
			s.retold.Add(n)
		}
	}
}

func (s *Set) move(n int, d *delivery, to wire.DeliveryState) {
	s.in[d.state].Remove(n)
	s.in[to].Add(n)
	d.state = to
}

// Progress is the present state of every delivery, as exact sets. Settled is set
// when all final states have been given out by [Set.TakeFacts]; a caller that
// has not made them durable by then must unset it.
func (s *Set) Progress() wire.DeliveryProgress {
	p := wire.DeliveryProgress{
		Operation: s.operation,
		States:    map[wire.DeliveryState]wire.Bits{},
		Again:     s.again.Clone(),
		Settled:   s.untaken.Empty() && s.retold.Empty(),
	}
	for state, set := range s.in {
		if !set.Empty() {
			p.States[wire.DeliveryState(state)] = set.Clone()
		}
	}
	for code, set := range s.codes {
		if p.Codes == nil {
			p.Codes = map[wire.Code]wire.Bits{}
		}
		p.Codes[code] = set.Clone()
	}
	return p
}
