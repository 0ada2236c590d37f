package wire

import "time"

// AgentImpedance is a row of the registry: 2.3's record, and beside it what the
// rulings add. Names of members are the specification's.
type AgentImpedance struct {
	AgentID string  `json:"agent_id"`
	Class   Class   `json:"agent_class"`
	Address Address `json:"address"` // holds sector_id and cluster_id
	Ordinal int     `json:"ordinal"`
	Host    string  `json:"host"`

	// Measured.
	LatencyMS     float64   `json:"current_latency_ms"`    // RTT core to agent and back, median of 100
	ProcessingMS  float64   `json:"current_processing_ms"` // median of 100, standard payload
	QueueDepth    int       `json:"current_queue_depth"`   //
	InHand        int       `json:"in_hand,omitzero"`      // begun and not ended
	LastHeartbeat time.Time `json:"last_heartbeat"`        // core's clock; zero: never heard

	// Derived.
	ImpedanceMS float64 `json:"impedance_ms"`      // predicted send-to-READY, weight 1, present queue (rulings)
	Score       float64 `json:"impedance_score"`   // 500 + 150·log2(Z/Z_ref), unclipped
	Reliability float64 `json:"reliability_score"` // 0–1, last hour
	Drift       float64 `json:"drift_coefficient"` // dimensionless

	// State.
	State        OperationalState  `json:"operational_state"`
	Unstable     bool              `json:"unstable,omitzero"` // drift_coefficient > 0.5
	Frozen       bool              `json:"frozen,omitzero"`
	Sim          bool              `json:"sim,omitzero"`
	Incarnation  uint64            `json:"incarnation"`
	Worked       uint64            `json:"worked"`
	ContextHash  string            `json:"current_context_hash,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Hold         Hold              `json:"hold,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
}

// Block is a cluster's part of the registry, published by its lead on
// m.reg.<cluster> when it changed, at most once a second. A replica is made of
// the latest block of each cluster.
type Block struct {
	Header
	Cluster Address          `json:"cluster"`
	Epoch   uint64           `json:"epoch"` // of the shard: rises at each start of the core
	Rev     uint64           `json:"rev"`   // rises within the epoch
	At      time.Time        `json:"at"`    // core's clock
	Rows    []AgentImpedance `json:"rows"`  // by seat
	Unknown
}

// Check implements [Message].
func (b *Block) Check() error {
	var c checks
	c.place("cluster", b.Cluster, LevelCluster)
	c.that(len(b.Rows) <= MaxChildren, "rows: %d is more than a cluster has", len(b.Rows))
	for i := range b.Rows {
		r := &b.Rows[i]
		c.that(b.Cluster.Contains(r.Address), "rows: %s is not in cluster %s", r.Address, b.Cluster)
		c.that(r.Class.Valid(), "rows: agent_class: want A to F")
	}
	return c.err
}

// ClusterSummary is 4.2's ClusterImpedanceSummary. Impedances are in ms and
// leave class F out (rulings).
type ClusterSummary struct {
	Cluster       Address   `json:"cluster_id"`
	AgentCount    int       `json:"agent_count"`
	ActiveCount   int       `json:"active_count"` // degraded ones included
	DegradedCount int       `json:"degraded_count"`
	UnstableCount int       `json:"unstable_count"`
	OfflineCount  int       `json:"offline_count"`
	QuarantCount  int       `json:"quarantined_count"`
	FrozenCount   int       `json:"frozen_count"`
	SimCount      int       `json:"sim_count,omitzero"` // emulated
	QueueDepth    int       `json:"queue_depth"`        // sum
	MeanMS        float64   `json:"mean_impedance"`
	P95MS         float64   `json:"p95_impedance"`
	Measured      int       `json:"measured"` // agents behind the means: without F and the silent
	Slowest       string    `json:"slowest_agent,omitempty"`
	Fastest       string    `json:"fastest_agent,omitempty"`
	LastUpdated   time.Time `json:"last_updated"`
}

