package wire

import (
	"regexp"
	"time"
)

// Hold tells who keeps a prepared message until its T (architecture, "Lead and
// hold").
type Hold string

// The hold kinds.
const (
	HoldSelf    Hold = "self"    // a process that lives keeps it itself
	HoldGateway Hold = "gateway" // agentd keeps it before an edge worker or function
	HoldNone    Hold = "none"
)

// Limits of an enrolment.
const (
	MaxAgentsPerHost = 100_000
	MaxCapabilities  = 64
	MaxLabels        = 16
)

// AgentSpec describes an agent that a host brings. Without AgentID the core
// names it; Count asks for that many alike.
type AgentSpec struct {
	AgentID      string   `json:"agent_id,omitempty"`
	Count        int      `json:"count,omitzero"` // default 1; more only without AgentID
	Class        Class    `json:"agent_class"`
	Capabilities []string `json:"capabilities,omitempty"` // default: the class's
	Hold         Hold     `json:"hold,omitempty"`         // default: gateway for A and B, none for F, else self
}

// Join asks for a place in the mesh, on m.join.<token id>, as the token's
// restricted user. Answered by JOINED or ERROR.
type Join struct {
	Header
	Mesh   string            `json:"mesh"`
	Host   string            `json:"host"`
	Key    string            `json:"key"` // the host's public NATS user nkey (U…)
	Agents []AgentSpec       `json:"agents"`
	Labels map[string]string `json:"labels,omitempty"`
	Sim    bool              `json:"sim,omitzero"` // emulated: labelled SIM wherever shown
	// Sector asks for places in one sector only; 0: wherever there are most.
	Sector int `json:"sector,omitzero"`
	Unknown
}

// Total is the number of agents asked for.
func (j *Join) Total() (n int) {
	for _, a := range j.Agents {
		n += max(1, a.Count)
	}
	return n
}

var publicKey = regexp.MustCompile(`^U[A-Z2-7]{55}$`)

// Check implements [Message].
func (j *Join) Check() error {
	var c checks
	c.name("mesh", j.Mesh)
	c.name("host", j.Host)
	c.that(j.Host != CoreName, "host: the name %q belongs to the core itself", CoreName)
	c.that(publicKey.MatchString(j.Key), "key: want a public NATS user nkey of 56 characters beginning with U")
	c.that(len(j.Agents) > 0, "agents: want at least one")
	total, named := 0, map[string]bool{}
	for _, a := range j.Agents {
		if a.AgentID != "" {
			c.name("agent", a.AgentID)
			c.that(a.Count <= 1, "agents: %s: a named agent exists once, not %d times", a.AgentID, a.Count)
			c.that(!named[a.AgentID], "agents: %s is named twice", a.AgentID)
			named[a.AgentID] = true
		}
		c.that(a.Class.Valid(), "agents: agent_class: want one of A to F")
		c.that(a.Count >= 0 && a.Count <= MaxAgentsPerHost, "agents: count: %d is out of range", a.Count)
		total += max(1, a.Count)
		checkCapabilities(&c, a.Capabilities)
		c.that(a.Hold == "" || a.Hold == HoldSelf || a.Hold == HoldGateway || a.Hold == HoldNone,
			"agents: hold %q: want self, gateway or none", Clean(string(a.Hold)))
	}
	c.that(total <= MaxAgentsPerHost, "agents: %d is more than one host may bring (%d)", total, MaxAgentsPerHost)
	checkLabels(&c, j.Labels)
	c.that(j.Sector >= 0 && j.Sector <= MaxSectors, "sector: %d is out of range", j.Sector)
	return c.err
}

func checkCapabilities(c *checks, caps []string) {
	c.that(len(caps) <= MaxCapabilities, "capabilities: %d is more than %d", len(caps), MaxCapabilities)
	for _, s := range caps {
		if c.err == nil {
			c.err = CheckCapability(s)
		}
	}
}

func checkLabels(c *checks, labels map[string]string) {
	c.that(len(labels) <= MaxLabels, "labels: %d is more than %d", len(labels), MaxLabels)
	for k, v := range labels {
		c.name("label", k)
		c.text("labels: "+k, v, 256)
		c.that(v == Clean(v), "labels: %s: the value has characters that are not printable", k)
	}
}

