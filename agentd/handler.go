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
	Message  *wire.MeshMessage // nil: work of an emulated agent's own; must not be changed
	Weight   float64           // payload weight, over 0; a message without one weighs 1
	Deadline time.Time         // host's clock; when the time to live ends, unless a freeze prolongs it
	Again    bool              // may have been worked before: agent or host was killed meanwhile
}

// Result ends a Work.
type Result struct {
	State   wire.DeliveryState // WORKED, CONFLICT or REFUSED
	Code    wire.Code          // with REFUSED, and with WORKED if the task failed
	Answer  jsontext.Value     // at most wire.MaxBody bytes; what is no JSON becomes a string
	Detail  *wire.ConflictDetail
	Started time.Time     // when the handler began; zero: when Begin was called
	Took    time.Duration // 0: measured by the host from Started
}

// Handler works messages for one agent, one at a time.
//
// Begin must return at once. It calls end exactly once, from any goroutine,
// when the work is over; when ctx ends it gives up as soon as it can and calls
// end all the same. The cause of ctx's end is [context.DeadlineExceeded] when
// the time to live ran out.
//
// Lead and hold ("Arriving together") will split Begin into Prepare and Fire;
// until then a message has no T and is fired as soon as it is prepared.
type Handler interface {
	Begin(ctx context.Context, w Work, end func(Result))
	Close() error
}
