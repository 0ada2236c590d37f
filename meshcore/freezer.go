package meshcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// freezer carries out freezes and thaws. One goroutine writes each order's
// fact and then tells the shards, so that all shards hear the orders in the
// order of their facts.
type freezer struct {
	topo *wire.Topology

	mu       sync.Mutex
	log      *registry.FreezeLog
	waiting  map[uint64]*freezeWait
	requests chan freezeRequest
}

type freezeRequest struct {
	order wire.FreezeOrder
	wait  *freezeWait
	taken chan error
}

// freezeWait follows one order through the sectors.
type freezeWait struct {
	seq     uint64
	sectors map[int]wire.FreezeProgress
	changed chan struct{} // holds one: something has changed
}

// ordersKept are the latest orders, which can be undone. Older ones are dropped
// once they decide nothing any more.
const ordersKept = 256

// horizon is the Seq below which no order will be undone, nor lived through
// again by an operation that is open since oldest (zero: none is).
func horizon(orders []wire.FreezeOrder, oldest time.Time) uint64 {
	if len(orders) <= ordersKept {
		return 0
	}
	last := orders[len(orders)-ordersKept].Seq
	for _, o := range orders {
		if o.Seq >= last || !oldest.IsZero() && !o.At.Before(oldest) {
			return o.Seq
		}
	}
	return last
}

// restore takes in the orders of earlier cores. One that cannot be read stops
// the start: without it what is frozen could thaw.
func (f *freezer) restore(topo *wire.Topology, orders []wire.FreezeOrder) error {
	f.topo, f.log = topo, registry.NewFreezeLog(topo)
	f.waiting, f.requests = map[uint64]*freezeWait{}, make(chan freezeRequest)
	for _, o := range orders {
		o.Preserved = nil // is in its fact
		if err := f.log.Append(o); err != nil {
			return err
		}
	}
	return nil
}

// known are the orders that decide something, oldest first, when operations are
// open since oldest; and of these the ones that somebody waits for.
func (f *freezer) known(oldest time.Time) (orders, awaited []wire.FreezeOrder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log.Compact(horizon(f.log.Orders(), oldest))
	orders = f.log.Orders()
	for _, o := range orders {
		if f.waiting[o.Seq] != nil {
			awaited = append(awaited, o)
		}
	}
	return orders, awaited
}

// check refuses an order that shards could not obey, before it is a fact.
func (f *freezer) check(order wire.FreezeOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if order.Undoes == 0 {
		order.Seq = 1
		return registry.NewFreezeLog(f.topo).Append(order)
	}
	if !slices.ContainsFunc(f.log.Orders(), func(o wire.FreezeOrder) bool { return o.Seq == order.Undoes }) {
		return wire.Errorf(wire.CodeForbidden, "order %d is too old to be undone: only the last %d are", order.Undoes, ordersKept).
			WithHint("freeze or thaw the same target instead")
	}
	return nil
}

// add takes in an order that is durable.
func (f *freezer) add(order wire.FreezeOrder, w *freezeWait) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.seq = order.Seq
	f.waiting[order.Seq] = w
	return f.log.Append(order)
}

// ofSector are the orders as a sector's shard needs them: agents that they name
// are cut to the sector.
func ofSector(sector int, orders []wire.FreezeOrder) []wire.FreezeOrder {
	cut := slices.Clone(orders)
	for i := range cut {
		o := &cut[i]
		o.Preserved = nil
		if o.Resolved == nil {
			continue
		}
		agents := o.Resolved.Sector(sector)
		o.Resolved = wire.Targets{}
		if !agents.Empty() {
			o.Resolved = wire.Targets{{Sector: sector, Agents: agents}}
		}
	}
	return cut
}

// progress notes what a shard reports of an order.
func (f *freezer) progress(sector int, p wire.FreezeProgress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.waiting[p.Seq]; w != nil {
		w.sectors[sector] = p
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
}

func (f *freezer) run(ctx context.Context, c *Core) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-f.requests:
			r.taken <- f.carryOut(ctx, c, r)
		}
	}
}

func (f *freezer) carryOut(ctx context.Context, c *Core, r freezeRequest) error {
	order := r.order
	if err := f.check(order); err != nil {
		return err
	}
	kind := wire.FactFreeze
	switch {
	case order.Undoes != 0:
		kind = wire.FactFreezeUndone
	case order.Thaw:
		kind = wire.FactThaw
	}
	if kind == wire.FactFreeze {
		order.Preserved = c.preserve()
	}
	facts, err := c.opt.Facts.Append(ctx, wire.Fact{
		At: order.At, Kind: kind, Actor: order.Actor, Data: encodeData(order), Text: freezeText(kind, order),
	})
	if err != nil {
		return notDone("the order", err)
	}
	order.Seq, order.Preserved = facts[0].Seq, nil
	if err := f.add(order, r.wait); err != nil {
		return err // checked before: cannot be
	}
	for n := range f.topo.Sectors {
		c.order(n+1, &wire.ShardOrder{Freeze: &ofSector(n+1, []wire.FreezeOrder{order})[0]})
	}
	return nil
}

