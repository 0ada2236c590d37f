package agentd

import (
	"context"
	"sync"
	"time"

	"mesh30k/meshcore/wire"
)

// mayBegin puts an agent among those that are looked at at the end of the turn.
func (l *loop) mayBegin(a *agent) {
	if !a.eligible {
		a.eligible = true
		l.eligible = append(l.eligible, a)
	}
}

// markBegun takes the next work of each agent that may begin, and notes that it
// begins. It does begin once that is written.
func (l *loop) markBegun() {
	for _, a := range l.eligible {
		a.eligible = false
		if !a.able() || !a.cluster.welcomed || l.draining {
			continue
		}
		for t := a.pop(); t != nil; t = a.pop() {
			if l.expires(a, t) {
				continue
			}
			a.hand = t
			if t.delivery != nil {
				l.journal.begin(t.delivery, l.now)
			}
			l.begun = append(l.begun, a)
			break
		}
	}
	l.eligible = l.eligible[:0]
}

// beginMarked begins the work that was marked in this turn.
func (l *loop) beginMarked() {
	if len(l.begun) == 0 {
		return
	}
	l.now = time.Now() // the write took its time
	for _, a := range l.begun {
		l.begin(a, a.hand)
	}
	clear(l.begun)
	l.begun = l.begun[:0]
}

func (l *loop) begin(a *agent, t *task) {
	t.began = l.now
	w := Work{AgentID: a.AgentID, Weight: t.weight}
	if d := t.delivery; d != nil {
		l.stats.begun.Add(1)
		w.Message, w.Again = d.message, d.again
		w.Deadline = l.now.Add(d.left(l.now, a.frozenFor(l.now)))
		l.armDeadline(a, w.Deadline)
	}
	if a.emu != nil {
		took, result := a.emu.Serve(l.now, w, a.queued())
		t.result = result
		l.after(a.fault.slowed(max(0, took)), timer{what: ringServed, agent: a, number: a.number, task: t})
		return
	}
	ctx, cancel := context.WithCancelCause(l.ctx)
	t.cancel = cancel
	var once sync.Once
	a.handler.Begin(ctx, w, func(r Result) {
		once.Do(func() { l.mail.put(mail{end: &ended{a, t, r}}) })
	})
}

// ended is a handler's end of a task.
type ended struct {
	agent  *agent
	task   *task
	result Result
}

// handlerEnded takes the end of a real agent's work. Work that was broken off
// by the end of the drain is not final: the journal has it as begun.
func (l *loop) handlerEnded(e *ended) {
	a, t := e.agent, e.task
	if a.hand != t {
		return
	}
	t.cancel(nil)
	a.hand = nil
	if e.result.Took <= 0 {
		from := t.began
		if !e.result.Started.IsZero() {
			from = e.result.Started
		}
		e.result.Took = l.now.Sub(from)
	}
	if l.ctx.Err() == nil {
		l.measure(a, t, e.result)
		l.finish(a, t.delivery, e.result)
	}
	l.mayBegin(a)
}

// served takes the end of an emulated agent's work, at the agent.
func (l *loop) served(a *agent, t *task) {
	if a.hand != t {
		return
	}
	if a.fault.stalled() {
		t.held = true
		return
	}
	a.hand = nil
	t.result.Started, t.result.Took = t.began, l.now.Sub(t.began)
	l.measure(a, t, t.result)
	if t.delivery == nil {
		l.stats.ownWorked.Add(1)
		a.profile.outcome(l.now, true)
	} else {
		delay, lost := a.emu.Leg(l.now)
		t.lost = lost || a.fault.loses()
		l.flying++
		l.after(delay, timer{what: ringResult, agent: a, number: a.number, task: t})
	}
	l.mayBegin(a)
}

// resultArrives takes an emulated agent's result at the host. One that was lost
// is known to the journal all the same, and told when the core asks again.
func (l *loop) resultArrives(a *agent, t *task) {
	if t.delivery.state.Final() {
		return
	}
	l.settle(a, t.delivery, t.result)
	if !t.lost {
		l.ack(a.cluster, t.delivery)
	}
}

// measure samples the processing time of work that was done.
func (l *loop) measure(a *agent, t *task, r Result) {
	if r.State == wire.Worked || r.State == wire.InConflict || t.delivery == nil {
		a.profile.served(r.Took, t.weight)
	}
}

// finish settles a delivery and acknowledges it.
func (l *loop) finish(a *agent, d *delivery, r Result) {
	l.settle(a, d, r)
	l.ack(a.cluster, d)
}

// settle makes a delivery final.
func (l *loop) settle(a *agent, d *delivery, r Result) {
	r = r.tidy()
	l.journal.end(d, r.State, outcome{r.Code, ms(r.Took), r.Detail, r.Answer}, l.now)
	a.messages--
	a.profile.outcome(l.now, !r.State.Miss())
	if r.State != wire.Worked {
		return
	}
	a.worked++
	l.stats.worked.Add(1)
	if d.again {
		l.stats.workedAgain.Add(1)
	}
}

// armDeadline sees to it that the work in hand is looked at when its time to
// live may be over.
func (l *loop) armDeadline(a *agent, at time.Time) {
	if a.deadline.IsZero() || at.Before(a.deadline) {
		a.deadline = at
		l.timers.push(timer{at: at, what: ringDeadline, agent: a, number: a.number})
	}
}

// frozenLook is how often the deadline of a frozen agent's work is looked at:
// it moves as long as the freeze lasts.
const frozenLook = 250 * time.Millisecond

func (l *loop) deadlineRings(a *agent) {
	a.deadline = time.Time{}
	t := a.hand
	if t == nil || t.delivery == nil {
		return
	}
	left := t.delivery.left(l.now, a.frozenFor(l.now))
	switch {
	case left > 0 && a.frozen:
		l.armDeadline(a, l.now.Add(max(left, frozenLook)))
	case left > 0:
		l.armDeadline(a, l.now.Add(left))
	case t.cancel != nil:
		t.cancel(context.DeadlineExceeded) // it ends when its handler says so
	default:
		a.hand = nil
		l.finish(a, t.delivery, Result{State: wire.Expired, Code: wire.CodeExpired})
		l.mayBegin(a)
	}
}

// scheduleOwn asks for the next work of an emulated agent's own.
func (l *loop) scheduleOwn(a *agent) {
	a.ownPaused = false
	if at, weight := a.emu.NextOwn(l.now); !at.IsZero() {
		l.timers.push(timer{at: at, what: ringOwn, agent: a, number: a.number, task: &task{priority: 1, weight: weight}})
	}
}

// ownArrives queues work of the agent's own. What a frozen agent would do of
// its own is not begun, and so does not arrive either.
func (l *loop) ownArrives(a *agent, t *task) {
	if a.frozen {
		a.ownPaused = true
		return
	}
	if a.own < maxOwn {
		a.push(t)
		l.mayBegin(a)
	}
	l.scheduleOwn(a)
}
