package agentd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"mesh30k/meshcore/wire"
)

// faults are what ails an emulated agent. A nil *faults ails nothing.
type faults struct {
	slow  fault // factor of its service time
	stall fault
	loss  fault         // share of its heartbeats and messages
	away  time.Duration // of the crash that its own schedule holds
}

// fault is one that lasts; number tells its timer from those of earlier ones.
type fault struct {
	factor float64
	number uint64 // 0: it does not last
}

func (f *faults) stalled() bool { return f != nil && f.stall.number != 0 }

// loses draws whether a trip is lost to an injected fault.
func (f *faults) loses() bool {
	return f != nil && f.loss.number != 0 && rand.Float64() < f.loss.factor
}

// slowed is the service time d under the fault.
func (f *faults) slowed(d time.Duration) time.Duration {
	if f == nil || f.slow.number == 0 {
		return d
	}
	return time.Duration(float64(d) * f.slow.factor)
}

// faults of the agent, made at the first one.
func (a *agent) faults() *faults {
	if a.fault == nil {
		a.fault = &faults{}
	}
	return a.fault
}

// inject does what an INJECT asks, to emulated agents only.
func (l *loop) inject(c *cluster, m *wire.Inject) error {
	if l.cfg.Emulate == nil {
		return errors.New("INJECT: this host's agents are real; faults are for emulated ones")
	}
	lasts := time.Duration(m.ForMS * float64(time.Millisecond))
	switch m.Fault {
	case wire.FaultCut:
		if lasts <= 0 {
			return errors.New("INJECT cut: for_ms is missing; a host whose link is cut cannot hear that it is revived")
		}
		l.cutLink(lasts)
		return nil
	case wire.FaultSkew:
		l.setSkew(l.cfg.ClockOffset+time.Duration(m.SkewMS*float64(time.Millisecond)), lasts)
		return nil
	default: // of agents, not of the host
	}
	if m.Fault == wire.FaultRevive && len(m.Agents) == 0 {
		l.setSkew(l.cfg.ClockOffset, 0)
	}
	return l.injectAgents(c, m, lasts)
}

// injectAgents does it to each agent that is named, or to all of the cluster.
func (l *loop) injectAgents(c *cluster, m *wire.Inject, lasts time.Duration) error {
	var unknown int
	list := c.agents
	if len(m.Agents) > 0 {
		list = nil
		for _, id := range m.Agents {
			if a := l.agents[id]; a != nil && a.cluster == c {
				list = append(list, a)
			} else {
				unknown++
			}
		}
	}
	for _, a := range list {
		l.injectAgent(a, m, lasts)
	}
	if unknown > 0 && len(list) == 0 {
		return fmt.Errorf("INJECT %s: none of its %d agents lives on this host", m.Fault, unknown)
	}
	return nil
}

func (l *loop) injectAgent(a *agent, m *wire.Inject, lasts time.Duration) {
	switch m.Fault {
	case wire.FaultSlow:
		l.setFault(a, &a.faults().slow, m.Factor, lasts)
	case wire.FaultLoss:
		l.setFault(a, &a.faults().loss, m.Factor, lasts)
	case wire.FaultStall:
		l.setFault(a, &a.faults().stall, 0, lasts)
	case wire.FaultCrash:
		l.crash(a, lasts, "injected")
	case wire.FaultRevive:
		l.revive(a)
	case wire.FaultCut, wire.FaultSkew: // of the host; done
	}
}

// setFault lets a fault last for a time; 0: until it is revived.
func (l *loop) setFault(a *agent, f *fault, factor float64, lasts time.Duration) {
	*f = fault{factor, l.number()}
	if lasts > 0 {
		number := f.number
		l.after(lasts, timer{what: ringFaultEnds, number: a.number, agent: a, fault: number})
	}
}

// endFaults ends those faults of a whose number it is; 0: all.
func (l *loop) endFaults(a *agent, number uint64) {
	if a.fault == nil {
		return
	}
	wasStalled := a.fault.stalled()
	for _, f := range []*fault{&a.fault.slow, &a.fault.stall, &a.fault.loss} {
		if number == 0 || f.number == number {
			*f = fault{}
		}
	}
	if wasStalled && !a.fault.stalled() {
		if t := a.hand; t != nil && t.held {
			l.served(a, t)
		}
		l.mayBegin(a)
	}
}

// ringFault rings for faults.
func (l *loop) ringFault(t timer) {
	switch t.what {
	case ringFaultEnds:
		l.endFaults(t.agent, t.fault)
	case ringReturn:
		if !l.draining {
			l.revive(t.agent)
		}
	case ringCutEnds:
		l.endCut(t.number)
	case ringSkewEnds:
		if t.number == l.skewSet {
			l.setSkew(l.cfg.ClockOffset, 0)
		}
	default:
	}
}

// crashRings lets an agent die by its own schedule. In a host that drains nobody
// dies or returns any more: the lead might not hear of it, and could not know it
// from the host's leaving.
func (l *loop) crashRings(a *agent) {
	if !l.draining {
		l.crash(a, a.faults().away, "")
	}
}

// crash kills an agent: what it has in hand and in its queue is gone from its
// memory. Its messages stay in the journal, for when it returns. away 0: it
// returns when it is revived.
func (l *loop) crash(a *agent, away time.Duration, why string) {
	if !a.alive {
		return
	}
	if a.hand != nil && a.hand.delivery != nil {
		a.profile.outcome(l.now, false)
	}
	a.alive, a.number = false, l.number()
	a.hand, a.queue, a.own, a.deadline = nil, [4]fifo{}, 0, time.Time{}
	l.stats.crashes.Add(1)
	l.stats.agents.Add(-1)
	l.reportItem(a.cluster, wire.ReportItem{
		Kind: wire.ReportCrash, AgentID: a.AgentID, Incarnation: a.incarnation(l.journal.incarnation), Detail: why,
	})
	if away > 0 {
		l.after(away, timer{what: ringReturn, agent: a, number: a.number})
	}
}

// revive ends an agent's faults and brings it back if it is dead, in a new
// incarnation.
func (l *loop) revive(a *agent) {
	l.endFaults(a, 0)
	if a.alive || l.agents[a.AgentID] != a {
		return
	}
	a.alive, a.number, a.worked = true, l.number(), 0
	a.returns = l.journal.returned(a.AgentID, l.now)
	l.stats.returns.Add(1)
	l.stats.agents.Add(1)
	l.reportItem(a.cluster, wire.ReportItem{
		Kind: wire.ReportReturn, AgentID: a.AgentID, Incarnation: a.incarnation(l.journal.incarnation),
	})
	l.resume(a)
}

// setSkew sets the host's clock. What was estimated of the core's holds no
// longer, and the host does not know: it finds out.
func (l *loop) setSkew(skew, lasts time.Duration) {
	l.skew, l.skewSet = skew, l.number()
	if lasts > 0 {
		l.after(lasts, timer{what: ringSkewEnds, number: l.skewSet})
	}
}

// cutLink takes the host off the network for a time; a longer cut replaces a
// shorter one.
func (l *loop) cutLink(lasts time.Duration) {
	l.disconnect()
	for len(l.messages) > 0 {
		<-l.messages // was on its way when the link was cut
	}
	l.link.cut = l.number()
	l.after(lasts, timer{what: ringCutEnds, number: l.link.cut})
}

func (l *loop) endCut(number uint64) {
	if number != l.link.cut || l.draining {
		return
	}
	if err := l.connect(); err != nil {
		l.log.Warn("the link is whole again, the broker refuses", "why", err)
		l.cutLink(connectTimeout)
	}
}
