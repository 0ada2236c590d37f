package agentd

import (
	"errors"
	"time"

	"mesh30k/meshcore/wire"
)

// errDrained is the cause of the end of work that the drain could not wait for.
var errDrained = errors.New("the host stops")

const (
	lastWords  = 2 * time.Second // for what was said last to leave the process
	handlerEnd = 5 * time.Second // for broken-off work to end
)

// drain refuses new messages, begins nothing more and tells the leads.
func (l *loop) drain() {
	l.draining = true
	for _, c := range l.order {
		l.reportItem(c, wire.ReportItem{Kind: wire.ReportLeaving})
	}
}

// idle reports whether nothing is left to wait for: no work in hand, no result
// on its way, everything told.
func (l *loop) idle() bool {
	if l.flying > 0 || !l.ackDue.IsZero() {
		return false
	}
	for _, c := range l.order {
		if l.link.up && c.report.open {
			return false
		}
	}
	for _, a := range l.agents {
		if a.hand != nil && a.hand.delivery != nil {
			return false
		}
	}
	return true
}

// close ends what runs, in the order in which it depends on each other: work,
// handlers, link, journal.
func (l *loop) close(cancel func(error)) error {
	cancel(errDrained)
	l.awaitHandlers()
	for _, a := range l.agents {
		l.closeHandler(a)
	}
	if l.link.up {
		if !l.broken {
			l.ackDue = l.now // all that they say is written
			l.sendAcks()
		}
		if err := l.link.conn.FlushTimeout(lastWords); err != nil {
			l.log.Debug("the last words may not have arrived", "why", err)
		}
	}
	l.disconnect()
	return l.journal.close()
}

// awaitHandlers waits a little for the ends of broken-off work, so that no
// program outlives its host.
func (l *loop) awaitHandlers() {
	timeout := time.NewTimer(handlerEnd)
	defer timeout.Stop()
	for {
		busy := 0
		for _, a := range l.agents {
			if a.hand != nil && a.hand.cancel != nil {
				busy++
			}
		}
		if busy == 0 {
			return
		}
		select {
		case <-l.mail.ready:
			l.takeMail()
		case <-timeout.C:
			l.log.Warn("work did not end when it was told to", "agents", busy)
			return
		}
	}
}