// preserve is the state of queues and operations, as the replica has it.
func (c *Core) preserve() *wire.Preserved {
	p := &wire.Preserved{Queues: map[wire.Address]int{}, Operations: c.ops.openIDs()}
	for n := range c.opt.Topology.Sectors {
		for row := range rowsOf(c.View(), n+1) {
			p.Agents++
			if row.State.Heard() {
				p.Active++
			}
			p.InHand += row.InHand
			p.Queued += row.QueueDepth
			if row.QueueDepth > 0 {
				p.Queues[row.Address.InCluster()] += row.QueueDepth
			}
		}
	}
	return p
}

func freezeText(kind wire.FactKind, o wire.FreezeOrder) string {
	what := map[wire.FactKind]string{
		wire.FactFreeze: "frozen: ", wire.FactThaw: "thawed: ", wire.FactFreezeUndone: "undone: ",
	}[kind] + o.Selector
	what += " by " + o.Actor
	if o.Reason != "" {
		what += fmt.Sprintf(" (%s)", wire.Clean(o.Reason))
	}
	return what
}

// Freeze carries out a freeze, a thaw or the undoing of one. It returns when
// every host that lives has obeyed, or with what is known when ctx ends: the
// order stands, and who comes back later obeys it then.
func (c *Core) Freeze(ctx context.Context, order wire.FreezeOrder, progress func(wire.Progress)) (wire.FreezeResult, error) {
	if order.At.IsZero() {
		order.At = time.Now()
	}
	w := &freezeWait{sectors: map[int]wire.FreezeProgress{}, changed: make(chan struct{}, 1)}
	taken := make(chan error, 1)
	select {
	case c.freezer.requests <- freezeRequest{order, w, taken}:
	case <-ctx.Done():
		return wire.FreezeResult{}, ctx.Err()
	case <-c.closed:
		return wire.FreezeResult{}, wire.Errorf(wire.CodeInternal, "the core is stopping")
	}
	if err := <-taken; err != nil {
		return wire.FreezeResult{}, err
	}
	defer c.freezer.forget(w)
	poll := time.NewTicker(viewInterval)
	defer poll.Stop()
	for {
		result, over := c.freezer.result(w, order, len(c.opt.Topology.Sectors))
		if over && c.shows(w) {
			return result, nil
		}
		if progress != nil && result.Covered > 0 {
			progress(wire.Progress{
				Header: wire.Head(wire.TypeProgress), Done: result.Stopped, Total: result.Covered,
				Text: fmt.Sprintf("%d of %d agents have obeyed", result.Stopped, result.Covered),
			})
		}
		select {
		case <-w.changed:
		case <-poll.C: // the picture follows within its interval
		case <-ctx.Done():
			return result, nil
		}
	}
}

// shows reports whether the picture has the flags that the order set: what is
// planned from now on sees them.
func (c *Core) shows(w *freezeWait) bool {
	view := c.View()
	c.freezer.mu.Lock()
	defer c.freezer.mu.Unlock()
	for _, p := range w.sectors {
		for cluster, rev := range p.Revs {
			if b := view.Block(cluster); b == nil || b.Epoch == c.epoch && b.Rev < rev {
				return false
			}
		}
	}
	return true
}

func (f *freezer) forget(w *freezeWait) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiting, w.seq)
}

// result sums up the sectors. It is over when all have reported and nobody is
// waited for.
func (f *freezer) result(w *freezeWait, order wire.FreezeOrder, sectors int) (wire.FreezeResult, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := wire.FreezeResult{Thaw: order.Thaw, Seq: w.seq, Target: order.Selector, At: order.At}
	hosts := map[string]bool{}
	waiting, last := 0, order.At
	for _, p := range w.sectors {
		r.Covered += p.Covered
		r.Stopped += p.Stopped
		r.SilentN += p.Silent
		r.InHand += p.InHand
		r.Thawing += p.Released
		waiting += p.Waiting
		if p.StoppedAt.After(last) {
			last = p.StoppedAt
		}
		for _, h := range p.Hosts {
			hosts[h] = true
		}
	}
	r.Silent = slices.Sorted(maps.Keys(hosts))
	r.LastStopMS = float64(last.Sub(order.At)) / float64(time.Millisecond)
	return r, len(w.sectors) == sectors && waiting == 0
}
