package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// FactKind names what a fact tells.
type FactKind string

// The kinds of facts. Those whose effect lasts are kept for ever, the others
// until their retention ends.
const (
	FactMeshMade      FactKind = "mesh.made"       // Data: Topology
	FactTokenIssued   FactKind = "token.issued"    // Data: Token
	FactHostJoined    FactKind = "host.joined"     // Data: HostJoined, a fact for each cluster
	FactPersonAdded   FactKind = "person.added"    // Data: Person
	FactFreeze        FactKind = "freeze"          // Data: FreezeOrder
	FactThaw          FactKind = "thaw"            // Data: FreezeOrder
	FactFreezeUndone  FactKind = "freeze.undone"   // Data: FreezeOrder with Undoes
	FactAudit         FactKind = "audit"           // Data: AuditEntry
	FactCoreStarted   FactKind = "core.started"    // Data: nothing
	FactCoreStopped   FactKind = "core.stopped"    // in order; after a kill it is missing
	FactOpStarted     FactKind = "operation.start" // Data: Operation; durable before the first send
	FactDelivered     FactKind = "delivery"        // Data: DeliveryFact, of one sector
	FactOpEnded       FactKind = "operation.end"   // Data: OperationEnd
	FactCrash         FactKind = "agent.crash"     // Data: none; reported by the host
	FactReturn        FactKind = "agent.return"    // reported by the host
	FactSilent        FactKind = "agents.silent"   // Data: AgentList; silent for 30 s
	FactHeard         FactKind = "agents.heard"    // Data: AgentList; heard again
	FactHostLeaving   FactKind = "host.leaving"    // the host drains
	FactMode          FactKind = "mode"            // Data: ModeChange
	FactDoubt         FactKind = "doubt"           // mass silence: the core suspects itself, or stops to
	FactOverrun       FactKind = "core.overrun"    // messages came faster than the core took them; some are lost
	FactRestarted     FactKind = "core.restarted"  // a sector's shard failed and begins anew
	FactForeignID     FactKind = "violation"       // a host spoke for an agent that is not its own
	FactRejected      FactKind = "host.rejected"   // a host could not decode or obey what it was sent
	FactFaultInjected FactKind = "fault.injected"  // SIM only
)

// Keep reports whether facts of this kind stay for ever.
func (k FactKind) Keep() bool {
	switch k {
	case FactMeshMade, FactTokenIssued, FactHostJoined, FactPersonAdded,
		FactFreeze, FactThaw, FactFreezeUndone, FactAudit:
		return true
	default:
		return false
	}
}

// Fact is what the core must still know after a restart, or someone may have to
// answer for. It is appended to the stream first and never changed.
type Fact struct {
	// Seq orders all facts: 1000 × the sequence of the stream's message that
	// carries it, plus its place in that message. Given when it is durable.
	Seq uint64 `json:"seq,omitzero"`
	// ID makes a repeated append of the same fact harmless where the writer
	// gives one; else it is empty.
	ID        string         `json:"id,omitempty"`
	At        time.Time      `json:"at"` // core's clock
	Kind      FactKind       `json:"kind"`
	Actor     string         `json:"actor,omitempty"`  // person, or "core"
	Address   Address        `json:"address,omitzero"` // place it is about; zero: the mesh
	AgentID   string         `json:"agent_id,omitempty"`
	Host      string         `json:"host,omitempty"`
	Operation string         `json:"operation,omitempty"`
	Text      string         `json:"text,omitempty"` // one clean line for people
	Data      jsontext.Value `json:"data,omitzero"`
	Unknown
}

// FactsPerMessage is how many facts one message of the stream may carry.
const FactsPerMessage = 1000

// FactBatch is one message of the stream.
type FactBatch struct {
	Header
	Facts []Fact `json:"facts"`
	Unknown
}

// TypeFacts is the type of a FactBatch.
const TypeFacts Type = "FACTS"

// Check implements [Message].
func (b *FactBatch) Check() error {
	var c checks
	c.that(len(b.Facts) >= 1 && len(b.Facts) <= FactsPerMessage, "facts: %d in one message", len(b.Facts))
	return c.err
}

// Feed carries facts to consoles once they are durable, and what is not a fact
// but belongs on the feed never: every line of the feed can be found again.
type Feed struct {
	Header
	Facts []Fact `json:"facts"`
	Unknown
}

// Check implements [Message].
func (*Feed) Check() error { return nil }

// Token lets a host or person join, Uses times, until Expires.
type Token struct {
	ID      string    `json:"id"`
	What    string    `json:"what"` // host, operator, observer
	Name    string    `json:"name,omitempty"`
	Class   string    `json:"class,omitempty"` // suggested class
	Uses    int       `json:"uses"`
	Expires time.Time `json:"expires"`
}

