package wire

import "slices"

// Match reports whether s selects the agent of row r. s must be resolved: a
// name of a sector or cluster matches nothing.
func (s Selector) Match(r *AgentImpedance) bool {
	for i := range s.conds {
		if !s.conds[i].match(r) {
			return false
		}
	}
	return true
}

func (c *condition) match(r *AgentImpedance) bool {
	switch c.op {
	case above:
		return r.ImpedanceMS > c.bound
	case below:
		return r.ImpedanceMS < c.bound
	default:
		return c.holds(r) == (c.op == equal)
	}
}

// holds reports whether r has one of c's values.
func (c *condition) holds(r *AgentImpedance) bool {
	switch c.field {
	case onSector:
		return c.spans.has(r.Address.Sector)
	case onCluster:
		return c.hasPlace(r.Address.InCluster())
	case onAgent:
		return c.hasPlace(r.Address) || c.hasName(r.AgentID)
	case onHost:
		return c.hasName(r.Host)
	case onClass:
		return c.flags&classFlag(r.Class) != 0
	case onState:
		return c.flags&stateFlags(r) != 0
	case onCapability:
		return slices.ContainsFunc(r.Capabilities, c.hasName)
	default: // onLabel
		value, ok := r.Labels[c.label]
		return ok && c.hasName(value)
	}
}

func (v *values) hasPlace(at Address) bool {
	_, found := slices.BinarySearchFunc(v.places, at, Address.Compare)
	return found
}

func (v *values) hasName(name string) bool {
	if len(v.names) == 1 {
		return v.names[0] == name
	}
	_, found := slices.BinarySearch(v.names, name)
	return found
}

// Seats are the addresses of agents outside which s selects nobody, ascending;
// false if it names no agents, or some of them by their ids.
func (s Selector) Seats() (seats []Address, ok bool) {
	for i := range s.conds {
		if c := &s.conds[i]; c.field == onAgent && c.op == equal && c.numbered() {
			return c.places, true
		}
	}
	return nil, false
}

// Places narrows the search: the sectors that can have matches, ascending; nil
// for all, empty for a contradiction. s must be resolved.
func (s Selector) Places(t *Topology) (sectors []int) {
	narrow := false
	for i := range s.conds {
		c := &s.conds[i]
		narrow = narrow || c.field == onSector || c.op == equal && len(c.places) > 0 && c.numbered()
	}
	if !narrow {
		return nil
	}
	sectors = []int{}
	for n := 1; n <= len(t.Sectors); n++ {
		if s.reaches(n) {
			sectors = append(sectors, n)
		}
	}
	return sectors
}

// reaches reports whether an agent of sector n can match.
func (s Selector) reaches(n int) bool {
	for i := range s.conds {
		c := &s.conds[i]
		switch {
		case c.field == onSector:
			if c.spans.has(n) != (c.op == equal) {
				return false
			}
		case c.op == equal && len(c.places) > 0 && c.numbered():
			at, _ := slices.BinarySearchFunc(c.places, Address{Sector: n}, Address.Compare)
			if at == len(c.places) || c.places[at].Sector != n {
				return false
			}
		}
	}
	return true
}
