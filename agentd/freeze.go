package agentd

import "mesh30k/meshcore/wire"

// obey makes s the truth about who is frozen, unless a later state is known,
// and answers what is obeyed. From here on a frozen agent begins nothing: work
// begins only at the end of a turn.
func (l *loop) obey(c *cluster, s wire.FrozenState) {
	if s.Seq >= c.frozen.Seq {
		known, was := l.journal.frozen[c.address]
		if !was || !sameFrozen(&known, &s) {
			l.journal.freeze(c.address, s, l.now)
			c.stopped = l.now
		}
		c.frozen = s
	}
	answer := wire.FrozenAck{Seq: c.frozen.Seq}
	for _, a := range c.agents {
		if l.setFrozen(a, c.frozen.Frozen(a.AgentID)) {
			c.stopped = l.now
		}
		if a.frozen {
			answer.Frozen++
			if a.hand != nil {
				answer.InHand++
			}
		}
	}
	if c.stopped.IsZero() {
		c.stopped = l.now
	}
	answer.StoppedAt = l.coreTime(c.stopped)
	c.answer = &answer
}

// setFrozen freezes or thaws one agent; true: it was not so before.
func (l *loop) setFrozen(a *agent, frozen bool) bool {
	if a.frozen == frozen {
		return false
	}
	a.setFrozen(frozen, l.now)
	if !frozen && a.alive {
		if a.ownPaused {
			l.scheduleOwn(a)
		}
		l.mayBegin(a)
	}
	return true
}

// sameFrozen reports whether two states say the same, in the same order.
func sameFrozen(a, b *wire.FrozenState) bool {
	if a.Seq != b.Seq || a.All != b.All || len(a.Agents) != len(b.Agents) {
		return false
	}
	for i := range a.Agents {
		if a.Agents[i] != b.Agents[i] {
			return false
		}
	}
	return true
}
