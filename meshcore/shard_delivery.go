package meshcore

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// delivering is one operation's deliveries in this sector.
type delivering struct {
	set     *gather.Set
	message wire.MeshMessage
	started time.Time
	dirty   bool      // something has happened that the orchestrator has not heard of
	wake    time.Time // nothing is due before, unless something happens
	tellAt  time.Time // what was told may have been lost: it is told again
	writing int       // delivery facts that are not durable yet
}

// retell is how often the progress of what goes on is told at least.
const retell = 10 * time.Second

// deliver starts an operation here, or takes it up again after a restart.
func (s *shard) deliver(order wire.ShardDelivery, now time.Time) {
	if _, known := s.ops[order.Operation]; known {
		return
	}
	d := &delivering{set: gather.NewSet(order, now), message: order.Message, started: order.Started, dirty: true}
	s.relive(d.set, order.Started)
	s.ops[order.Operation] = d
	s.pump(d, now)
	s.flushSoon()
}

// relive tells a set of deliveries which freezes and thaws its agents have met
// since its operation started: none for a new one but what holds now; after a
// restart those too that came while the core was down. The time to live counts
// from their facts.
func (s *shard) relive(set *gather.Set, started time.Time) {
	orders := s.freezes.Orders()
	since := slices.IndexFunc(orders, func(o wire.FreezeOrder) bool { return !o.At.Before(started) })
	if since < 0 {
		set.Freeze(started, s.frozenAgents())
		return
	}
	log := registry.NewFreezeLog(s.cfg.topo)
	for _, order := range orders[:since] {
		_ = log.Append(order) // what cannot be read was said when it came
	}
	before := s.frozenBy(log)
	set.Freeze(started, before)
	for _, order := range orders[since:] {
		_ = log.Append(order)
		after := s.frozenBy(log)
		frozen, thawed := after.Clone(), before.Clone()
		frozen.AndNot(before)
		thawed.AndNot(after)
		set.Freeze(latest(order.At, started), frozen)
		set.Thaw(latest(order.At, started), thawed)
		before = after
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// frozenBy are the agents of the sector that a log freezes.
func (s *shard) frozenBy(log *registry.FreezeLog) wire.Bits {
	var b wire.Bits
	for row := range s.reg.Rows(wire.Address{Sector: s.sector}) {
		if frozen, _ := log.Frozen(row); frozen {
			b.Add(row.Ordinal)
		}
	}
	return b
}

// freezeDeliveries lets the deliveries of newly frozen agents stand still and
// those of thawed ones go on. It returns how many messages go on.
func (s *shard) freezeDeliveries(before, after wire.Bits, now time.Time) (released int) {
	frozen, thawed := after.Clone(), before.Clone()
	frozen.AndNot(before)
	thawed.AndNot(after)
	if frozen.Empty() && thawed.Empty() {
		return 0
	}
	for _, d := range s.ops {
		d.set.Freeze(now, frozen)
		for n := range thawed.All() {
			if state, ok := d.set.State(n); ok && state == wire.Frozen {
				released++
			}
		}
		d.set.Thaw(now, thawed)
		d.dirty = true
	}
	s.flushSoon()
	return released
}

// pump sends what is due, ends what has expired and writes what is final. When
// nothing has happened and nothing is due it costs nothing: messages to the
// frozen may wait for days.
func (s *shard) pump(d *delivering, now time.Time) {
	if !d.dirty && now.Before(d.wake) {
		return
	}
	if d.set.Expire(now).Len() > 0 {
		d.dirty = true
	}
	if due := d.set.Due(now); !due.Empty() {
		s.send(d, due, now)
		d.set.Sent(now, due)
		d.dirty = true
	}
	s.settle(d, now)
	if d.wake = d.set.NextWake(now); d.wake.IsZero() {
		d.wake = now.Add(retell)
	}
}

// tellProgress tells the orchestrator how far it has come, if that is news or was
// told long ago. That all is final waits for its facts, which are there in a
// moment; should they not be, the next tick tells of it all the same (at once).
func (s *shard) tellProgress(d *delivering, now time.Time, atOnce bool) {
	if !d.dirty && now.Before(d.tellAt) || !atOnce && d.set.Done() && d.writing > 0 {
		return
	}
	d.dirty, d.tellAt = false, now.Add(retell)
	p := d.set.Progress()
	p.Settled = d.set.Done() && d.writing == 0
	s.tell(&wire.ShardReport{Delivery: &p})
}

// send addresses the due agents cluster by cluster: all of them without a list,
// those of one host to that host alone.
func (s *shard) send(d *delivering, due wire.Bits, now time.Time) {
	for _, l := range s.leads {
		ids := s.reg.IDs(due, l.cluster)
		if len(ids) == 0 {
			continue
		}
		size := s.size(l.cluster)
		for _, group := range s.byTTL(d.set, ids, now) {
			m := &wire.Coordinate{Header: wire.Head(wire.TypeCoordinate), MeshMessage: d.message}
			m.TTLMS = float64(group.ttl) / float64(time.Millisecond)
			m.SentAt = time.Now()
			if len(group.ids) == size {
				m.All, m.Targets = true, nil
			} else {
				m.All, m.Targets = false, group.ids
			}
			s.publish(s.downlink(l, group.ids), m)
		}
	}
}

// downlink is the narrowest subject that reaches the agents' hosts.
func (s *shard) downlink(l *lead, ids []string) string {
	host := ""
	for _, id := range ids {
		row := s.reg.Agent(id)
		if row == nil {
			continue
		}
		if host != "" && row.Host != host {
			return wire.SubjectCluster(l.cluster)
		}
		host = row.Host
	}
	return wire.SubjectHost(l.cluster, host)
}

// size is how many agents a cluster has.
func (s *shard) size(cluster wire.Address) (n int) {
	for range s.reg.Rows(cluster) {
		n++
	}
	return n
}

type ttlGroup struct {
	ttl time.Duration
	ids []string
}

// ttlGrain is how far the times to live of agents that share a message may lie
// apart: frozen for different times, they have different ones left.
const ttlGrain = 100 * time.Millisecond

// byTTL groups agents by what is left of their time to live; the shortest of a
// group counts for all of it.
func (s *shard) byTTL(set *gather.Set, ids []string, now time.Time) []ttlGroup {
	var groups []ttlGroup
next:
	for _, id := range ids {
		n, ok := s.reg.Ordinal(id)
		if !ok {
			continue
		}
		ttl := set.Remaining(now, n)
		for i := range groups {
			if g := &groups[i]; (ttl - g.ttl).Abs() < ttlGrain {
				g.ttl = min(g.ttl, ttl)
				g.ids = append(g.ids, id)
				continue next
			}
		}
		groups = append(groups, ttlGroup{ttl, []string{id}})
	}
	return groups
}

// settle writes final states that are not facts yet.
func (s *shard) settle(d *delivering, now time.Time) {
	finals := d.set.TakeFacts()
	if len(finals) == 0 {
		return
	}
	var facts []wire.Fact
	for _, f := range finals {
		facts = append(facts, wire.Fact{
			At: now, Kind: wire.FactDelivered, Actor: "core", Address: wire.Address{Sector: s.sector},
			Operation: f.Operation, Data: encodeData(f),
			Text: fmt.Sprintf("%s: %d agents of sector %d %s", f.Operation, f.Agents.Len(), s.sector, f.State),
		})
	}
	d.writing += len(facts)
	s.cfg.scribe.insist(facts, func() {
		s.later(func(now time.Time) {
			d.writing -= len(facts)
			d.dirty = true
			if d.set.Done() {
				s.pump(d, now) // a repeat may have come meanwhile
				s.tellProgress(d, now, false)
				return
			}
			s.flushSoon()
		})
	})
}

// onAck takes what a host says of messages and of freezes.
func (s *shard) onAck(l *lead, host string, m *nats.Msg, now time.Time) {
	var a wire.Ack
	if err := wire.Decode(m.Data, wire.TypeAck, &a); err != nil {
		s.counters.Undecodable++
		return
	}
	talk := l.host(host)
	if talk == nil || a.Host != host || a.Cluster != l.cluster {
		s.counters.Foreign++
		return
	}
	if a.Frozen != nil {
		s.onFrozenAck(talk, a.Frozen)
	}
	for i := range a.Items {
		s.onAckItem(l, host, talk, &a.Items[i], now)
	}
}

func (s *shard) onAckItem(l *lead, host string, talk *hostTalk, it *wire.AckItem, now time.Time) {
	d := s.ops[it.MessageID]
	if d == nil {
		return // over, or never ours
	}
	var said wire.Bits
	var foreign []string
	for _, id := range it.Agents {
		row := s.reg.Agent(id)
		if row == nil || row.Host != host || row.Address.InCluster() != l.cluster {
			foreign = append(foreign, id)
			continue
		}
		said.Add(row.Ordinal)
	}
	if len(foreign) > 0 {
		s.counters.Foreign += uint64(len(foreign))
		s.violation(l, host, talk, foreign, now)
	}
	changed := d.set.Mark(now, it.State, said, it.Code, it.Again)
	if changed.Empty() && !it.Again {
		return
	}
	d.dirty = true
	s.flushSoon()
	if it.State == wire.Worked {
		s.counters.Worked += uint64(changed.Len())
	}
	if it.Again {
		// A repeat of what was final already changes no state, but is counted.
		s.counters.WorkedAgain += uint64(said.Len())
	}
}
