package agentd

import (
	"cmp"
	"math"
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// openJournal reads the journal in folder dir, locks it against other
// processes, and writes it anew without what is no longer needed. damaged
// counts lines that could not be read and are lost.
func openJournal(dir string, sync bool, now time.Time) (j *journal, damaged int, err error) {
	file, data, err := openJournalFile(dir, sync)
	if err != nil {
		return nil, 0, err
	}
	j = newJournal()
	j.file = file
	damaged = j.replay(data, now)
	if err := file.replace(j.snapshot(now)); err != nil {
		return nil, 0, cmp.Or(err, file.close())
	}
	return j, damaged, nil
}

// frozenSince is one entry of a cluster's history of freezes.
type frozenSince struct {
	at      time.Time
	cluster wire.Address
	state   wire.FrozenState
}

// replay takes the journal's lines. Time between then and now passes for
// messages, except while their agent was frozen, which it stays until a lead
// says otherwise.
func (j *journal) replay(data []byte, now time.Time) (damaged int) {
	var history []frozenSince
	damaged = decodeJournal(data, func(r *record) {
		at := time.UnixMilli(r.AtMS)
		switch r.Kind {
		case recordStart:
			j.incarnation = max(j.incarnation, r.Count)
		case recordReturns:
			j.returns[r.Agents[0]] = max(j.returns[r.Agents[0]], r.Count)
		case recordFrozen:
			j.frozen[*r.Cluster] = *r.Frozen
			history = append(history, frozenSince{at, *r.Cluster, *r.Frozen})
		case recordReceived:
			j.replayReceived(r, at)
		case recordBegun:
			for _, id := range r.Agents {
				if d := j.find(r.ID, id); d != nil {
					d.begun = true
				}
			}
		case recordFinal:
			j.replayFinal(r, at)
		}
	})
	for _, d := range j.inOrder() {
		// From here on until is of the running clock, not of the wall's.
		d.until = now.Add(d.until.Sub(now.Round(0)) + frozenWithin(history, d, now))
	}
	j.forgetOnLoad(now)
	return damaged
}

func (j *journal) replayReceived(r *record, at time.Time) {
	var cluster wire.Address
	if r.Cluster != nil {
		cluster = *r.Cluster
	}
	for _, id := range r.Agents {
		if d := j.find(r.Message.MessageID, id); d != nil {
			continue
		}
		j.order++
		d := &delivery{
			deliveryKey: deliveryKey{r.Message.MessageID, id}, cluster: cluster, message: r.Message,
			state: wire.Received, order: j.order, arrived: at,
			until: at.Add(time.Duration(r.LeftMS * float64(time.Millisecond))),
		}
		j.open(d)
	}
}

func (j *journal) replayFinal(r *record, at time.Time) {
	for _, id := range r.Agents {
		d := j.find(r.ID, id)
		if d == nil {
			d = &delivery{deliveryKey: deliveryKey{r.ID, id}}
			j.deliveries[d.deliveryKey] = d
		}
		if d.state.Final() {
			continue
		}
		j.shut(d)
		d.state, d.message, d.arrived, d.again = *r.State, nil, at, r.Again
		d.until = at.Add(time.Duration(r.LeftMS * float64(time.Millisecond)))
		d.outcome = outcome{r.Code, r.ProcessingMS, r.Detail, r.Answer}
		j.finals = append(j.finals, d)
	}
}

// forgetOnLoad drops the finals whose time has passed, and what was received so
// long ago that nobody will ask for it.
func (j *journal) forgetOnLoad(now time.Time) {
	j.bound = max(j.bound, len(j.finals))
	j.forget(now)
	j.bound = minFinals
	for _, d := range j.inOrder() {
		if now.Sub(d.until) > keepFinal {
			j.shut(d)
			delete(j.deliveries, d.deliveryKey)
		}
	}
}

// frozenWithin is how long d's agent was frozen between d's receipt and now.
func frozenWithin(history []frozenSince, d *delivery, now time.Time) (total time.Duration) {
	var since time.Time
	var frozen bool
	for _, h := range history {
		if h.cluster != d.cluster {
			continue
		}
		if frozen {
			total += max(0, h.at.Sub(later(since, d.arrived)))
		}
		frozen, since = h.state.Frozen(d.agent), h.at
	}
	if frozen {
		total += max(0, now.Round(0).Sub(later(since, d.arrived)))
	}
	return total
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// snapshot spells the journal anew, with nothing in it that is over.
func (j *journal) snapshot(now time.Time) []record {
	at := now.UnixMilli()
	list := []record{{Kind: recordStart, AtMS: at, Count: j.incarnation}}
	for agent, n := range j.returns {
		list = append(list, record{Kind: recordReturns, AtMS: at, Agents: []string{agent}, Count: n})
	}
	for cluster, state := range j.frozen {
		list = append(list, record{Kind: recordFrozen, AtMS: at, Cluster: &cluster, Frozen: &state})
	}
	return append(j.snapshotOpen(list, now), j.snapshotFinals(now)...)
}

// snapshotOpen appends what is not final: a message once for all agents that
// have the same time left.
func (j *journal) snapshotOpen(list []record, now time.Time) []record {
	open := j.inOrder()
	for _, d := range open {
		left := math.Round(ms(d.left(now, j.frozenFor(d.agent, now))))
		if r := &list[len(list)-1]; r.Message == d.message && r.LeftMS == left && *r.Cluster == d.cluster {
			r.Agents = append(r.Agents, d.agent)
			continue
		}
		list = append(list, record{
			Kind: recordReceived, AtMS: now.UnixMilli(), Cluster: &d.cluster,
			Message: d.message, Agents: []string{d.agent}, LeftMS: left,
		})
	}
	for _, d := range open {
		if d.begun {
			list = append(list, record{Kind: recordBegun, AtMS: now.UnixMilli(), ID: d.deliveryKey.message, Agents: []string{d.agent}})
		}
	}
	return list
}

func (j *journal) snapshotFinals(now time.Time) (list []record) {
	for _, d := range j.finals {
		if n := len(list); n > 0 && d.folds(&list[n-1]) {
			list[n-1].Agents = append(list[n-1].Agents, d.agent)
			continue
		}
		list = append(list, d.finalRecord(now))
	}
	return list
}

// inOrder are all deliveries that are not final, in the order of their receipt.
func (j *journal) inOrder() (all []*delivery) {
	for _, list := range j.waiting {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b *delivery) int { return cmp.Compare(a.order, b.order) })
	return all
}
