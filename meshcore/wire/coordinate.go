package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Verb is 2.4's verb of a message.
type Verb string

// The verbs of 2.4.
const (
	Observe Verb = "observe"
	Orient  Verb = "orient"
	Decide  Verb = "decide"
	Act     Verb = "act"
	Record  Verb = "record"
	Sync    Verb = "sync"
)

// Routing is 2.4's routing_strategy.
type Routing string

// The routing strategies of 2.4.
const (
	Direct        Routing = "direct"
	ToAll         Routing = "broadcast"
	ScatterGather Routing = "scatter-gather"
	Pipeline      Routing = "pipeline"
)

// Coordinate carries a MeshMessage (2.4) to the agents of one cluster: to all
// of a cluster's hosts on m.c.<cluster>, to one on m.c.<cluster>.<host>.
type Coordinate struct {
	Header
	MeshMessage
	Unknown
}

// MeshMessage is 2.4's message. Target lists are cut to the cluster.
type MeshMessage struct {
	MessageID     string `json:"message_id"`
	CorrelationID string `json:"correlation_id"`
	CausationID   string `json:"causation_id,omitempty"`

	Source  string   `json:"source_agent_id"` // an agent, or the name of a person
	Targets []string `json:"target_agent_ids,omitempty"`
	// All addresses every agent of the cluster that is not named in Except:
	// a message to a whole cluster needs no list.
	All     bool     `json:"all,omitzero"`
	Except  []string `json:"except,omitempty"`
	Routing Routing  `json:"routing_strategy"`

	CreatedAt time.Time  `json:"created_at"`
	ArriveAt  *time.Time `json:"target_arrival_time,omitzero"` // in the core's time; absent: as soon as it comes
	TTLMS     float64    `json:"ttl_ms"`                       // that remains at SentAt
	SentAt    time.Time  `json:"sent_at"`                      // core's clock, this transmission
	Priority  int        `json:"priority"`                     // 0 background … 3 critical
	Attempt   int        `json:"attempt,omitzero"`             // 0: first transmission

	PayloadWeight float64  `json:"payload_weight"`
	Requires      []string `json:"requires_capabilities,omitempty"`

	Verb        Verb           `json:"verb"`
	Payload     jsontext.Value `json:"payload"`
	PayloadHash string         `json:"payload_hash"` // hex of SHA-256 of Payload's bytes as sent; see SetPayload
	Expect      Trinary        `json:"trinary_expectation"`
}

// SetPayload sets the payload and its hash. [Encode] drops white space between
// the tokens of a raw value, so the hash of a payload as someone wrote it would
// not fit the bytes as sent: SetPayload drops it first. It fails if payload is
// not one JSON value.
func (m *MeshMessage) SetPayload(payload []byte) error {
	spelled, err := json.Marshal(jsontext.Value(payload), spelling)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	m.Payload, m.PayloadHash = spelled, HashPayload(spelled)
	return nil
}

