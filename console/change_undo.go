package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// undo takes back the person's last freeze or thaw that has not been undone.
func (c *call) undo(p Picture) (*change, error) {
	fact, order, err := c.lastOrder()
	if err != nil {
		return nil, err
	}
	sel, err := wire.ParseSelector(order.Selector)
	if err != nil {
		return nil, err
	}
	sel, err = c.resolve(p, sel)
	if err != nil {
		return nil, err
	}
	covered := rowsOf(p, sel)
	if order.Resolved != nil {
		covered = rowsIn(p, order.Resolved)
	}
	ch := &change{undoes: order.Seq, excluded: map[string]int{}}
	var changed int
	ch.rows, changed = split(covered, func(r *wire.AgentImpedance) bool { return r.Frozen != order.Thaw })
	if changed > 0 {
		ch.excluded["changed since"] = changed
	}
	verb := map[bool]string{false: "freeze", true: "thaw"}[order.Thaw]
	ch.does = fmt.Sprintf("take back your %s of %s at %s (fact %d)", verb, sel, c.clock(fact.At), order.Seq)
	ch.notes = []string{"puts back what those agents were before, except where a later freeze or thaw covers them"}
	ch.run = c.runOrder(wire.FreezeOrder{
		Thaw: !order.Thaw, Undoes: order.Seq, Selector: order.Selector, Resolved: order.Resolved,
		Actor: c.person, Reason: "undo", At: c.now,
	}, ch)
	return ch, nil
}

// lastOrder finds it in the facts, so that a restart of the core changes nothing.
func (c *call) lastOrder() (wire.Fact, wire.FreezeOrder, error) {
	var facts []wire.Fact
	for _, kind := range []wire.FactKind{wire.FactFreeze, wire.FactThaw, wire.FactFreezeUndone} {
		found, err := c.Past.History(c.ctx, wire.HistoryQuery{Kind: kind, Since: time.Unix(0, 0), Until: c.now.Add(time.Hour), Limit: 1000})
		if err != nil {
			return wire.Fact{}, wire.FreezeOrder{}, err
		}
		facts = append(facts, found...)
	}
	slices.SortFunc(facts, func(a, b wire.Fact) int { return cmpSeq(b.Seq, a.Seq) })
	undone := map[uint64]bool{}
	for _, f := range facts {
		var order wire.FreezeOrder
		if err := json.Unmarshal(f.Data, &order); err != nil {
			return f, order, fmt.Errorf("fact %d: %w", f.Seq, err)
		}
		order.Seq = f.Seq
		switch {
		case f.Kind == wire.FactFreezeUndone:
			undone[order.Undoes] = true
		case order.Actor == c.person && !undone[f.Seq]:
			return f, order, nil
		}
	}
	return wire.Fact{}, wire.FreezeOrder{}, wire.Errorf(wire.CodeNothingMatched, "%s has no freeze or thaw to take back", c.person).
		WithHint("only freeze and thaw can be undone; history --kind freeze shows them")
}

func cmpSeq(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// rowsIn lists the agents of an exact set that still exist.
func rowsIn(p Picture, set wire.Targets) []*wire.AgentImpedance {
	var rows []*wire.AgentImpedance
	for r := range p.Select(wire.Selector{}) {
		if set.Sector(r.Address.Sector).Has(r.Ordinal) {
			rows = append(rows, r)
		}
	}
	return rows
}
