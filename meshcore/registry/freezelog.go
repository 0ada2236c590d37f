package registry

import (
	"fmt"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// FreezeLog is the order in which agents were frozen and thawed, and decides by
// it who is frozen: the latest order that covers an agent and has not been
// undone (rulings). The zero of it, no order, is nobody. Each shard has its own.
type FreezeLog struct {
	topo   *wire.Topology
	orders []freezeEntry // by Seq, ascending
	latest uint64
}

type freezeEntry struct {
	wire.FreezeOrder
	selector wire.Selector
	standing bool // holds for newcomers
	whole    bool // names sectors and clusters only: covers clusters whole
	undone   bool
}

// NewFreezeLog makes an empty log for a mesh of this shape.
func NewFreezeLog(topo *wire.Topology) *FreezeLog { return &FreezeLog{topo: topo} }

// Append adds an order. Orders come in ascending Seq; one that is not above the
// latest has been appended before, and changes nothing. An order that undoes
// another takes that one back, as if it had never been; an order that undoes
// an undo puts the order back in force.
//
// An error says that the order has no Seq, a selector that cannot be read or
// resolved in this topology, or undoes an order that is not known (any more).
// Nothing is appended then.
func (l *FreezeLog) Append(o wire.FreezeOrder) error {
	if o.Seq == 0 {
		return fmt.Errorf("freeze log: an order on %q without a sequence; append it after its fact is durable", wire.Clean(o.Selector))
	}
	if o.Seq <= l.latest {
		return nil
	}
	e := freezeEntry{FreezeOrder: o}
	if o.Undoes != 0 {
		if l.find(o.Undoes) == nil {
			return fmt.Errorf("freeze log: order %d undoes %d, which is not known (any more); freeze or thaw the same target instead", o.Seq, o.Undoes)
		}
		l.orders = append(l.orders, e)
		l.take(o.Undoes, true)
	} else {
		if err := e.read(l.topo); err != nil {
			return err
		}
		l.orders = append(l.orders, e)
	}
	l.latest = o.Seq
	return nil
}

// read parses the order's selector once.
func (e *freezeEntry) read(topo *wire.Topology) error {
	sel, err := wire.ParseSelector(e.Selector)
	if err == nil {
		sel, err = sel.Resolve(topo)
	}
	if err != nil {
		return fmt.Errorf("freeze log: order %d: %w", e.Seq, err)
	}
	e.selector = sel
	e.standing = e.Resolved == nil && sel.Standing()
	e.whole = e.standing && namesPlacesOnly(sel)
	return nil
}

// namesPlacesOnly reports whether a selector asks for nothing but sectors and
// clusters, by its canonical form. A comma within a value makes it say no,
// which is the safe answer.
func namesPlacesOnly(sel wire.Selector) bool {
	if sel.IsMesh() {
		return true
	}
	for cond := range strings.SplitSeq(sel.String(), ",") {
		name := strings.TrimRight(cond[:max(0, strings.IndexAny(cond, "=<>"))], "!")
		if name != "sector" && name != "cluster" {
			return false
		}
	}
	return true
}

// take marks an order undone or in force again; when that order is itself an
// undo, the one that it had undone goes the other way.
func (l *FreezeLog) take(seq uint64, undone bool) {
	e := l.find(seq)
	if e == nil || e.undone == undone {
		return
	}
	e.undone = undone
	if e.Undoes != 0 {
		l.take(e.Undoes, !undone)
	}
}

func (l *FreezeLog) find(seq uint64) *freezeEntry {
	i, ok := slices.BinarySearchFunc(l.orders, seq, func(e freezeEntry, seq uint64) int {
		switch {
		case e.Seq < seq:
			return -1
		case e.Seq > seq:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &l.orders[i]
}

// Latest is the Seq of the latest order; 0: never any.
func (l *FreezeLog) Latest() uint64 { return l.latest }

// Len is the number of orders that are kept.
func (l *FreezeLog) Len() int { return len(l.orders) }

// Orders are the orders that are kept, undone ones and undos included, by Seq.
func (l *FreezeLog) Orders() []wire.FreezeOrder {
	list := make([]wire.FreezeOrder, len(l.orders))
	for i := range l.orders {
		list[i] = l.orders[i].FreezeOrder
	}
	return list
}

// Frozen reports whether an agent is frozen, and the Seq of the order that
// decides it; 0 if none does.
func (l *FreezeLog) Frozen(r *wire.AgentImpedance) (frozen bool, seq uint64) {
	for i := len(l.orders) - 1; i >= 0; i-- {
		if e := &l.orders[i]; e.inForce() && e.covers(r) {
			return !e.Thaw, e.Seq
		}
	}
	return false, 0
}

func (e *freezeEntry) inForce() bool { return !e.undone && e.Undoes == 0 }

// covers reports whether the order is about the agent. A selector that had to be
// resolved and matched nobody covers nobody: it arrives without Resolved.
func (e *freezeEntry) covers(r *wire.AgentImpedance) bool {
	if e.Resolved != nil {
		return e.Resolved.Sector(r.Address.Sector).Has(r.Ordinal)
	}
	return e.standing && e.selector.Match(r)
}

// freezesNewcomers reports whether every agent that will ever come into the
// cluster is frozen, whatever its class, host or labels.
func (l *FreezeLog) freezesNewcomers(cluster wire.Address) bool {
	anyone := wire.AgentImpedance{Address: wire.Address{Sector: cluster.Sector, Cluster: cluster.Cluster, Seat: 1}}
	for i := len(l.orders) - 1; i >= 0; i-- {
		e := &l.orders[i]
		switch {
		case !e.inForce() || !e.standing:
		case e.whole && e.selector.Match(&anyone):
			return !e.Thaw
		case !e.whole && e.Thaw: // may let some of them go
			return false
		}
	}
	return false
}
