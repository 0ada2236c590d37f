package registry

import (
	"fmt"
	"slices"

	"mesh30k/meshcore/wire"
)

// NoCapableAgentError is 4.2's: no agent of the cluster can take this.
type NoCapableAgentError struct {
	Capability string
	Cluster    wire.Address
}

func (e *NoCapableAgentError) Error() string {
	return fmt.Sprintf("route within cluster %s: no active agent that is not frozen has the capability %q; try another cluster",
		e.Cluster, wire.Clean(e.Capability))
}

// RouteWithinCluster is 4.2's: the agent of lowest impedance in ms among those
// of the cluster that are active, capable and not frozen; the lower seat among
// equals. The error is a [*NoCapableAgentError].
func (s *Sector) RouteWithinCluster(place wire.Address, capability string) (id string, err error) {
	var best *wire.AgentImpedance
	for r := range s.Rows(place.InCluster()) {
		if usable(r) && slices.Contains(r.Capabilities, capability) && (best == nil || r.ImpedanceMS < best.ImpedanceMS) {
			best = r
		}
	}
	if best == nil {
		return "", &NoCapableAgentError{capability, place.InCluster()}
	}
	return best.AgentID, nil
}

// usable reports whether work may be routed to an agent: 4.2 and 4.3 ask for
// operational_state active, which leaves the degraded out, and a frozen agent
// begins nothing.
func usable(r *wire.AgentImpedance) bool { return r.State == wire.Active && !r.Frozen }