// SectorSummary is 4.3's SectorImpedanceSummary, published each 5 s on
// m.sum.sector.<sector> with the summaries of its clusters.
type SectorSummary struct {
	Header
	Sector       int              `json:"sector_id"`
	ClusterCount int              `json:"cluster_count"`
	TotalAgents  int              `json:"total_agents"`
	ActiveAgents int              `json:"active_agents"`
	MeanMS       float64          `json:"mean_impedance"` // of the clusters' means, by their measured agents
	Healthiest   Address          `json:"healthiest_cluster"`
	Sickest      Address          `json:"sickest_cluster"`
	Clusters     []ClusterSummary `json:"clusters"`
	At           time.Time        `json:"at"`
	Counters     ShardCounters    `json:"counters"`
	Unknown
}

// ShardCounters count since the core's start what a shard's leads folded and
// what they turned away.
type ShardCounters struct {
	Beats       uint64 `json:"heartbeats_folded"`
	BeatsMissed uint64 `json:"missed_heartbeats"`
	Foreign     uint64 `json:"foreign_ids"`  // agents that this host did not enrol
	Undecodable uint64 `json:"undecodable"`  // messages that failed Decode
	Stale       uint64 `json:"stale"`        // heartbeats older than the latest
	Worked      uint64 `json:"worked"`       // deliveries that became WORKED
	WorkedAgain uint64 `json:"worked_again"` // … once more, after a kill
	Dropped     uint64 `json:"dropped"`      // messages that came faster than the core took them
}

// Add adds o to c.
func (c *ShardCounters) Add(o ShardCounters) {
	c.Beats += o.Beats
	c.BeatsMissed += o.BeatsMissed
	c.Foreign += o.Foreign
	c.Undecodable += o.Undecodable
	c.Stale += o.Stale
	c.Worked += o.Worked
	c.WorkedAgain += o.WorkedAgain
	c.Dropped += o.Dropped
}

// Check implements [Message].
func (s *SectorSummary) Check() error {
	var c checks
	c.that(s.Sector >= 1 && s.Sector <= MaxSectors, "sector_id: %d is out of range", s.Sector)
	c.that(len(s.Clusters) <= MaxChildren, "clusters: %d is more than a sector has", len(s.Clusters))
	return c.err
}

// GlobalStats is 4.3's GlobalImpedanceStats, published each 10 s, and at once
// when the mode changes, on m.sum.mesh.
type GlobalStats struct {
	Header
	Mesh            string        `json:"mesh"`
	Timestamp       time.Time     `json:"timestamp"`
	TotalAgents     int           `json:"total_agents"`
	ActiveAgents    int           `json:"active_agents"`
	ActiveRate      float64       `json:"active_rate"` // 0 when there are no agents
	DegradedAgents  int           `json:"degraded_agents"`
	UnstableAgents  int           `json:"unstable_agents"`
	OfflineAgents   int           `json:"offline_agents"`
	Quarantined     int           `json:"quarantined_agents"`
	FrozenAgents    int           `json:"frozen_agents"`
	MeanMS          float64       `json:"global_mean_impedance"`
	P95MS           float64       `json:"global_p95_impedance"`
	SectorsHealthy  int           `json:"sectors_healthy"` // active/total > 0.95
	SectorsDegraded int           `json:"sectors_degraded"`
	Sectors         int           `json:"sectors"` // that have agents
	Mode            string        `json:"mode"`    // 6.3; empty for a mesh without agents
	Doubt           string        `json:"doubt,omitempty"`
	Sim             bool          `json:"sim,omitzero"` // at least one agent is emulated
	Counters        ShardCounters `json:"counters"`
	CoreStarted     time.Time     `json:"core_started"`
	Unknown
}

// Check implements [Message].
func (*GlobalStats) Check() error { return nil }