// Grant lets a host speak for its agents in one sector: one connection a sector.
type Grant struct {
	Sector   int       `json:"sector"`
	Clusters []Address `json:"clusters"`
	JWT      string    `json:"jwt"` // signed by the sector's scoped key, for the key of JOIN
	Expires  time.Time `json:"expires"`
}

// Joined gives a host its places. Who its agents are is told by WELCOME, at
// every start.
type Joined struct {
	Header
	Mesh   string  `json:"mesh"`
	Host   string  `json:"host"`
	Grants []Grant `json:"grants"`
	Unknown
}

// Check implements [Message].
func (j *Joined) Check() error {
	var c checks
	c.name("mesh", j.Mesh)
	c.name("host", j.Host)
	c.that(len(j.Grants) > 0, "grants: want at least one")
	for _, g := range j.Grants {
		c.that(g.Sector >= 1 && g.Sector <= MaxSectors, "grants: sector: %d is out of range", g.Sector)
		c.that(len(g.Clusters) > 0 && len(g.Clusters) <= MaxChildren, "grants: clusters: want 1 to %d", MaxChildren)
		for _, cluster := range g.Clusters {
			c.place("grants: clusters", cluster, LevelCluster)
		}
	}
	return c.err
}

// Hello opens a host's talk with a cluster's lead, on m.hello.<cluster>.<host>,
// at every start and reconnect. Until WELCOME has come the host begins no work:
// it does not know whether its agents are frozen.
type Hello struct {
	Header
	Mesh        string    `json:"mesh"`
	Host        string    `json:"host"`
	Cluster     Address   `json:"cluster"`
	Incarnation uint64    `json:"incarnation"` // counts the host's starts
	Program     string    `json:"program"`     // name and version, for the operator
	SentAt      time.Time `json:"sent_at"`     // by the host's clock
	Unknown
}

// Check implements [Message].
func (h *Hello) Check() error {
	var c checks
	c.name("mesh", h.Mesh)
	c.name("host", h.Host)
	c.place("cluster", h.Cluster, LevelCluster)
	c.clean("program", &h.Program, 256)
	return c.err
}

// Enrolled is an agent as its lead knows it.
type Enrolled struct {
	AgentID      string            `json:"agent_id"`
	Class        Class             `json:"agent_class"`
	Address      Address           `json:"address"`
	Ordinal      int               `json:"ordinal"` // in its sector, never given again
	Host         string            `json:"host"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Hold         Hold              `json:"hold,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Sim          bool              `json:"sim,omitzero"`
}

// check is part of the checks of the messages that carry an Enrolled.
func (e *Enrolled) check(c *checks) {
	c.name("agent", e.AgentID)
	c.that(e.Class.Valid(), "%s: agent_class: want A to F", e.AgentID)
	c.place("address", e.Address, LevelAgent)
	c.that(e.Ordinal >= 0 && e.Ordinal < MaxOrdinal, "%s: ordinal %d is out of range", e.AgentID, e.Ordinal)
	c.name("host", e.Host)
	checkCapabilities(c, e.Capabilities)
	checkLabels(c, e.Labels)
}

// Welcome answers HELLO: who of the cluster lives on this host, whether they
// are frozen, and how to behave.
type Welcome struct {
	Header
	Cluster     Address     `json:"cluster"`
	Agents      []Enrolled  `json:"agents"`
	Frozen      FrozenState `json:"frozen"`
	HeartbeatMS int         `json:"heartbeat_ms"` // interval of the heartbeats
	MaxQueue    int         `json:"max_queue"`    // bound of an agent's queue
	ReceivedAt  time.Time   `json:"received_at"`  // core's clock, HELLO in
	SentAt      time.Time   `json:"sent_at"`      // core's clock, WELCOME out
	Unknown
}

// Check implements [Message].
func (w *Welcome) Check() error {
	var c checks
	c.place("cluster", w.Cluster, LevelCluster)
	c.that(len(w.Agents) <= MaxChildren, "agents: %d is more than a cluster has (%d)", len(w.Agents), MaxChildren)
	for i := range w.Agents {
		w.Agents[i].check(&c)
	}
	c.agents("frozen: agents", w.Frozen.Agents)
	c.that(w.HeartbeatMS >= 100 && w.HeartbeatMS <= 3_600_000, "heartbeat_ms: %d is out of range", w.HeartbeatMS)
	c.that(w.MaxQueue >= 1 && w.MaxQueue <= 1_000_000, "max_queue: %d is out of range", w.MaxQueue)
	return c.err
}
