package agentd

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// Work is one message to one agent, taken from its queue.
type Work struct {
	AgentID  string
	Message  *wire.MeshMessage
	Deadline time.Time // host's clock; when the time to live ends
	Again    bool      // may have been worked before: the host was killed meanwhile
}

// Result ends a Work.
type Result struct {
	State   wire.DeliveryState // WORKED, CONFLICT or REFUSED
	Code    wire.Code          // with REFUSED, and with WORKED if the task failed
	Answer  jsontext.Value
	Detail  *wire.ConflictDetail
	Started time.Time // when the handler began
	Took    time.Duration
}

// Handler works messages for one agent, one at a time.
//
// Begin must return at once. It calls end exactly once, from any goroutine,
// when the work is over; when ctx ends it gives up as soon as it can and calls
// end all the same.
//
// Lead and hold ("Arriving together") will split Begin into Prepare and Fire;
// until then a message has no T and is fired as soon as it is prepared.
type Handler interface {
	Begin(ctx context.Context, w Work, end func(Result))
	Close() error
}
