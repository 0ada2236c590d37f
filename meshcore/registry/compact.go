package registry

import "slices"

// Compact drops orders that can no longer decide anything, given that none with
// a Seq below horizon will be undone (or put back) any more, and returns how
// many. It changes no answer of [FreezeLog.Frozen] but the Seq of an agent that
// is not frozen because nothing freezes it any longer.
//
// An order goes if it was undone for good, if a later one that stays in force
// covers all that it covers, or if it is a thaw with nothing before it to thaw
// (unless that thaw was undone, and the undoing may yet be).
func (l *FreezeLog) Compact(horizon uint64) (dropped int) {
	before := len(l.orders)
	kept := make([]freezeEntry, 0, before)
	for i, e := range l.orders {
		if e.Seq >= horizon || !l.settled(i, horizon) {
			kept = append(kept, e)
		}
	}
	lead := 0
	for lead < len(kept) && kept[lead].Seq < horizon && kept[lead].Thaw && !l.revocable(&kept[lead], horizon) {
		lead++
	}
	l.orders = slices.Clip(kept[lead:])
	return before - len(l.orders)
}

// settled reports whether order i, below the horizon, decides nothing for good.
func (l *FreezeLog) settled(i int, horizon uint64) bool {
	e := &l.orders[i]
	if l.revocable(e, horizon) {
		return false
	}
	if !e.inForce() {
		return true
	}
	for k := i + 1; k < len(l.orders); k++ {
		if later := &l.orders[k]; later.Seq < horizon && later.inForce() && later.includes(e) && !l.revocable(later, horizon) {
			return true
		}
	}
	return false
}

// revocable reports whether an order's being in force may still change: an undo
// at or above the horizon names it, and that undo may be undone.
func (l *FreezeLog) revocable(e *freezeEntry, horizon uint64) bool {
	for i := range l.orders {
		u := &l.orders[i]
		if u.Undoes == e.Seq && (u.Seq >= horizon || l.revocable(u, horizon)) {
			return true
		}
	}
	return false
}

// includes reports whether e covers every agent that older covers. It knows the
// cases that occur: everything, the same selector, and the same agents.
func (e *freezeEntry) includes(older *freezeEntry) bool {
	if e.standing {
		return e.selector.IsMesh() || older.Resolved == nil && e.Selector == older.Selector
	}
	if e.Resolved == nil || older.Resolved == nil {
		return false
	}
	for _, set := range older.Resolved {
		rest := set.Agents.Clone()
		rest.AndNot(e.Resolved.Sector(set.Sector))
		if !rest.Empty() {
			return false
		}
	}
	return true
}