// HostJoined enrols agents of one host in one cluster.
type HostJoined struct {
	Token  string     `json:"token,omitempty"`
	Key    string     `json:"key"`
	Agents []Enrolled `json:"agents"`
}

// Role is what a person may do.
type Role string

// The roles: operators may do all, observers read.
const (
	Operator Role = "operator"
	Observer Role = "observer"
)

// Person is someone who may use the mesh.
type Person struct {
	Name  string `json:"name"`
	Role  Role   `json:"role"`
	Key   string `json:"key"`
	Token string `json:"token,omitempty"` // that was used to join
}

// AuditEntry says who asked for what and what came of it. Entries are chained:
// Hash is the SHA-256 of Prev and the entry without Hash, in hex.
type AuditEntry struct {
	ID       string         `json:"id"` // of the DO
	Person   string         `json:"person"`
	Role     Role           `json:"role"`
	Step     Step           `json:"step"`
	Action   jsontext.Value `json:"action"`
	PlanHash string         `json:"plan_hash,omitempty"`
	Targets  int            `json:"targets,omitzero"`
	Verdict  Verdict        `json:"verdict"`
	Reason   string         `json:"reason,omitempty"`
	Prev     string         `json:"prev"`
	Hash     string         `json:"hash"`
}

// FreezeOrder is a freeze, a thaw, or the undoing of one. The latest order that
// covers an agent and has not been undone decides (rulings).
type FreezeOrder struct {
	Seq      uint64 `json:"seq,omitzero"` // of its fact
	Thaw     bool   `json:"thaw,omitzero"`
	Undoes   uint64 `json:"undoes,omitzero"` // Seq of the order that this one takes back
	Selector string `json:"selector"`        // canonical
	// Resolved holds the agents for selectors with conditions that are
	// resolved once (state, capability, impedance); nil: the selector itself
	// holds, for newcomers too.
	Resolved Targets   `json:"resolved,omitzero"`
	Actor    string    `json:"actor"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
	// Preserved is the state when the order was given, of a freeze.
	Preserved *Preserved `json:"preserved,omitzero"`
}

// Preserved is what a freeze preserves beside what facts hold anyway (who is
// enrolled, what is under way): 7.1's "State preserved to".
type Preserved struct {
	Agents     int             `json:"agents"`
	Active     int             `json:"active"`
	InHand     int             `json:"in_hand"`          // work begun and not ended
	Queued     int             `json:"queued"`           // sum of the queues
	Queues     map[Address]int `json:"queues,omitempty"` // by cluster, those that are not empty
	Operations []string        `json:"operations,omitempty"`
}

// Operation is one execution: its plan, durable before it is acted on.
type Operation struct {
	ID         string      `json:"id"`
	Action     string      `json:"action"`
	Actor      string      `json:"actor"`
	PlanHash   string      `json:"plan_hash,omitempty"`
	Message    MeshMessage `json:"message"` // without targets
	Targets    Targets     `json:"targets"`
	Addressed  Targets     `json:"addressed"` // without class F and the frozen (rulings)
	RequireAck bool        `json:"require_ack,omitzero"`
	Started    time.Time   `json:"started"`
	Deadline   time.Time   `json:"deadline"` // Started + TTL
}

// DeliveryFact says which agents of a sector reached a final state of a message.
type DeliveryFact struct {
	Operation string         `json:"operation"`
	Sector    int            `json:"sector"`
	State     DeliveryState  `json:"state"`
	Code      Code           `json:"code,omitempty"`
	Agents    Bits           `json:"agents"`
	Again     Bits           `json:"again,omitempty"` // of these, worked once more after a kill
	Detail    jsontext.Value `json:"detail,omitzero"`
}

// OperationEnd is the verdict of an operation.
type OperationEnd struct {
	ID       string         `json:"id"`
	Verdict  Verdict        `json:"verdict"`
	Why      string         `json:"why"` // why it ended
	Counts   map[string]int `json:"counts"`
	Duration float64        `json:"duration_ms"`
}

// AgentList names agents of a cluster.
type AgentList struct {
	Agents []string `json:"agents"`
}

// ModeChange is a change of 6.3's mode.
type ModeChange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// TrendRow is one cluster's row of one minute.
type TrendRow struct {
	Minute      time.Time `json:"minute"`
	Cluster     Address   `json:"cluster"`
	Agents      int       `json:"agents"`
	Active      int       `json:"active"`
	Degraded    int       `json:"degraded"`
	Unstable    int       `json:"unstable"`
	Offline     int       `json:"offline"`
	Quarantined int       `json:"quarantined"`
	Frozen      int       `json:"frozen"`
	Queue       int       `json:"queue"`
	MeanMS      float64   `json:"mean_ms"`
	P95MS       float64   `json:"p95_ms"`
	Measured    int       `json:"measured"`
}
