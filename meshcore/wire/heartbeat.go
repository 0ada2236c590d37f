package wire

import "time"

// Heartbeat carries the heartbeats of a host's agents in one cluster together,
// on m.hb.<cluster>.<host>, every heartbeat_ms (5 s). It is core NATS: lost
// ones are not repeated, the next says it all again.
type Heartbeat struct {
	Header
	Host        string    `json:"host"`
	Cluster     Address   `json:"cluster"`
	Incarnation uint64    `json:"incarnation"` // of the host
	Seq         uint64    `json:"seq"`         // counts this host's heartbeats of this cluster
	SentAt      time.Time `json:"sent_at"`     // t1, host's clock
	// What the host knows of its link and clock from earlier HEARTBEAT_ACKs.
	HostRTTMS     float64 `json:"host_rtt_ms"`     // median of the round trips, without the core's own time
	ClockOffsetMS float64 `json:"clock_offset_ms"` // core's clock minus the host's
	ClockErrorMS  float64 `json:"clock_error_ms"`  // bound of that estimate; 0: not known yet
	FreezeSeq     uint64  `json:"freeze_seq"`      // of the FrozenState that the host obeys
	Agents        []Beat  `json:"agents"`
	// Lost counts beats that emulated loss kept from being sent (SIM only).
	Lost int `json:"lost_by_injection,omitzero"`
	Unknown
}

// Beat is one agent's own heartbeat: 4.1's report. Only agents that live have
// one; a host leaves the silent out.
type Beat struct {
	AgentID     string `json:"agent_id"`
	Incarnation uint64 `json:"incarnation"` // counts the agent's starts
	// LatencyMS is the median round trip host to agent and back: 0 for an
	// agent in the host's own process. The registry adds the host's RTT.
	LatencyMS    float64 `json:"current_latency_ms"`
	ProcessingMS float64 `json:"current_processing_ms"` // median, standard payload
	QueueDepth   int     `json:"current_queue_depth"`
	InHand       int     `json:"in_hand,omitzero"`       // begun and not ended
	Reliability  float64 `json:"reliability_score"`      // 0–1, of the last hour
	Drift        float64 `json:"drift_coefficient"`      // 1.4826·MAD/median of the one-way delay (rulings)
	Worked       uint64  `json:"worked"`                 // messages worked since its incarnation began
	Samples      int     `json:"samples"`                // behind ProcessingMS, at most 100; 0: nothing measured yet
	ContextHash  string  `json:"context_hash,omitempty"` // sent when it changed, and once in twelve
}

// Check implements [Message].
func (h *Heartbeat) Check() error {
	var c checks
	c.name("host", h.Host)
	c.place("cluster", h.Cluster, LevelCluster)
	c.ms("host_rtt_ms", h.HostRTTMS)
	c.number("clock_offset_ms", h.ClockOffsetMS, -1e12, 1e12)
	c.ms("clock_error_ms", h.ClockErrorMS)
	c.count("lost_by_injection", h.Lost, MaxCount)
	c.that(len(h.Agents) <= MaxChildren, "agents: %d is more than a cluster has (%d)", len(h.Agents), MaxChildren)
	for i := range h.Agents {
		h.Agents[i].check(&c)
	}
	return c.err
}

func (b *Beat) check(c *checks) {
	c.name("agent", b.AgentID)
	c.ms("current_latency_ms", b.LatencyMS)
	c.ms("current_processing_ms", b.ProcessingMS)
	c.that(b.QueueDepth >= 0 && b.QueueDepth <= 10_000_000, "current_queue_depth: %d is out of range", b.QueueDepth)
	c.that(b.InHand >= 0 && b.InHand <= 10_000_000, "in_hand: %d is out of range", b.InHand)
	c.number("reliability_score", b.Reliability, 0, 1)
	c.number("drift_coefficient", b.Drift, 0, 1e9)
	c.that(b.Samples >= 0 && b.Samples <= 1_000_000, "samples: %d is out of range", b.Samples)
	if b.ContextHash != "" {
		c.clean("context_hash", &b.ContextHash, MaxWord)
	}
}

// HeartbeatAck answers a HEARTBEAT at its reply subject with three of the four
// timestamps; the host takes the fourth when it comes. The offset of the core's
// clock is ((t2−t1)+(t3−t4))/2, its error at most half of (t4−t1)−(t3−t2).
type HeartbeatAck struct {
	Header
	Seq uint64    `json:"seq"`
	T1  time.Time `json:"t1"` // sent_at of the HEARTBEAT
	T2  time.Time `json:"t2"` // core's clock, in
	T3  time.Time `json:"t3"` // core's clock, out
	// Frozen is sent when the host's freeze_seq is not the lead's.
	Frozen *FrozenState `json:"frozen,omitzero"`
	// Hello asks the host for a new HELLO: the lead does not know it, or its
	// agents have changed.
	Hello bool `json:"hello,omitzero"`
	Unknown
}

// Check implements [Message].
func (a *HeartbeatAck) Check() error {
	var c checks
	if a.Frozen != nil {
		c.agents("frozen: agents", a.Frozen.Agents)
	}
	return c.err
}

// ReportKind is what a host reports.
type ReportKind string

// The kinds of reports.
const (
	ReportCrash    ReportKind = "crash"    // an agent's process died
	ReportReturn   ReportKind = "return"   // it is back, with a new incarnation
	ReportLeaving  ReportKind = "leaving"  // the host drains: agents empty for all of the cluster
	ReportRejected ReportKind = "rejected" // the host could not decode or obey what it was sent
)

// Report tells the lead what must not be lost, as a request on
// m.report.<cluster>.<host>. The host repeats it, with the same Seq, until
// REPORTED has come: the facts are then durable.
type Report struct {
	Header
	Host        string       `json:"host"`
	Cluster     Address      `json:"cluster"`
	Incarnation uint64       `json:"incarnation"` // of the host
	Seq         uint64       `json:"seq"`         // counts this host's reports of this cluster in this incarnation
	Items       []ReportItem `json:"items"`
	Unknown
}

// ReportItem is one thing that happened on a host.
type ReportItem struct {
	Kind        ReportKind `json:"kind"`
	AgentID     string     `json:"agent_id,omitempty"`
	Incarnation uint64     `json:"incarnation,omitzero"` // of the agent, after it happened
	At          time.Time  `json:"at"`                   // host's clock, corrected by its estimate of the core's
	Detail      string     `json:"detail,omitempty"`
}

// Check implements [Message].
func (r *Report) Check() error {
	var c checks
	c.name("host", r.Host)
	c.place("cluster", r.Cluster, LevelCluster)
	c.that(len(r.Items) <= 10_000, "items: %d is too many for one report", len(r.Items))
	for i := range r.Items {
		it := &r.Items[i]
		if it.AgentID != "" {
			c.name("agent", it.AgentID)
		}
		c.word("items: kind", string(it.Kind))
		it.Detail = Clean(it.Detail)
	}
	return c.err
}

// Reported answers REPORT when its facts are durable.
type Reported struct {
	Header
	Seq uint64 `json:"seq"`
	Unknown
}

// Check implements [Message].
func (*Reported) Check() error { return nil }
