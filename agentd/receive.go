package agentd

import (
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// coordinate takes a message for agents of this host: what is known is answered
// again, what cannot be taken is refused, the rest is noted, acknowledged and
// queued.
func (l *loop) coordinate(c *cluster, m *wire.MeshMessage) {
	var takers []string
	l.eachAddressed(c, m, func(a *agent) {
		if l.takes(a, m) {
			takers = append(takers, a.AgentID)
		}
	})
	if len(takers) == 0 {
		return
	}
	for _, d := range l.journal.receive(m, c.address, takers, l.now) {
		a := l.agents[d.agent]
		a.messages++
		l.stats.received.Add(1)
		l.ack(c, d)
		l.deliver(a, taskOf(d))
	}
	l.sweepSoon()
}

// A host sends what is lost on an emulated agent's leg again after resendFirst,
// then twice as long, to the end of its patience.
const (
	resendFirst = 100 * time.Millisecond
	resendLast  = time.Minute
)

// eachAddressed calls do for the agents of this host that m addresses and that
// live.
func (l *loop) eachAddressed(c *cluster, m *wire.MeshMessage, do func(*agent)) {
	if m.All {
		for _, a := range c.agents {
			if a.alive && m.Addresses(a.AgentID) {
				do(a)
			}
		}
		return
	}
	for i, id := range m.Targets {
		if a := l.agents[id]; a != nil && a.alive && a.cluster == c && !slices.Contains(m.Targets[:i], id) {
			do(a)
		}
	}
}

// takes reports whether m is new to a and can be taken; if it is not, the
// answer is on its way.
func (l *loop) takes(a *agent, m *wire.MeshMessage) bool {
	if a.fault.loses() {
		return false
	}
	if d := l.journal.find(m.MessageID, a.AgentID); d != nil {
		l.ack(a.cluster, d)
		return false
	}
	if state, code := l.admit(a, m); code != "" {
		l.ack(a.cluster, l.journal.refuse(m, a.AgentID, state, code, l.now))
		return false
	}
	return true
}

// admit says why a cannot take m; an empty code: it can.
func (l *loop) admit(a *agent, m *wire.MeshMessage) (wire.DeliveryState, wire.Code) {
	switch {
	case m.TTLMS <= 0:
		return wire.Expired, wire.CodeExpired
	case l.draining:
		return wire.Refused, wire.CodeDraining
	case !capable(&a.Enrolled, m.Requires):
		return wire.Refused, wire.CodeCapability
	case a.messages >= a.cluster.maxQueue:
		return wire.Refused, wire.CodeQueueFull
	}
	return wire.Received, ""
}

// capable reports whether e can do all of wanted. An agent that names none can
// do what its class can.
func capable(e *wire.Enrolled, wanted []string) bool {
	has := e.Capabilities
	if len(has) == 0 {
		has = e.Class.Capabilities()
	}
	for _, w := range wanted {
		if !slices.Contains(has, w) {
			return false
		}
	}
	return true
}

// deliver puts a message into its agent's queue; on an emulated agent's leg it
// takes its time, and when it is lost the host sends it again until it is
// there: the core was told that it is received.
func (l *loop) deliver(a *agent, t *task) {
	if a.emu == nil {
		l.arrive(a, t)
		return
	}
	delay, lost := a.emu.Leg(l.now)
	for wait := resendFirst; lost && wait < resendLast; wait *= 2 {
		var trip time.Duration
		trip, lost = a.emu.Leg(l.now)
		delay += wait + trip
	}
	l.after(delay, timer{what: ringArrive, agent: a, number: a.number, task: t})
}

func (l *loop) arrive(a *agent, t *task) {
	a.push(t)
	l.mayBegin(a)
}

// taskOf makes the work of a delivery. A message without weight weighs 1.
func taskOf(d *delivery) *task {
	t := &task{delivery: d, priority: d.message.Priority, weight: d.message.PayloadWeight}
	if t.weight <= 0 {
		t.weight = 1
	}
	return t
}

// sweepSoon sees to it that messages that expire in a queue are found.
func (l *loop) sweepSoon() {
	if !l.sweeping {
		l.sweeping = true
		l.after(sweepEvery, timer{what: ringSweep})
	}
}

// sweep ends the messages whose time to live ran out in a queue.
func (l *loop) sweep() {
	l.sweeping = false
	waiting := false
	for _, a := range l.agents {
		if a.messages == 0 || !a.alive {
			continue
		}
		waiting = true
		for p := range a.queue {
			a.queue[p].keep(func(t *task) bool { return !l.expires(a, t) })
		}
	}
	if waiting {
		l.sweepSoon()
	}
	l.journal.forget(l.now)
}

// expires ends a queued task whose time to live ran out.
func (l *loop) expires(a *agent, t *task) bool {
	if t.delivery == nil || t.delivery.left(l.now, a.frozenFor(l.now)) > 0 {
		return false
	}
	l.finish(a, t.delivery, Result{State: wire.Expired, Code: wire.CodeExpired})
	return true
}
