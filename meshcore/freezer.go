package meshcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mesh30k/meshcore/wire"
)

// freezer carries out freezes and thaws. One goroutine writes each order's
// fact and then tells the shards, so that all shards hear the orders in the
// order of their facts.
type freezer struct {
	mu       sync.Mutex
	orders   []wire.FreezeOrder
	waiting  map[uint64]*freezeWait
	requests chan freezeRequest
	once     sync.Once
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

func (f *freezer) init() {
	f.once.Do(func() {
		f.waiting = map[uint64]*freezeWait{}
		f.requests = make(chan freezeRequest)
	})
}

// known are all orders, oldest first.
func (f *freezer) known() []wire.FreezeOrder {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.orders)
}

// progress notes what a shard reports of an order.
func (f *freezer) progress(sector int, p wire.FreezeProgress) {
	f.init()
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
	f.init()
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
		return fmt.Errorf("the order is not durable, nothing was done: %w", err)
	}
	order.Seq = facts[0].Seq
	f.mu.Lock()
	f.orders = append(f.orders, order)
	r.wait.seq = order.Seq
	f.waiting[order.Seq] = r.wait
	f.mu.Unlock()
	for n := range c.opt.Topology.Sectors {
		c.order(n+1, &wire.ShardOrder{Freeze: &order})
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
	c.freezer.init()
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
