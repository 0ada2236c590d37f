package wire

import "time"

// ShardOrder is what the orchestrator tells a shard, as a request on
// m.core.down.<sector>; answered by a ShardReport with the same ID when it has
// been taken on. Orders of one orchestrator are carried out in order. Exactly
// one of the pointers is set.
type ShardOrder struct {
	Header
	ID string `json:"id"`
	// Begin is the first of what a shard that has started is told. It obeys
	// nothing before.
	Begin   *ShardHold     `json:"begin,omitzero"`
	Freezes *[]FreezeOrder `json:"freezes,omitzero"` // of before its start, oldest first: their progress is not reported
	Enrol   *[]Enrolled    `json:"enrol,omitzero"`
	Freeze  *FreezeOrder   `json:"freeze,omitzero"`
	Deliver *ShardDelivery `json:"deliver,omitzero"`
	End     *string        `json:"end,omitzero"` // operation: forget it
	Hold    *ShardHold     `json:"hold,omitzero"`
	Inject  *ShardInject   `json:"inject,omitzero"`
	Show    bool           `json:"show,omitzero"` // publish all blocks: some were lost
	Unknown
}

// ShardDelivery starts an operation's deliveries in one sector, or, after a
// restart, takes them up again: Final are those that need nothing more.
type ShardDelivery struct {
	Operation string             `json:"operation"`
	Message   MeshMessage        `json:"message"`
	Targets   Bits               `json:"targets"`
	Final     []DeliveryFact     `json:"final,omitempty"`
	FrozenMS  map[string]float64 `json:"frozen_ms,omitempty"` // by ordinal, in decimal: ms that were spent FROZEN and have ended before a restart
	Started   time.Time          `json:"started"`
	Deadline  time.Time          `json:"deadline"`
	Resumed   bool               `json:"resumed,omitzero"` // taken up after a restart: hosts may have it
}

// ShardHold tells a shard that the core doubts itself: until then nobody is
// taken for silent. A time in the past ends the doubt.
type ShardHold struct {
	Until time.Time `json:"until"`
}

// ShardInject carries a fault to emulated agents of one sector.
type ShardInject struct {
	Inject Inject `json:"inject"` // Cluster and Agents are filled in by the shard
	Agents Bits   `json:"agents"`
}

// Check implements [Message].
func (o *ShardOrder) Check() error {
	var c checks
	c.that(o.ID != "", "id: missing")
	return c.err
}

// ShardReport is what a shard tells the orchestrator, on m.core.up.<sector>.
type ShardReport struct {
	Header
	Sector   int               `json:"sector"`
	ID       string            `json:"id,omitempty"`     // of the order that this answers; with Started: the shard's own
	Started  bool              `json:"started,omitzero"` // the shard has started and needs its state
	Err      *Error            `json:"error,omitzero"`
	Freeze   *FreezeProgress   `json:"freeze,omitzero"`
	Delivery *DeliveryProgress `json:"delivery,omitzero"`
	Unknown
}

// Check implements [Message].
func (*ShardReport) Check() error { return nil }

// FreezeProgress tells how far a freeze or thaw has come in a sector.
type FreezeProgress struct {
	Seq       uint64    `json:"seq"`
	Covered   int       `json:"covered"`           // agents of the sector whose flag the order set
	Stopped   int       `json:"stopped"`           // of these, whose host obeys it
	Waiting   int       `json:"waiting"`           // of these, whose host lives and has not answered yet
	Silent    int       `json:"silent"`            // of these, whose host does not live; they are frozen when it returns
	Hosts     []string  `json:"hosts,omitempty"`   // names of the hosts that do not live
	Released  int       `json:"released,omitzero"` // messages that were FROZEN and are sent now
	InHand    int       `json:"in_hand"`           // work that goes on in the stopped
	StoppedAt time.Time `json:"stopped_at"`        // when the last stopped, core's time
	// Revs are those of the registry blocks, by cluster, that show the flags.
	Revs map[Address]uint64 `json:"revs,omitempty"`
}

// DeliveryProgress is the present state of each of an operation's deliveries in
// a sector: exact sets. Settled says that all final ones are facts.
type DeliveryProgress struct {
	Operation string                 `json:"operation"`
	States    map[DeliveryState]Bits `json:"states"`
	Codes     map[Code]Bits          `json:"codes,omitempty"`
	Again     Bits                   `json:"again,omitempty"`
	Settled   bool                   `json:"settled"`
}
