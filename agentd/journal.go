package agentd

import (
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

const (
	// keepFinal is how long a final delivery is remembered beyond its time to
	// live, so that a repeat is answered and not worked.
	keepFinal = time.Hour
	// finalsPerAgent bounds what is remembered; the oldest go first.
	finalsPerAgent = 256
	minFinals      = 4096
)

// journal is a host's memory of messages: what it has received and what came of
// it. What it was told is durable after the next flush, and only then may it be
// acknowledged or begun.
//
// It belongs to the loop's goroutine.
type journal struct {
	incarnation uint64
	deliveries  map[deliveryKey]*delivery
	waiting     map[string][]*delivery // by agent: not final, in the order of receipt
	finals      []*delivery            // in the order in which they ended
	bound       int                    // of finals
	frozen      map[wire.Address]wire.FrozenState
	returns     map[string]uint64
	order       uint64

	// frozenFor is how long an agent has been frozen in all since the start.
	frozenFor func(agentID string, now time.Time) time.Duration

	pending []record
	file    *journalFile // nil: kept in memory only
}

func newJournal() *journal {
	return &journal{
		deliveries: map[deliveryKey]*delivery{},
		waiting:    map[string][]*delivery{},
		bound:      minFinals,
		frozen:     map[wire.Address]wire.FrozenState{},
		returns:    map[string]uint64{},
		frozenFor:  func(string, time.Time) time.Duration { return 0 },
	}
}

// start counts a start of the host. A journal in memory cannot count: there the
// incarnation is the time, in seconds, which rises as well.
func (j *journal) start(now time.Time) {
	j.incarnation++
	if j.file == nil {
		j.incarnation = uint64(now.Unix())
	}
	j.add(record{Kind: recordStart, AtMS: now.UnixMilli(), Count: j.incarnation})
}

// find returns what is known of a message to an agent; nil: nothing.
func (j *journal) find(message, agent string) *delivery {
	return j.deliveries[deliveryKey{message, agent}]
}

// receive notes a message for some of a cluster's agents.
func (j *journal) receive(m *wire.MeshMessage, cluster wire.Address, agents []string, now time.Time) []*delivery {
	kept := *m
	kept.Targets, kept.Except, kept.All = nil, nil, false
	ttl := time.Duration(m.TTLMS * float64(time.Millisecond))
	list := make([]*delivery, len(agents))
	for i, id := range agents {
		j.order++
		d := &delivery{
			deliveryKey: deliveryKey{m.MessageID, id}, cluster: cluster, message: &kept, state: wire.Received,
			order: j.order, until: now.Add(ttl), frozen: j.frozenFor(id, now), arrived: now,
		}
		j.open(d)
		list[i] = d
	}
	j.add(record{Kind: recordReceived, AtMS: now.UnixMilli(), Cluster: &cluster, Message: &kept, Agents: agents, LeftMS: ms(ttl)})
	return list
}

// refuse remembers, in memory only, that a message was refused at the door, so
// that a repeat on its way is not worked after all.
func (j *journal) refuse(m *wire.MeshMessage, agent string, state wire.DeliveryState, code wire.Code, now time.Time) *delivery {
	d := &delivery{
		deliveryKey: deliveryKey{m.MessageID, agent}, state: state, arrived: now,
		until: now.Add(keepFinal), outcome: outcome{code: code},
	}
	j.deliveries[d.deliveryKey] = d
	j.finals = append(j.finals, d)
	return d
}

// begin notes that work is about to begin.
func (j *journal) begin(d *delivery, now time.Time) {
	d.again = d.again || d.begun
	d.begun = true
	if last := j.last(recordBegun); last != nil && last.ID == d.deliveryKey.message {
		last.Agents = append(last.Agents, d.agent)
		return
	}
	j.add(record{Kind: recordBegun, AtMS: now.UnixMilli(), ID: d.deliveryKey.message, Agents: []string{d.agent}})
}

// end notes the final state of a delivery.
func (j *journal) end(d *delivery, state wire.DeliveryState, o outcome, now time.Time) {
	left := max(0, d.left(now, j.frozenFor(d.agent, now))) + keepFinal
	j.shut(d)
	d.state, d.outcome, d.message = state, o, nil
	d.arrived, d.until = now, now.Add(left)
	j.finals = append(j.finals, d)
	if last := j.last(recordFinal); last != nil && d.folds(last) {
		last.Agents = append(last.Agents, d.agent)
		last.ProcessingMS = max(last.ProcessingMS, o.processingMS)
		return
	}
	j.add(d.finalRecord(now))
}

// folds reports whether d says of its agent just what r says of others.
func (d *delivery) folds(r *record) bool {
	return r.ID == d.deliveryKey.message && *r.State == d.state && r.Code == d.code && r.Again == d.again &&
		r.Answer == nil && r.Detail == nil && d.answer == nil && d.detail == nil
}

func (d *delivery) finalRecord(now time.Time) record {
	state := d.state
	return record{
		Kind: recordFinal, AtMS: now.UnixMilli(), ID: d.deliveryKey.message, Agents: []string{d.agent},
		State: &state, LeftMS: ms(d.until.Sub(now)), Code: d.code, ProcessingMS: d.processingMS,
		Again: d.again, Detail: d.detail, Answer: d.answer,
	}
}

// freeze notes who of a cluster is frozen from now on.
func (j *journal) freeze(cluster wire.Address, state wire.FrozenState, now time.Time) {
	j.frozen[cluster] = state
	j.add(record{Kind: recordFrozen, AtMS: now.UnixMilli(), Cluster: &cluster, Frozen: &state})
}

// returned counts a return of an agent and gives the number of its returns.
func (j *journal) returned(agent string, now time.Time) uint64 {
	j.returns[agent]++
	j.add(record{Kind: recordReturns, AtMS: now.UnixMilli(), Agents: []string{agent}, Count: j.returns[agent]})
	return j.returns[agent]
}

// open puts a new delivery among those that wait.
func (j *journal) open(d *delivery) {
	j.deliveries[d.deliveryKey] = d
	j.waiting[d.agent] = append(j.waiting[d.agent], d)
}

// shut takes a delivery away from those that wait.
func (j *journal) shut(d *delivery) {
	list := j.waiting[d.agent]
	if i := slices.Index(list, d); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(j.waiting, d.agent)
		return
	}
	j.waiting[d.agent] = list
}

// forget drops what need not be remembered any longer.
func (j *journal) forget(now time.Time) {
	n := 0
	for n < len(j.finals) && (len(j.finals)-n > j.bound || now.After(j.finals[n].until)) {
		delete(j.deliveries, j.finals[n].deliveryKey)
		n++
	}
	j.finals = slices.Delete(j.finals, 0, n)
}

// add queues a record for the next flush.
func (j *journal) add(r record) {
	if j.file != nil {
		j.pending = append(j.pending, r)
	}
}

// last is the record added last, if it is of this kind and not yet written.
func (j *journal) last(kind recordKind) *record {
	if n := len(j.pending); n > 0 && j.pending[n-1].Kind == kind {
		return &j.pending[n-1]
	}
	return nil
}

// flush makes durable what was noted since the last one: one write for all of
// it. After an error nothing more may be acknowledged.
func (j *journal) flush(now time.Time) error {
	if j.file == nil || len(j.pending) == 0 {
		return nil
	}
	if err := j.file.write(j.pending); err != nil {
		return err
	}
	clear(j.pending)
	j.pending = j.pending[:0]
	if !j.file.large() {
		return nil
	}
	j.forget(now)
	return j.file.renew(j.snapshot(now))
}

// close gives the folder free for another process.
func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.close()
}
