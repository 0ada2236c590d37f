package agentd

import (
	"time"

	"mesh30k/meshcore/wire"
)

const (
	helloFirst = 500 * time.Millisecond // the first window of waiting for WELCOME; it doubles
	helloLast  = 15 * time.Second
)

// startHello opens the talk with a cluster's lead after a connect. Nothing is
// begun in the cluster until it has answered: who is frozen may have changed.
func (l *loop) startHello(c *cluster) {
	c.welcomed = false
	c.hello = request{seq: c.hello.seq}
	l.sayHello(c)
}

// sayHello sends HELLO and sees to its repetition.
func (l *loop) sayHello(c *cluster) {
	c.hello.open = true
	c.hello.seq++
	c.hello.sentAt = l.now
	l.say(wire.UplinkHello.Subject(c.address, l.cfg.Host), l.reply(replyHello, c, c.hello.seq), &wire.Hello{
		Header: wire.Head(wire.TypeHello), Mesh: l.cfg.Mesh, Host: l.cfg.Host, Cluster: c.address,
		Incarnation: l.journal.incarnation, Program: l.cfg.Program, SentAt: l.wall(l.now),
	})
	window := backoff(helloFirst, helloLast, c.hello.attempt)
	c.hello.attempt++
	l.after(window/2+jitter(window/2), timer{what: ringHello, cluster: c, number: c.hello.seq})
}

// backoff is first, doubled with each attempt (from 0), at most last.
func backoff(first, last time.Duration, attempt int) time.Duration {
	return min(first<<min(attempt, 16), last)
}

func (l *loop) helloRings(t timer) {
	if c := t.cluster; l.link.up && c.hello.open && t.number == c.hello.seq {
		l.sayHello(c)
	}
}

// welcome takes a WELCOME: who lives here, who is frozen, how to behave.
func (l *loop) welcome(c *cluster, seq uint64, data []byte) error {
	var w wire.Welcome
	if err := wire.Decode(data, wire.TypeWelcome, &w); err != nil {
		return err
	}
	if w.Cluster != c.address || !c.hello.open {
		return nil
	}
	if seq == c.hello.seq {
		l.exchange(c.hello.sentAt, w.ReceivedAt, w.SentAt)
	}
	c.hello.open, c.hello.attempt = false, 0
	c.maxQueue = w.MaxQueue
	l.enrol(c, w.Agents)
	l.obey(c, w.Frozen)
	l.pace(c, time.Duration(w.HeartbeatMS)*time.Millisecond)
	c.welcomed = true
	l.stats.welcomed.Store(l.allWelcomed())
	for _, a := range c.agents {
		l.mayBegin(a)
	}
	return nil
}

func (l *loop) allWelcomed() bool {
	for _, c := range l.order {
		if !c.welcomed {
			return false
		}
	}
	return true
}

// exchange takes four timestamps, the first by the running clock, the fourth now.
func (l *loop) exchange(sent, in, out time.Time) {
	t4 := time.Now()
	delay, ok := l.clock.add(l.wall(sent), in, out, l.wall(t4))
	if !ok {
		return
	}
	l.rtt.add(ms(delay))
	median, mad := l.rtt.robust(&l.scratch)
	l.rttMS, l.linkDrift = median, linkDrift(len(l.rtt.v), median, mad)
}

// enrol makes the cluster's agents those of the list: newcomers start, who is
// not in it any more ends.
func (l *loop) enrol(c *cluster, list []wire.Enrolled) {
	listed := make(map[string]bool, len(list))
	kept := c.agents[:0:0]
	for _, e := range list {
		if listed[e.AgentID] || e.Host != l.cfg.Host || e.Address.InCluster() != c.address {
			continue
		}
		listed[e.AgentID] = true
		a := l.agents[e.AgentID]
		if a == nil {
			a = l.startAgent(c, e)
		}
		if a != nil {
			a.Enrolled, a.cluster = e, c
			kept = append(kept, a)
		}
	}
	for _, a := range c.agents {
		if !listed[a.AgentID] && a.cluster == c {
			l.endAgent(a)
		}
	}
	c.agents = kept
	l.journal.bound = max(minFinals, finalsPerAgent*len(l.agents))
	l.countAgents()
}

// startAgent gives an agent its handler, and what the journal has kept for it.
func (l *loop) startAgent(c *cluster, e wire.Enrolled) *agent {
	a := &agent{Enrolled: e, cluster: c, alive: true, number: l.number(), returns: l.journal.returns[e.AgentID]}
	if l.cfg.Emulate != nil {
		a.emu = l.cfg.Emulate(e)
	} else {
		h, err := l.cfg.Handlers(e)
		if err != nil {
			l.log.Error("agent cannot be started; it stays silent", "agent", e.AgentID, "why", err)
			return nil
		}
		a.handler = h
	}
	if c.frozen.Frozen(e.AgentID) { // as the journal has it; its account runs from the start
		a.setFrozen(true, l.started)
	}
	l.agents[e.AgentID] = a
	l.resume(a)
	return a
}

// resume starts an agent's life: its unfinished messages are queued, its own
// affairs scheduled.
func (l *loop) resume(a *agent) {
	a.messages = 0
	for _, d := range l.journal.waiting[a.AgentID] {
		a.messages++
		a.push(taskOf(d))
	}
	l.sweepSoon()
	if a.emu != nil {
		l.scheduleOwn(a)
		if at, away := a.emu.NextCrash(l.now); !at.IsZero() {
			a.faults().away = away
			l.timers.push(timer{at: at, what: ringCrash, agent: a, number: a.number})
		}
	}
	l.mayBegin(a)
}

// endAgent lets an agent go that its lead no longer counts as of this host.
func (l *loop) endAgent(a *agent) {
	a.alive, a.number = false, l.number()
	if a.hand != nil && a.hand.cancel != nil {
		a.hand.cancel(nil)
	}
	l.closeHandler(a)
	delete(l.agents, a.AgentID)
}

func (l *loop) closeHandler(a *agent) {
	if a.handler == nil {
		return
	}
	if err := a.handler.Close(); err != nil {
		l.log.Warn("agent did not end well", "agent", a.AgentID, "why", err)
	}
}

func (l *loop) countAgents() {
	n := 0
	for _, a := range l.agents {
		if a.alive {
			n++
		}
	}
	l.stats.agents.Store(int64(n))
}