// HashPayload is the payload_hash of a payload.
func HashPayload(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

// Addresses reports whether the message is for this agent of its cluster.
func (m *MeshMessage) Addresses(agentID string) bool {
	if !m.All {
		return slices.Contains(m.Targets, agentID)
	}
	return !slices.Contains(m.Except, agentID)
}

// Check implements [Message].
func (m *Coordinate) Check() error {
	var c checks
	c.that(m.MessageID != "", "message_id: missing")
	c.word("message_id", m.MessageID)
	c.word("correlation_id", m.CorrelationID)
	c.word("causation_id", m.CausationID)
	c.word("source_agent_id", m.Source)
	c.word("routing_strategy", string(m.Routing))
	c.word("verb", string(m.Verb))
	c.agents("target_agent_ids", m.Targets)
	c.agents("except", m.Except)
	c.ms("ttl_ms", m.TTLMS)
	c.count("attempt", m.Attempt, MaxCount)
	c.that(m.Expect >= Conflict && m.Expect <= Ready, "trinary_expectation: %d is not −1, 0 or 1", m.Expect)
	c.that(len(m.Payload) > 0, "payload: missing")
	c.that(m.Priority >= 0 && m.Priority <= 3, "priority: %d is not 0 to 3", m.Priority)
	c.number("payload_weight", m.PayloadWeight, 0, 1e6)
	c.value("payload", m.Payload)
	c.that(m.PayloadHash == HashPayload(m.Payload), "payload_hash: does not fit the payload")
	checkCapabilities(&c, m.Requires)
	return c.err
}

// Ack carries what became of messages at a host's agents of one cluster, on
// m.ack.<cluster>.<host>. Several agents and messages share one: a host
// collects for a few ms. It is never repeated of itself: the lead sends a
// message again that is not final, and the host answers from its journal.
type Ack struct {
	Header
	Host        string    `json:"host"`
	Cluster     Address   `json:"cluster"`
	Incarnation uint64    `json:"incarnation"` // of the host
	SentAt      time.Time `json:"sent_at"`     // core's time by the host's estimate
	Items       []AckItem `json:"items,omitempty"`
	// Frozen answers FREEZE, THAW and a FrozenState that came otherwise.
	Frozen *FrozenAck `json:"frozen,omitzero"`
	Unknown
}

// AckItem is one state of one message at one or more agents.
type AckItem struct {
	MessageID string        `json:"message_id"`
	State     DeliveryState `json:"state"` // RECEIVED or a final one
	Agents    []string      `json:"agents"`
	Trinary   Trinary       `json:"trinary_state"`

	ArrivedAt    time.Time       `json:"actual_arrival_time"` // core's time by the host's estimate; of the first of Agents
	ProcessingMS float64         `json:"processing_time_ms,omitzero"`
	Again        bool            `json:"again,omitzero"` // worked once more under the same id, after a kill
	Code         Code            `json:"code,omitempty"` // with REFUSED, and with WORKED if the task failed
	Detail       *ConflictDetail `json:"conflict_detail,omitzero"`
	Answer       jsontext.Value  `json:"answer,omitzero"` // of a single agent
}

// FrozenAck tells that a host obeys a FrozenState.
type FrozenAck struct {
	Seq       uint64    `json:"seq"`
	Frozen    int       `json:"frozen"`     // agents of this host and cluster that are frozen
	InHand    int       `json:"in_hand"`    // work that they had begun and have not ended
	StoppedAt time.Time `json:"stopped_at"` // when the last of them stopped, core's time by the host's estimate
}

// ConflictDetail is 5.1's detail of a CONFLICT.
type ConflictDetail struct {
	Type          string         `json:"type"`
	Expected      jsontext.Value `json:"expected_value,omitzero"`
	Received      jsontext.Value `json:"received_value,omitzero"`
	ContextHash   string         `json:"context_hash,omitempty"`
	Data          jsontext.Value `json:"conflicting_data,omitzero"`
	Depth         int            `json:"divergence_depth,omitzero"`
	AffectsAgents int            `json:"affects_agent_count,omitzero"`
}

// Check implements [Message].
func (a *Ack) Check() error {
	var c checks
	c.name("host", a.Host)
	c.place("cluster", a.Cluster, LevelCluster)
	for i := range a.Items {
		a.Items[i].check(&c)
	}
	if f := a.Frozen; f != nil {
		c.count("frozen: frozen", f.Frozen, MaxChildren)
		c.count("frozen: in_hand", f.InHand, MaxCount)
	}
	return c.err
}

func (it *AckItem) check(c *checks) {
	c.that(it.MessageID != "", "items: message_id: missing")
	c.word("items: message_id", it.MessageID)
	c.that(it.State == Received || it.State == Prepared || it.State.Final(), "items: a host cannot say %s", it.State)
	c.that(len(it.Agents) > 0, "items: agents: want at least one")
	c.agents("items: agents", it.Agents)
	c.ms("items: processing_time_ms", it.ProcessingMS)
	c.that(it.Trinary >= Conflict && it.Trinary <= Ready, "items: trinary_state: %d is not −1, 0 or 1", it.Trinary)
	c.word("items: code", string(it.Code))
	c.value("items: answer", it.Answer)
	if d := it.Detail; d != nil {
		c.clean("items: conflict_detail: type", &d.Type, MaxWord)
		c.clean("items: conflict_detail: context_hash", &d.ContextHash, MaxWord)
		c.value("items: conflict_detail: expected_value", d.Expected)
		c.value("items: conflict_detail: received_value", d.Received)
		c.value("items: conflict_detail: conflicting_data", d.Data)
		c.count("items: conflict_detail: divergence_depth", d.Depth, MaxCount)
		c.count("items: conflict_detail: affects_agent_count", d.AffectsAgents, MaxCount)
	}
}

// Fault is what INJECT does to emulated agents.
type Fault string

// The faults.
const (
	FaultSlow   Fault = "slow"   // service time times Factor
	FaultStall  Fault = "stall"  // begins nothing, ends nothing; heartbeats go on
	FaultCrash  Fault = "crash"  // dies; comes back after For, or with revive
	FaultRevive Fault = "revive" // ends every fault and starts the dead
	FaultSkew   Fault = "skew"   // the host's clock is off by SkewMS
	FaultCut    Fault = "cut"    // the host's link is cut: nothing in, nothing out
	FaultLoss   Fault = "loss"   // share Factor of heartbeats and messages is lost
)

// Inject provokes a fault in emulated agents; a host that is not SIM refuses it.
type Inject struct {
	Header
	Cluster Address  `json:"cluster"`
	Agents  []string `json:"agents,omitempty"` // none: all of the cluster
	Fault   Fault    `json:"fault"`
	Factor  float64  `json:"factor,omitzero"`
	SkewMS  float64  `json:"skew_ms,omitzero"`
	ForMS   float64  `json:"for_ms,omitzero"` // 0: until revive
	Unknown
}

// Check implements [Message].
func (i *Inject) Check() error {
	var c checks
	c.place("cluster", i.Cluster, LevelCluster)
	c.agents("agents", i.Agents)
	switch i.Fault {
	case FaultSlow:
		c.number("factor", i.Factor, 0.01, 1000)
	case FaultLoss:
		c.number("factor", i.Factor, 0, 1)
	case FaultSkew:
		c.number("skew_ms", i.SkewMS, -86_400_000, 86_400_000)
	case FaultStall, FaultCrash, FaultRevive, FaultCut:
	default:
		c.that(false, "fault %q: want slow, stall, crash, revive, skew, cut or loss", Clean(string(i.Fault)))
	}
	c.ms("for_ms", i.ForMS)
	return c.err
}
