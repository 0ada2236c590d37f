package registry

import (
	"time"

	"mesh30k/meshcore/wire"
)

// Silence names agents of a cluster that were heard and now count as offline,
// by seat.
type Silence struct {
	Cluster wire.Address
	Agents  []string
}

// Expire marks the agents offline that have been silent for silentAfter or
// longer, and names them. Those in quarantine stay there.
func (s *Sector) Expire(now time.Time, silentAfter time.Duration) []Silence {
	return s.silence(wire.Address{Sector: s.number}, func(r *wire.AgentImpedance) bool {
		return now.Sub(r.LastHeartbeat) >= silentAfter
	})
}

// HostDown marks all agents of a host offline, and names those that were not.
func (s *Sector) HostDown(host string) []Silence {
	return s.HostLeft(wire.Address{Sector: s.number}, host)
}

// HostLeft marks a host's agents of one cluster offline: it drains there.
func (s *Sector) HostLeft(cluster wire.Address, host string) []Silence {
	return s.silence(cluster, func(r *wire.AgentImpedance) bool { return r.Host == host })
}

// MarkOffline marks one agent offline: its host says that it died. It reports
// whether the agent had been heard until now.
func (s *Sector) MarkOffline(id string) bool {
	a := s.byID[id]
	if a == nil || !a.row().State.Heard() {
		return false
	}
	a.in.own()
	a.row().State = wire.Offline
	return true
}

// silence marks those offline that are heard, lie in place and fulfil gone.
func (s *Sector) silence(place wire.Address, gone func(*wire.AgentImpedance) bool) (all []Silence) {
	for _, c := range s.clusters {
		if !place.Contains(c.address) {
			continue
		}
		quiet := Silence{Cluster: c.address}
		for i := range c.rows {
			if r := &c.rows[i]; r.State.Heard() && gone(r) {
				c.own()
				c.rows[i].State = wire.Offline
				quiet.Agents = append(quiet.Agents, c.rows[i].AgentID)
			}
		}
		if quiet.Agents != nil {
			all = append(all, quiet)
		}
	}
	return all
}
