package registry

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// SetFrozen recomputes the frozen flags of the given clusters (nil: all) from
// the log, and returns the clusters whose [Sector.FrozenState] is another now.
// The log is kept: whoever is enrolled later is judged by it at once.
func (s *Sector) SetFrozen(log *FreezeLog, only []wire.Address) (changed []wire.Address) {
	s.freezes = log
	for _, c := range s.clusters {
		if only != nil && !slices.Contains(only, c.address) {
			continue
		}
		if s.refreeze(c) {
			changed = append(changed, c.address)
		}
	}
	return changed
}

// FrozenState says who of a cluster is frozen. All is set only when every agent
// there is, and an order in force covers whoever comes later too. Its Seq is the
// log's latest at the time of the cluster's last change.
func (s *Sector) FrozenState(cluster wire.Address) wire.FrozenState {
	c := s.cluster(cluster)
	if c == nil {
		return wire.FrozenState{}
	}
	state := c.frozen
	state.Agents = slices.Clone(state.Agents)
	return state
}

// refreeze sets a cluster's flags and state; it reports whether the state changed.
func (s *Sector) refreeze(c *cluster) bool {
	if s.freezes == nil {
		return false
	}
	var frozen []string
	for i := range c.rows {
		is, _ := s.freezes.Frozen(&c.rows[i])
		if is != c.rows[i].Frozen {
			c.own()
			c.rows[i].Frozen = is
		}
		if is {
			frozen = append(frozen, c.rows[i].AgentID)
		}
	}
	state := wire.FrozenState{Agents: frozen}
	if len(frozen) == len(c.rows) && s.freezes.freezesNewcomers(c.address) {
		state = wire.FrozenState{All: true}
	}
	if state.All == c.frozen.All && slices.Equal(state.Agents, c.frozen.Agents) {
		return false
	}
	state.Seq = s.freezes.Latest()
	c.frozen = state
	return true
}
