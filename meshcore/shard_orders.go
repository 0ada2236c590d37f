package meshcore

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// obey carries out an order of the orchestrator and answers it.
func (s *shard) obey(m *nats.Msg, now time.Time) {
	var o wire.ShardOrder
	if err := wire.Decode(m.Data, wire.TypeShardOrder, &o); err != nil {
		s.log.Error("order not understood", "err", err)
		s.respond(m, s.answer("", err))
		return
	}
	if !s.begun && o.Begin == nil {
		return // of before its start: the whole state comes, in order
	}
	if o.ID == s.latest.id { // the answer was lost
		s.respond(m, s.answer(o.ID, s.latest.err))
		return
	}
	err := s.carryOut(&o, now)
	s.latest = answered{o.ID, err}
	s.respond(m, s.answer(o.ID, err))
}

// answered is an order that was obeyed, and what was said of it.
type answered struct {
	id  string
	err error
}

func (s *shard) carryOut(o *wire.ShardOrder, now time.Time) (err error) {
	switch {
	case o.Begin != nil:
		s.begun, s.holdUntil = true, o.Begin.Until
	case o.Freezes != nil:
		s.rememberFreezes(*o.Freezes, now)
	case o.Enrol != nil:
		err = s.enrol(*o.Enrol, now)
	case o.Freeze != nil:
		err = s.onFreezeOrder(*o.Freeze, now)
	case o.Deliver != nil:
		s.deliver(*o.Deliver, now)
	case o.End != nil:
		delete(s.ops, *o.End)
	case o.Inject != nil:
		s.inject(*o.Inject)
	case o.Hold != nil:
		s.holdUntil = o.Hold.Until
	case o.Show:
		s.showNow(now)
	}
	return err
}

func (s *shard) answer(id string, err error) *wire.ShardReport {
	r := &wire.ShardReport{Header: wire.Head(wire.TypeShardReport), Sector: s.sector, ID: id}
	if err != nil {
		r.Err = wire.Errorf(wire.CodeInternal, "sector %d: %v", s.sector, err)
	}
	return r
}

// enrol takes on agents: newcomers, or after a start all that there are. Who
// comes while a standing freeze covers the place is frozen.
func (s *shard) enrol(agents []wire.Enrolled, now time.Time) error {
	if err := s.reg.Enrol(agents); err != nil {
		return err
	}
	for i := range agents {
		a := &agents[i]
		l := s.leads[a.Address.Cluster-1]
		if l.host(a.Host) == nil {
			l.hosts[a.Host] = &hostTalk{}
		}
		l.hosts[a.Host].greet = true
	}
	s.refreeze(now)
	return nil
}

// inject passes a fault on to emulated agents, cluster by cluster.
func (s *shard) inject(order wire.ShardInject) {
	for _, l := range s.leads {
		ids := s.reg.IDs(order.Agents, l.cluster)
		if len(ids) == 0 {
			continue
		}
		fault := order.Inject
		fault.Header = wire.Head(wire.TypeInject)
		fault.Cluster, fault.Agents = l.cluster, ids
		s.publish(wire.SubjectCluster(l.cluster), &fault)
	}
}

// freezing is an order that is being carried out in this sector.
type freezing struct {
	order    wire.FreezeOrder
	covered  wire.Bits // agents whose flag the order set
	released int       // messages that were FROZEN before it
	revs     map[wire.Address]uint64
	told     wire.FreezeProgress
	since    time.Time
	tellAt   time.Time     // what was told may have been lost: it is told again …
	pause    time.Duration // … ever more rarely
}

// freezeForget is how long a shard reports on a freeze whose hosts do not answer.
const freezeForget = time.Minute

// rememberFreezes takes on orders of before the shard's start.
func (s *shard) rememberFreezes(orders []wire.FreezeOrder, now time.Time) {
	for _, order := range orders {
		if err := s.freezes.Append(order); err != nil {
			s.log.Error("freeze order not understood", "seq", order.Seq, "err", err)
		}
	}
	// Hosts may obey a state of any of these: what they are told is no older.
	s.told = s.freezes.Latest()
	s.refreeze(now)
}

// frozenState is what a cluster's hosts shall obey.
func (s *shard) frozenState(cluster wire.Address) wire.FrozenState {
	state := s.reg.FrozenState(cluster)
	state.Seq = max(state.Seq, s.told)
	return state
}

// forgetFreezes drops orders that decide nothing any more, now and then.
func (s *shard) forgetFreezes() {
	if s.freezes.Len() < 2*ordersKept {
		return
	}
	oldest := time.Time{}
	for _, d := range s.ops {
		if oldest.IsZero() || d.started.Before(oldest) {
			oldest = d.started
		}
	}
	s.freezes.Compact(horizon(s.freezes.Orders(), oldest))
}

// onFreezeOrder sets the flags and tells the hosts. The order's fact is durable.
func (s *shard) onFreezeOrder(order wire.FreezeOrder, now time.Time) error {
	if s.freeze[order.Seq] != nil {
		return nil // told twice: with the state, and by who ordered it meanwhile
	}
	before := s.frozenAgents()
	s.forgetFreezes()
	if err := s.freezes.Append(order); err != nil {
		// The dispatcher canonicalised it: only a program of another version
		// could have written what this one cannot read.
		s.log.Error("freeze order not understood", "seq", order.Seq, "err", err)
		return err
	}
	f := &freezing{order: order, since: now}
	s.reg.SetFrozen(s.freezes, nil)
	after := s.frozenAgents()
	f.covered = s.coveredBy(order, before, after)
	f.released = s.freezeDeliveries(before, after, now)
	s.freeze[order.Seq] = f
	s.tellHosts(order)
	if !sameBits(before, after) {
		f.revs = s.showNow(now)
	}
	s.flushSoon()
	return nil
}

