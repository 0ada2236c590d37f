package lab

import (
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// pictureLag is how far what the core says of itself may be behind the fleet:
// registry blocks, statistics and both status lines come once a second each.
const pictureLag = 3 * time.Second

// attendance judges whether all agents of a fleet are active.
//
// Without crashes that means: all of them, exactly. Where agents crash and
// return it never happens that all are there at one instant; then all are
// active when whoever is alive and not active has returned within the last
// heartbeat, and whoever is active and not alive has crashed within
// pictureLag. Both are counted, not estimated: a fleet that has not crashed
// gets no allowance.
type attendance struct {
	lately []fleet.Counters // of the last heartbeat and pictureLag, oldest first
}

// complete takes the latest word of fleet and core.
func (a *attendance) complete(agents int, now fleet.Counters, core wire.GlobalStats) bool {
	a.lately = append(a.lately, now)
	returned := now.Returns - a.ago(now.At, meshcore.DefaultHeartbeat+pictureLag).Returns
	crashed := now.Crashes - a.ago(now.At, pictureLag).Crashes
	switch alive, active := uint64(now.Agents), uint64(core.ActiveAgents); {
	case core.TotalAgents < agents, now.Hosts == 0, now.Welcomed < now.Hosts:
		return false
	default:
		return active+returned >= alive && active <= alive+crashed
	}
}

// ago is what the fleet said before the last d, and forgets what was earlier
// than anybody asks for. A fleet that is younger had counted nothing.
func (a *attendance) ago(now time.Time, d time.Duration) (c fleet.Counters) {
	for len(a.lately) > 1 && now.Sub(a.lately[1].At) > meshcore.DefaultHeartbeat+2*pictureLag {
		a.lately = a.lately[1:]
	}
	for _, said := range a.lately {
		if now.Sub(said.At) < d {
			break
		}
		c = said
	}
	return c
}
