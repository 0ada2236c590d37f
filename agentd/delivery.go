package agentd

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// deliveryKey names one message to one agent.
type deliveryKey struct{ message, agent string }

// delivery is what a host knows of one message to one agent: the journal's
// entry, and what waits in the agent's queue.
type delivery struct {
	deliveryKey
	cluster wire.Address
	message *wire.MeshMessage // nil once it is final: only the outcome is kept
	state   wire.DeliveryState
	begun   bool // Begin is on disk
	again   bool // and was, before agent or host was killed
	unsaid  bool // is in its cluster's list of those to be acknowledged
	order   uint64

	// until is when the time to live ends, if the agent is frozen no longer
	// than it had been in all (frozen) when until was reckoned.
	until  time.Time
	frozen time.Duration

	arrived time.Time // host's clock: of the message, then of its end
	outcome
}

// outcome is how a delivery ended.
type outcome struct {
	code         wire.Code
	processingMS float64
	detail       *wire.ConflictDetail
	answer       jsontext.Value
}

// left is how much of the time to live remains at now to an agent that has been
// frozen for frozen in all.
func (d *delivery) left(now time.Time, frozen time.Duration) time.Duration {
	return d.until.Sub(now) + frozen - d.frozen
}

// item is what an ACK says of the delivery to its one agent.
func (d *delivery) item(coreTime time.Time) wire.AckItem {
	t, _ := d.state.Trinary()
	return wire.AckItem{
		MessageID: d.deliveryKey.message, State: d.state, Agents: []string{d.agent}, Trinary: t,
		ArrivedAt: coreTime, ProcessingMS: d.processingMS, Again: d.again && d.state.Final(),
		Code: d.code, Detail: d.detail, Answer: d.answer,
	}
}
