package console

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// resolve makes a target good in this topology: names become numbers, places
// that cannot exist are an error of code unknown_target.
func (c *call) resolve(p Picture, s wire.Selector) (wire.Selector, error) {
	return s.Resolve(p.Topology())
}

// rowsOf lists the agents of a resolved target, in order of address.
func rowsOf(p Picture, s wire.Selector) []*wire.AgentImpedance { return slices.Collect(p.Select(s)) }

// noneMatched says that a target could exist and is not there.
func noneMatched(s wire.Selector) error {
	if s.IsMesh() {
		return wire.Errorf(wire.CodeNothingMatched, "the mesh has no agents yet").
			WithHint("let a host in: mesh30k invite")
	}
	return wire.Errorf(wire.CodeNothingMatched, "no agent matches %s", clip(s.String())).
		WithHint("list shows who is there")
}

// setOf makes the exact set of some agents.
func setOf(rows []*wire.AgentImpedance) wire.Targets {
	sets := map[int]*wire.Bits{}
	for _, r := range rows {
		s := sets[r.Address.Sector]
		if s == nil {
			s = new(wire.Bits)
			sets[r.Address.Sector] = s
		}
		s.Add(r.Ordinal)
	}
	targets := make(wire.Targets, 0, len(sets))
	for sector, bits := range sets {
		targets = append(targets, wire.SectorSet{Sector: sector, Agents: *bits})
	}
	slices.SortFunc(targets, func(a, b wire.SectorSet) int { return a.Sector - b.Sector })
	return targets
}
