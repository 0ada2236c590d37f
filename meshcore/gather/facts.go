package gather

import (
	"cmp"
	"slices"

	"mesh30k/meshcore/wire"
)

// TakeFacts are the final states that have not been taken yet, grouped by state
// and code, for the caller to make durable. Sector is the caller's to fill in.
// An agent that worked the message once more after its state was taken comes
// again, with the same state, so that the repeat becomes a fact too.
func (s *Set) TakeFacts() []wire.DeliveryFact {
	groups := map[outcome]*wire.DeliveryFact{}
	for _, n := range s.order {
		if !s.untaken.Has(n) && !s.retold.Has(n) {
			continue
		}
		d := s.items[n]
		key := outcome{d.state, d.code}
		f := groups[key]
		if f == nil {
			f = &wire.DeliveryFact{Operation: s.operation, State: d.state, Code: d.code}
			groups[key] = f
		}
		f.Agents.Add(n)
		if s.again.Has(n) {
			f.Again.Add(n)
		}
	}
	s.untaken, s.retold = nil, nil
	return sorted(groups)
}

// outcome is a final state with its code.
type outcome struct {
	state wire.DeliveryState
	code  wire.Code
}

func sorted(groups map[outcome]*wire.DeliveryFact) []wire.DeliveryFact {
	facts := make([]wire.DeliveryFact, 0, len(groups))
	for _, f := range groups {
		facts = append(facts, *f)
	}
	slices.SortFunc(facts, func(a, b wire.DeliveryFact) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Code, b.Code))
	})
	return facts
}
