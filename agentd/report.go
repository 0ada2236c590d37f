package agentd

import (
	"time"

	"mesh30k/meshcore/wire"
)

const (
	maxReportItems = 1000   // in one REPORT
	maxOutbox      = 10_000 // waiting for one lead
	maxRejected    = 100    // of these, complaints: a sender of rubbish must not crowd out a crash
	reportFirst    = time.Second
	reportLast     = 30 * time.Second
)

// outbox keeps what must reach a cluster's lead until it says that it is
// durable there. It is in memory: a host that is killed comes back with a new
// incarnation, and that tells more than what it had to report.
type outbox struct {
	items    []wire.ReportItem
	sending  int // of items: in the REPORT that is open
	rejected int // of items
	request
}

// reportItem puts an item into the outbox and sends it as soon as the one
// before it is answered.
func (l *loop) reportItem(c *cluster, it wire.ReportItem) {
	o := &c.report
	it.Detail = wire.Clean(it.Detail)
	if len(o.items) >= maxOutbox || it.Kind == wire.ReportRejected && o.rejected >= maxRejected {
		l.log.Warn("a report is dropped: too many wait for their answer", "kind", it.Kind, "detail", it.Detail)
		return
	}
	if it.Kind == wire.ReportRejected {
		o.rejected++
		l.log.Warn("rejected", "cluster", c.address, "why", it.Detail)
	}
	it.At = l.coreTime(l.now)
	o.items = append(o.items, it)
	if !o.open {
		l.nextReport(c)
	}
}

// nextReport opens a REPORT with what waits.
func (l *loop) nextReport(c *cluster) {
	o := &c.report
	if len(o.items) == 0 {
		return
	}
	o.sending = min(len(o.items), maxReportItems)
	o.request = request{seq: o.seq + 1, open: true}
	l.resendReport(c)
}

// resendReport sends the open REPORT, again if need be.
func (l *loop) resendReport(c *cluster) {
	o := &c.report
	if !o.open {
		return
	}
	l.say(wire.UplinkReport.Subject(c.address, l.cfg.Host), l.reply(replyReport, c, o.seq), &wire.Report{
		Header: wire.Head(wire.TypeReport), Host: l.cfg.Host, Cluster: c.address,
		Incarnation: l.journal.incarnation, Seq: o.seq, Items: o.items[:o.sending],
	})
	window := backoff(reportFirst, reportLast, o.attempt)
	o.attempt++
	l.after(window/2+jitter(window/2), timer{what: ringReport, cluster: c, number: o.seq})
}

func (l *loop) reportRings(t timer) {
	if t.number == t.cluster.report.seq && l.link.up {
		l.resendReport(t.cluster)
	}
}

// reported takes a REPORTED: what it answers is durable and leaves the outbox.
func (l *loop) reported(c *cluster, data []byte) error {
	var m wire.Reported
	if err := wire.Decode(data, wire.TypeReported, &m); err != nil {
		return err
	}
	o := &c.report
	if !o.open || m.Seq != o.seq {
		return nil
	}
	for _, it := range o.items[:o.sending] {
		if it.Kind == wire.ReportRejected {
			o.rejected--
		}
	}
	o.items = append([]wire.ReportItem(nil), o.items[o.sending:]...)
	o.open = false
	l.nextReport(c)
	return nil
}