// showNow publishes the sector's blocks without waiting for their second: who
// has just frozen agents must not plan on a picture in which they are not.
func (s *shard) showNow(now time.Time) map[wire.Address]uint64 {
	revs := map[wire.Address]uint64{}
	for _, b := range s.reg.AllBlocks(now) {
		s.publish(wire.SubjectRegistry(b.Cluster), b)
		revs[b.Cluster] = b.Rev
	}
	return revs
}

func sameBits(a, b wire.Bits) bool {
	a, b = a.Clone(), b.Clone()
	added := b.Clone()
	added.AndNot(a)
	a.AndNot(b)
	return a.Empty() && added.Empty()
}

// coveredBy is whose flag the order set: those it freezes, or those it thaws.
func (s *shard) coveredBy(order wire.FreezeOrder, before, after wire.Bits) wire.Bits {
	covered := after.Clone()
	if order.Thaw || order.Undoes != 0 {
		changed := before.Clone()
		changed.AndNot(after)
		if order.Undoes != 0 {
			covered.AndNot(before) // an undone thaw freezes again
			changed.Or(covered)
		}
		return changed
	}
	for n := range after.All() {
		if row := s.reg.ByOrdinal(n); row != nil {
			if _, seq := s.freezes.Frozen(row); seq != order.Seq {
				covered.Remove(n)
			}
		}
	}
	return covered
}

// frozenAgents are those whose flag is set now.
func (s *shard) frozenAgents() wire.Bits {
	var b wire.Bits
	for row := range s.reg.Rows(wire.Address{Sector: s.sector}) {
		if row.Frozen {
			b.Add(row.Ordinal)
		}
	}
	return b
}

// tellHosts sends each cluster its whole frozen state, where the order changed it.
func (s *shard) tellHosts(order wire.FreezeOrder) {
	kind, scope := wire.TypeFreeze, wire.ScopeSelector
	if order.Thaw {
		kind = wire.TypeThaw
	}
	if order.Selector == "mesh" {
		scope = wire.ScopeGlobal
	}
	for _, l := range s.leads {
		state := s.frozenState(l.cluster)
		if state.Seq == l.frozen.Seq {
			continue
		}
		l.frozen = state
		s.publish(wire.SubjectCluster(l.cluster), &wire.Freeze{
			Header: wire.Head(kind), Scope: scope, Target: order.Selector,
			Keep: fmt.Sprintf("fact:%d", order.Seq), Cluster: l.cluster, Frozen: state, SentAt: time.Now(),
		})
	}
}

// refreeze applies the standing freezes to newcomers and tells their hosts.
func (s *shard) refreeze(now time.Time) {
	before := s.frozenAgents()
	s.reg.SetFrozen(s.freezes, nil)
	s.freezeDeliveries(before, s.frozenAgents(), now)
	for _, l := range s.leads {
		l.frozen = s.frozenState(l.cluster)
	}
}

// onFrozenAck notes that a host obeys.
func (s *shard) onFrozenAck(talk *hostTalk, ack *wire.FrozenAck) {
	if ack.Seq < talk.obeys {
		return
	}
	talk.obeys, talk.inHand, talk.stoppedAt = ack.Seq, ack.InHand, ack.StoppedAt
	s.flushSoon()
}

// flushFreezes reports how far the orders under way have come, when that changed,
// and now and then again.
func (s *shard) flushFreezes(now time.Time) {
	for seq, f := range s.freeze {
		if now.Sub(f.since) > freezeForget {
			delete(s.freeze, seq)
			continue
		}
		repeat := !now.Before(f.tellAt)
		if f.told.Seq != 0 && f.told.Waiting == 0 && !repeat {
			continue // over
		}
		p := s.freezeProgress(f)
		if repeat || p.Stopped != f.told.Stopped || p.Waiting != f.told.Waiting || p.Silent != f.told.Silent || p.InHand != f.told.InHand {
			f.pause = max(time.Second, 2*f.pause)
			f.told, f.tellAt = p, now.Add(f.pause)
			s.tell(&wire.ShardReport{Freeze: &p})
		}
	}
}

// freezeProgress asks for each host of a covered agent: does it obey?
func (s *shard) freezeProgress(f *freezing) wire.FreezeProgress {
	p := wire.FreezeProgress{Seq: f.order.Seq, Covered: f.covered.Len(), Released: f.released, StoppedAt: f.order.At, Revs: f.revs}
	silent := map[string]bool{}
	counted := map[*hostTalk]bool{}
	for n := range f.covered.All() {
		row := s.reg.ByOrdinal(n)
		if row == nil {
			continue
		}
		l := s.leads[row.Address.Cluster-1]
		talk := l.host(row.Host)
		switch {
		case talk.obeys >= l.frozen.Seq:
			p.Stopped++
			if !counted[talk] {
				counted[talk] = true
				p.InHand += talk.inHand
				if talk.stoppedAt.After(p.StoppedAt) {
					p.StoppedAt = talk.stoppedAt
				}
			}
		case row.State.Heard():
			p.Waiting++
		default:
			p.Silent++
			silent[row.Host] = true
		}
	}
	for host := range silent {
		p.Hosts = append(p.Hosts, host)
	}
	return p
}
