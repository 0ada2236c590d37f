package agentd

import (
	"context"
	"time"

	"mesh30k/meshcore/wire"
)

// maxOwn bounds the work of an emulated agent's own that may wait: its queue
// must not crowd out the mesh's messages.
const maxOwn = 64

// agent is all that a host knows of one of its agents.
type agent struct {
	wire.Enrolled
	cluster *cluster
	handler Handler   // of a real agent
	emu     Emulation // of an emulated one

	alive   bool
	returns uint64 // counted by the journal; part of the incarnation
	number  uint64 // of the present life: timers of an earlier one are ignored
	worked  uint64
	profile profile

	frozen      bool
	frozenSince time.Time
	frozenSum   time.Duration // of the freezes that are over

	queue    [4]fifo // by priority
	own      int     // of the queued, the agent's own
	messages int     // received and not final
	hand     *task   // begun and not ended
	deadline time.Time
	eligible bool // is in the loop's list of those that may begin

	ownPaused bool // its own work would have arrived while it was frozen
	fault     *faults
}

// frozenFor is how long the agent has been frozen in all.
func (a *agent) frozenFor(now time.Time) time.Duration {
	if a.frozen {
		return a.frozenSum + now.Sub(a.frozenSince)
	}
	return a.frozenSum
}

// setFrozen keeps the account of the time spent frozen.
func (a *agent) setFrozen(frozen bool, now time.Time) {
	switch {
	case frozen && !a.frozen:
		a.frozenSince = now
	case !frozen && a.frozen:
		a.frozenSum += now.Sub(a.frozenSince)
	}
	a.frozen = frozen
}

// queued is how many wait.
func (a *agent) queued() (n int) {
	for i := range a.queue {
		n += a.queue[i].len()
	}
	return n
}

// push puts t behind those of its priority.
func (a *agent) push(t *task) {
	if t.delivery == nil {
		a.own++
	}
	a.queue[t.priority].push(t)
}

// pop takes the first of the highest priority; nil: nothing waits.
func (a *agent) pop() *task {
	for p := len(a.queue) - 1; p >= 0; p-- {
		if a.queue[p].len() > 0 {
			t := a.queue[p].pop()
			if t.delivery == nil {
				a.own--
			}
			return t
		}
	}
	return nil
}

// able reports whether the agent may begin work as far as it is itself concerned.
func (a *agent) able() bool {
	return a.alive && !a.frozen && a.hand == nil && !a.fault.stalled()
}

// incarnation counts the agent's starts: those of its host and its own returns.
func (a *agent) incarnation(host uint64) uint64 { return host + a.returns }

// task is one piece of work: a delivery, or work of an emulated agent's own.
type task struct {
	delivery *delivery // nil: the agent's own
	priority int
	weight   float64
	began    time.Time
	cancel   context.CancelCauseFunc // of a real agent's work
	result   Result                  // of an emulated agent's work
	held     bool                    // ended during a stall
	lost     bool                    // its result is lost on the way
}

// fifo is a queue that reuses its space.
type fifo struct {
	items []*task
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(t *task) {
	if f.head > 32 && f.head > len(f.items)/2 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, t)
}

func (f *fifo) pop() *task {
	t := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return t
}

// keep drops the tasks for which wanted says no.
func (f *fifo) keep(wanted func(*task) bool) {
	n := 0
	for _, t := range f.items[f.head:] {
		if wanted(t) {
			f.items[n] = t
			n++
		}
	}
	clear(f.items[n:])
	f.items, f.head = f.items[:n], 0
}

// cluster is a host's side of its talk with one cluster's lead.
type cluster struct {
	address wire.Address
	agents  []*agent // by seat, as WELCOME named them

	welcomed bool // since the last connect: it is known who is frozen
	hello    request
	frozen   wire.FrozenState
	stopped  time.Time       // when frozen was obeyed
	answer   *wire.FrozenAck // to be sent at the end of the turn

	every    time.Duration // between heartbeats; 0: not yet told
	maxQueue int
	beat     uint64 // sequence of the latest heartbeat
	beatAt   time.Time
	lost     int    // beats that emulated loss has taken since the last heartbeat
	beatRing uint64 // number of the present heartbeat timer

	unsaid []*delivery // to be acknowledged when ACKs are sent
	report outbox
}

// request is a message that is repeated until it is answered.
type request struct {
	seq     uint64
	open    bool
	attempt int
	sentAt  time.Time
}
