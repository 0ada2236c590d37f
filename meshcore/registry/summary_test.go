package registry_test

import (
	"math"
	"testing"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

func TestSummaryLeavesClassFAndTheSilentOutOfMeans(t *testing.T) {
	human := pi("human", "1.4.4", 3)
	human.Class, human.Sim = wire.ClassHuman, true
	s := sectorOf(t, pi("fast", "1.4.1", 0), pi("slow", "1.4.2", 1), pi("silent", "1.4.3", 2), human, pi("next", "1.5.1", 4), pi("unheard", "1.1.1", 5))
	hb := beatOf("1.4", "fast", "slow", "silent", "human")
	for i, ms := range []float64{85, 5_000, 9_999, 60_000} {
		hb.Agents[i].ProcessingMS = ms
		hb.Agents[i].QueueDepth = 0
	}
	hb.Agents[1].Drift = 1
	s.Beat(noon, hb)
	s.MarkOffline("silent")
	next := beatOf("1.5", "next")
	next.Agents[0].ProcessingMS = 285
	s.Beat(after(1), next)

	sum := s.Summary(after(2))
	if sum.Sector != 1 || sum.ClusterCount != 3 || sum.TotalAgents != 6 || sum.ActiveAgents != 4 {
		t.Errorf("sector: %+v", sum)
	}
	// 1.4 measures 100 and 5015, 1.5 measures 300: the mean of the agents.
	if want := (100.0 + 5015 + 300) / 3; math.Abs(sum.MeanMS-want) > 1e-9 {
		t.Errorf("mean %v, want %v", sum.MeanMS, want)
	}
	if sum.Healthiest != place("1.5") || sum.Sickest != place("1.4") {
		t.Errorf("healthiest %s, sickest %s", sum.Healthiest, sum.Sickest)
	}
	c := sum.Clusters[1]
	want := wire.ClusterSummary{
		Cluster: place("1.4"), AgentCount: 4, ActiveCount: 3, DegradedCount: 1, UnstableCount: 1, OfflineCount: 1, SimCount: 1,
		MeanMS: 2557.5, P95MS: (100*(20-37) + 5015*37) / 20.0, Measured: 2, Slowest: "slow", Fastest: "fast", LastUpdated: noon,
	}
	if c != want {
		t.Errorf("cluster:\n got %+v\nwant %+v", c, want)
	}
	if sum.Counters.Beats != 5 {
		t.Errorf("%d beats, want 5", sum.Counters.Beats)
	}
}

func TestGlobalStatistics(t *testing.T) {
	cluster := func(n int, mean, p95 float64) wire.ClusterSummary {
		return wire.ClusterSummary{AgentCount: n, ActiveCount: n, Measured: n, MeanMS: mean, P95MS: p95}
	}
	sectors := []wire.SectorSummary{
		{Sector: 1, TotalAgents: 20, ActiveAgents: 20, Clusters: []wire.ClusterSummary{cluster(10, 100, 150), cluster(10, 200, 300)}},
		{Sector: 2, TotalAgents: 20, ActiveAgents: 19, Clusters: []wire.ClusterSummary{cluster(20, 400, 600)}, Counters: wire.ShardCounters{Beats: 7}},
		{Sector: 3}, // nobody has come yet
	}
	sectors[1].Clusters[0].FrozenCount, sectors[1].Clusters[0].SimCount = 3, 1
	g := registry.Global(sectors, noon)
	if g.TotalAgents != 40 || g.ActiveAgents != 39 || g.ActiveRate != 39.0/40 || g.FrozenAgents != 3 || !g.Sim || g.Counters.Beats != 7 {
		t.Errorf("got %+v", g)
	}
	if g.MeanMS != 275 || g.P95MS != 840 /* Python's, of 150, 300 and 600 */ {
		t.Errorf("mean %v, p95 %v", g.MeanMS, g.P95MS)
	}
	// 19 of 20 is 0.95, which is not more than 0.95.
	if g.Sectors != 2 || g.SectorsHealthy != 1 || g.SectorsDegraded != 1 {
		t.Errorf("%d sectors: %d healthy, %d degraded", g.Sectors, g.SectorsHealthy, g.SectorsDegraded)
	}

	empty := registry.Global(nil, noon)
	if empty.ActiveRate != 0 || empty.MeanMS != 0 || empty.P95MS != 0 {
		t.Errorf("a mesh without agents: %+v", empty)
	}
}
