package registry

import (
	"iter"
	"time"

	"mesh30k/meshcore/wire"
)

// View is the registry at one instant. It does not change and may be read from
// any goroutine; rows and blocks must not be changed.
type View struct {
	topo    *wire.Topology
	sectors []*sectorPicture
	ids     idIndex
	best    bestIndex
}

// Topology of the mesh.
func (v *View) Topology() *wire.Topology { return v.topo }

// Block of a cluster, nil if nothing has been heard of it.
func (v *View) Block(cluster wire.Address) *wire.Block {
	if c := v.cluster(cluster); c != nil {
		return c.block
	}
	return nil
}

func (v *View) cluster(a wire.Address) *clusterPicture {
	if a.Sector < 1 || a.Sector > len(v.sectors) {
		return nil
	}
	clusters := v.sectors[a.Sector-1].clusters
	if a.Cluster < 1 || a.Cluster > len(clusters) {
		return nil
	}
	return clusters[a.Cluster-1]
}

// Agent finds a row by the agent's id, nil if there is none.
func (v *View) Agent(id string) *wire.AgentImpedance {
	at, ok := v.ids.find(id)
	if !ok {
		return nil
	}
	return v.row(at)
}

func (v *View) row(at wire.Address) *wire.AgentImpedance {
	c := v.cluster(at)
	if c == nil {
		return nil
	}
	if i, ok := rowOfSeat(c.block.Rows, at.Seat); ok {
		return &c.block.Rows[i]
	}
	return nil
}

// pictures yields the clusters of the given sectors (nil: all) that have been
// heard of, by address.
func (v *View) pictures(sectors []int) iter.Seq[*clusterPicture] {
	return func(yield func(*clusterPicture) bool) {
		each := func(s *sectorPicture) bool {
			for _, c := range s.clusters {
				if c != nil && !yield(c) {
					return false
				}
			}
			return true
		}
		if sectors == nil {
			for _, s := range v.sectors {
				if !each(s) {
					return
				}
			}
			return
		}
		for _, n := range sectors {
			if n >= 1 && n <= len(v.sectors) && !each(v.sectors[n-1]) {
				return
			}
		}
	}
}

// Select yields the rows that a selector selects, by address. The selector must
// be resolved.
func (v *View) Select(sel wire.Selector) iter.Seq[*wire.AgentImpedance] {
	return func(yield func(*wire.AgentImpedance) bool) {
		if seats, only := sel.Seats(); only {
			for _, at := range seats {
				if r := v.row(at); r != nil && sel.Match(r) && !yield(r) {
					return
				}
			}
			return
		}
		for c := range v.pictures(sel.Places(v.topo)) {
			for i := range c.block.Rows {
				if r := &c.block.Rows[i]; sel.Match(r) && !yield(r) {
					return
				}
			}
		}
	}
}

// Sector is 4.3's summary of sector n, computed from the picture: At is that of
// its latest block, and there are no counters. A sector that does not exist has
// an empty one.
func (v *View) Sector(n int) wire.SectorSummary {
	s := wire.SectorSummary{Header: wire.Head(wire.TypeSectorSummary), Sector: n}
	for c := range v.pictures([]int{n}) {
		s.Clusters = append(s.Clusters, c.summary)
		if c.block.At.After(s.At) {
			s.At = c.block.At
		}
	}
	sumUp(&s)
	return s
}

// Stats are 4.3's global statistics, computed from the picture. Timestamp is
// that of the latest block; mode, doubt, counters and the core's start are the
// caller's to fill in.
func (v *View) Stats() wire.GlobalStats {
	all := make([]wire.SectorSummary, len(v.sectors))
	var at time.Time
	for i := range all {
		all[i] = v.Sector(i + 1)
		if all[i].At.After(at) {
			at = all[i].At
		}
	}
	g := Global(all, at)
	g.Mesh = v.topo.Mesh
	return g
}

// TrendRows are the clusters' rows of a minute, by address.
func (v *View) TrendRows(minute time.Time) (rows []wire.TrendRow) {
	minute = minute.UTC().Truncate(time.Minute)
	for c := range v.pictures(nil) {
		s := &c.summary
		rows = append(rows, wire.TrendRow{
			Minute: minute, Cluster: s.Cluster, Agents: s.AgentCount,
			Active: s.ActiveCount, Degraded: s.DegradedCount, Unstable: s.UnstableCount,
			Offline: s.OfflineCount, Quarantined: s.QuarantCount, Frozen: s.FrozenCount,
			Queue: s.QueueDepth, MeanMS: s.MeanMS, P95MS: s.P95MS, Measured: s.Measured,
		})
	}
	return rows
}
