package agentd

import (
	"time"

	"mesh30k/meshcore/wire"
)

// maxAckBytes bounds one ACK's answers; what is over goes into the next.
const maxAckBytes = 256 << 10

// acks gathers what one cluster's lead is told at a time.
type acks struct {
	items []wire.AckItem
	fold  map[foldKey]int // index into items
}

// foldKey is what agents must have in common to share an item.
type foldKey struct {
	message string
	state   wire.DeliveryState
	code    wire.Code
	again   bool
}

// add takes an item of one agent. Items without answer and detail of their own
// are folded; their processing time is then that of the slowest.
func (x *acks) add(it wire.AckItem) {
	if it.Answer != nil || it.Detail != nil {
		x.items = append(x.items, it)
		return
	}
	key := foldKey{it.MessageID, it.State, it.Code, it.Again}
	if i, ok := x.fold[key]; ok && len(x.items[i].Agents) < wire.MaxChildren {
		x.items[i].Agents = append(x.items[i].Agents, it.Agents...)
		x.items[i].ProcessingMS = max(x.items[i].ProcessingMS, it.ProcessingMS)
		return
	}
	if x.fold == nil {
		x.fold = map[foldKey]int{}
	}
	x.fold[key] = len(x.items)
	x.items = append(x.items, it)
}

// take empties x into portions that fit into a message each.
func (x *acks) take() (portions [][]wire.AckItem) {
	from, size := 0, 0
	for i := range x.items {
		n := 200 + len(x.items[i].Answer) + 64*len(x.items[i].Agents)
		if x.items[i].Detail != nil {
			n += wire.MaxBody
		}
		if size += n; size > maxAckBytes && i > from {
			portions = append(portions, x.items[from:i])
			from, size = i, n
		}
	}
	if from < len(x.items) {
		portions = append(portions, x.items[from:])
	}
	x.items = nil
	clear(x.fold)
	return portions
}

// ack will acknowledge d, after the journal's next flush, in the state that it
// has when ACKs are sent: what was received and ended since the last ones needs
// no RECEIVED any more.
func (l *loop) ack(c *cluster, d *delivery) {
	if !d.unsaid {
		d.unsaid = true
		c.unsaid = append(c.unsaid, d)
	}
	if l.ackDue.IsZero() {
		l.ackDue = l.now.Add(ackDelay)
	}
}

// sendAcks sends what was collected when it is time, and answers to freezes at
// once. While the link is down they are forgotten: the core asks again for
// whatever is not final, and the journal answers.
func (l *loop) sendAcks() {
	due := !l.ackDue.IsZero() && !l.now.Before(l.ackDue)
	for _, c := range l.order {
		if due || c.answer != nil {
			l.sendAcksOf(c)
		}
	}
	if due {
		l.ackDue = time.Time{}
	}
}

// takeUnsaid is what is to be acknowledged to a cluster's lead, in portions that
// fit into a message each.
func (l *loop) takeUnsaid(c *cluster) [][]wire.AckItem {
	for _, d := range c.unsaid {
		d.unsaid = false
		l.acks.add(d.item(l.coreTime(d.arrived)))
	}
	clear(c.unsaid)
	c.unsaid = c.unsaid[:0]
	return l.acks.take()
}

func (l *loop) sendAcksOf(c *cluster) {
	portions := l.takeUnsaid(c)
	if len(portions) == 0 && c.answer != nil {
		portions = [][]wire.AckItem{nil}
	}
	for _, items := range portions {
		l.say(wire.UplinkAck.Subject(c.address, l.cfg.Host), "", &wire.Ack{
			Header: wire.Head(wire.TypeAck), Host: l.cfg.Host, Cluster: c.address,
			Incarnation: l.journal.incarnation, SentAt: l.coreTime(time.Now()), Items: items, Frozen: c.answer,
		})
		c.answer = nil
	}
}
