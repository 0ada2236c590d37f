package registry

import (
	"time"

	"mesh30k/meshcore/wire"
)

// healthyPercent is 4.3's: a sector is healthy if more than this share is active.
const healthyPercent = 95

// summarise is 4.2's summary of a cluster's rows. Impedances are in ms, of the
// agents that are heard, without class F (rulings); slowest and fastest go by
// impedance_score, which is relative to the class, so that F takes part.
func summarise(at wire.Address, rows []wire.AgentImpedance) wire.ClusterSummary {
	c := wire.ClusterSummary{Cluster: at, AgentCount: len(rows)}
	var slowest, fastest *wire.AgentImpedance
	var buf [wire.MaxChildren]float64
	z := buf[:0]
	for i := range rows {
		r := &rows[i]
		count(&c, r)
		if !r.State.Heard() {
			continue
		}
		if r.Class != wire.ClassHuman {
			z = append(z, r.ImpedanceMS)
		}
		if slowest == nil || r.Score > slowest.Score {
			slowest = r
		}
		if fastest == nil || r.Score < fastest.Score {
			fastest = r
		}
	}
	if slowest != nil {
		c.Slowest, c.Fastest = slowest.AgentID, fastest.AgentID
	}
	c.Measured, c.MeanMS = len(z), mean(z)
	c.P95MS = p95(z)
	return c
}

// count adds a row to its cluster's counts.
func count(c *wire.ClusterSummary, r *wire.AgentImpedance) {
	switch r.State {
	case wire.Active:
		c.ActiveCount++
	case wire.Degraded:
		c.ActiveCount++
		c.DegradedCount++
	case wire.Offline:
		c.OfflineCount++
	case wire.Quarantined:
		c.QuarantCount++
	}
	if r.Unstable {
		c.UnstableCount++
	}
	if r.Frozen {
		c.FrozenCount++
	}
	if r.Sim {
		c.SimCount++
	}
	c.QueueDepth += r.QueueDepth
	if r.LastHeartbeat.After(c.LastUpdated) {
		c.LastUpdated = r.LastHeartbeat
	}
}

// sumUp fills a sector's own figures from its clusters'. The mean weighs each
// cluster's by the agents behind it, so that it is the mean of the agents;
// clusters without any have no part in it, nor in healthiest and sickest, which
// are those of the lowest and the highest mean.
func sumUp(s *wire.SectorSummary) {
	var sum, measured float64
	var low, high *wire.ClusterSummary
	for i := range s.Clusters {
		c := &s.Clusters[i]
		s.ClusterCount++
		s.TotalAgents += c.AgentCount
		s.ActiveAgents += c.ActiveCount
		if c.Measured == 0 {
			continue
		}
		sum += c.MeanMS * float64(c.Measured)
		measured += float64(c.Measured)
		if low == nil || c.MeanMS < low.MeanMS {
			low = c
		}
		if high == nil || c.MeanMS > high.MeanMS {
			high = c
		}
	}
	if low != nil {
		s.MeanMS = sum / measured
		s.Healthiest, s.Sickest = low.Cluster, high.Cluster
	}
}

// Global is 4.3's global statistics of sector summaries: the mean weighs each
// cluster's by the agents behind it, the p95 is that of the clusters' p95. The
// rate of a mesh without agents is 0. Mesh, mode, doubt and the core's start
// are the caller's to fill in.
func Global(sectors []wire.SectorSummary, now time.Time) wire.GlobalStats {
	g := wire.GlobalStats{Header: wire.Head(wire.TypeGlobalStats), Timestamp: now.UTC()}
	var sum, measured float64
	var tails []float64
	for i := range sectors {
		s := &sectors[i]
		g.Counters.Add(s.Counters)
		countSector(&g, s)
		for j := range s.Clusters {
			c := &s.Clusters[j]
			countCluster(&g, c)
			if c.Measured > 0 {
				sum += c.MeanMS * float64(c.Measured)
				measured += float64(c.Measured)
				tails = append(tails, c.P95MS)
			}
		}
	}
	if measured > 0 {
		g.MeanMS, g.P95MS = sum/measured, p95(tails)
	}
	if g.TotalAgents > 0 {
		g.ActiveRate = float64(g.ActiveAgents) / float64(g.TotalAgents)
	}
	return g
}

// countSector judges a sector; one without agents is neither healthy nor degraded.
func countSector(g *wire.GlobalStats, s *wire.SectorSummary) {
	g.TotalAgents += s.TotalAgents
	g.ActiveAgents += s.ActiveAgents
	switch {
	case s.TotalAgents == 0:
		return
	case 100*s.ActiveAgents > healthyPercent*s.TotalAgents:
		g.SectorsHealthy++
	default:
		g.SectorsDegraded++
	}
	g.Sectors++
}

func countCluster(g *wire.GlobalStats, c *wire.ClusterSummary) {
	g.DegradedAgents += c.DegradedCount
	g.UnstableAgents += c.UnstableCount
	g.OfflineAgents += c.OfflineCount
	g.Quarantined += c.QuarantCount
	g.FrozenAgents += c.FrozenCount
	g.Sim = g.Sim || c.SimCount > 0
}
