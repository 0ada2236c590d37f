package agentd

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

const (
	messageBuffer = 4096                 // NATS messages that may wait for the loop
	turnMessages  = 256                  // taken in one turn, before anything is written
	ackDelay      = 4 * time.Millisecond // for which ACKs are collected
	sweepEvery    = time.Second          // how late a message in a queue may be found expired
)

// loop is a running host. One goroutine owns it; nothing in it is locked. Each
// turn takes what has come in, decides, writes the journal once, and only then
// lets anything out: so what is acknowledged or begun is in the journal.
type loop struct {
	*Host
	ctx       context.Context // of the work in hand; it outlives Run's until the drain is over
	now       time.Time
	started   time.Time
	skew      time.Duration // host's clock minus this machine's
	skewSet   uint64
	clock     clock
	link      link
	rtt       ring // ms, round trips to the core
	rttMS     float64
	linkDrift float64 // drift_coefficient of the host's link

	clusters map[wire.Address]*cluster
	order    []*cluster
	// downlinks are the clusters by the subjects that come down to this host.
	downlinks map[string]*cluster
	agents    map[string]*agent
	journal   *journal
	timers    timers
	lives     uint64 // numbers for agents' lives and clusters' timers
	eligible  []*agent
	begun     []*agent // marked in this turn; their work begins once that is written
	mail      *mailbox
	messages  chan *nats.Msg
	ackDue    time.Time // zero: none is waiting
	acks      acks      // empty between turns
	sweeping  bool
	flying    int // results on their way from emulated agents
	draining  bool
	broken    bool // the journal cannot be written: nothing more is acknowledged
	scratch   [ringSize]float32
}

func (h *Host) newLoop(ctx context.Context, j *journal) *loop {
	l := &loop{
		Host: h, ctx: ctx, skew: h.cfg.ClockOffset,
		clusters: map[wire.Address]*cluster{}, agents: map[string]*agent{}, downlinks: map[string]*cluster{},
		journal: j, mail: newMailbox(), messages: make(chan *nats.Msg, messageBuffer),
	}
	l.now = time.Now()
	l.started = l.now
	j.frozenFor = func(id string, now time.Time) time.Duration {
		if a := l.agents[id]; a != nil {
			return a.frozenFor(now)
		}
		return 0
	}
	for _, address := range h.cfg.Clusters {
		c := &cluster{address: address, frozen: j.frozen[address]}
		l.clusters[address] = c
		l.downlinks[wire.SubjectCluster(address)] = c
		l.downlinks[wire.SubjectHost(address, h.cfg.Host)] = c
		l.order = append(l.order, c)
	}
	return l
}

// run serves until stop ends and the drain is over.
func (l *loop) run(stop context.Context) error {
	alarmClock := time.NewTimer(0)
	defer alarmClock.Stop()
	stopping := stop.Done()
	var drained time.Time
	for {
		select {
		case m := <-l.messages:
			l.now = time.Now()
			l.takeMessages(m)
		case <-l.mail.ready:
			l.now = time.Now()
			l.takeMail()
		case <-alarmClock.C:
			l.now = time.Now()
		case <-stopping:
			l.now = time.Now()
			stopping, drained = nil, l.now.Add(l.cfg.DrainTimeout)
			l.drain()
		}
		if err := l.turn(); err != nil {
			return err
		}
		if l.draining && (l.idle() || !l.now.Before(drained)) {
			return nil
		}
		alarmClock.Reset(l.sleep(drained))
	}
}

// turn decides and writes, then lets out.
func (l *loop) turn() error {
	for at, ok := l.timers.next(); ok && !at.After(l.now); at, ok = l.timers.next() {
		l.ring(l.timers.pop())
	}
	l.markBegun()
	if err := l.journal.flush(l.now); err != nil {
		l.broken = true
		return err
	}
	l.beginMarked()
	l.sendAcks()
	return nil
}

// sleep is how long nothing is due.
func (l *loop) sleep(drained time.Time) time.Duration {
	wake := l.now.Add(time.Hour)
	if at, ok := l.timers.next(); ok && at.Before(wake) {
		wake = at
	}
	if !l.ackDue.IsZero() && l.ackDue.Before(wake) {
		wake = l.ackDue
	}
	if l.draining && drained.Before(wake) {
		wake = drained
	}
	return max(0, time.Until(wake))
}

// takeMessages takes the message at hand and those behind it.
func (l *loop) takeMessages(m *nats.Msg) {
	for range turnMessages {
		l.message(m)
		select {
		case m = <-l.messages:
		default:
			return
		}
	}
	l.message(m)
}

func (l *loop) takeMail() {
	for _, x := range l.mail.take() {
		switch {
		case x.end != nil:
			l.handlerEnded(x.end)
		case x.link != nil:
			l.linkChanged(x.link)
		}
	}
}

// after sets a timer that rings d from now.
func (l *loop) after(d time.Duration, t timer) {
	t.at = l.now.Add(d)
	l.timers.push(t)
}

// ring does what a timer was set for, unless it is one of an earlier life.
func (l *loop) ring(t timer) {
	if t.what == ringResult {
		l.flying--
	}
	if t.agent != nil && t.number != t.agent.number {
		return
	}
	switch t.what {
	case ringHello:
		l.helloRings(t)
	case ringBeat:
		l.beatRings(t)
	case ringReport:
		l.reportRings(t)
	case ringSweep:
		l.sweep()
	case ringArrive:
		l.arrive(t.agent, t.task)
	case ringServed:
		l.served(t.agent, t.task)
	case ringResult:
		l.resultArrives(t.agent, t.task)
	case ringDeadline:
		l.deadlineRings(t.agent)
	case ringOwn:
		l.ownArrives(t.agent, t.task)
	case ringCrash:
		l.crashRings(t.agent)
	default:
		l.ringFault(t)
	}
}

// number gives a number that no timer has.
func (l *loop) number() uint64 {
	l.lives++
	return l.lives
}

// wall is the host's clock at t: this machine's, and what it is emulated to be
// off and to drift. Its readings leave the host; durations never come from it.
func (l *loop) wall(t time.Time) time.Time {
	drift := l.cfg.ClockDriftPPM / 1e6 * float64(t.Sub(l.started))
	return t.Add(l.skew + time.Duration(drift))
}

// coreTime is the core's time at t by the host's estimate.
func (l *loop) coreTime(t time.Time) time.Time {
	offset, _, _ := l.clock.estimate(l.wall(t))
	return l.wall(t).Add(offset)
}

// jitter is a random share of d.
func jitter(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
