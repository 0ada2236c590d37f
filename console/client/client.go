// Package client is the action plane over a NATS connection: it sends a DO,
// gathers what comes back, and watches what the core publishes.
//
// It decides nothing and enforces nothing; the core does. What it adds is that a
// core which cannot be reached, or stops answering, becomes an outcome like any
// other: verdict unreachable, with what to do next.
package client

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// How long a client waits. The core answers a DO at once and gives a sign of
// life at least every [console.LifeSign] while it works.
const (
	FirstAnswer = 5 * time.Second
	NextAnswer  = 5 * console.LifeSign
)

// Client asks a core for actions as one person. Its methods may be called from
// several goroutines.
type Client struct {
	nc    *nats.Conn
	name  string
	first time.Duration
	next  time.Duration
}

// New makes a client of a connection whose inbox prefix is
// wire.InboxPrefix(name): the broker lets a person's answers go nowhere else.
func New(nc *nats.Conn, name string) *Client {
	return &Client{nc: nc, name: name, first: FirstAnswer, next: NextAnswer}
}

// Name is the person as whom the client asks.
func (c *Client) Name() string { return c.name }

// Connected reports whether the connection stands at this moment.
func (c *Client) Connected() bool { return c.nc.IsConnected() }

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

// Handlers are told what comes before the outcome; each may be nil. They are
// called from the goroutine that asked.
type Handlers struct {
	Progress func(wire.Progress)
	// Rows takes the rows as they come; the outcome's data is then without them.
	Rows func([]jsontext.Value)
	// Plan takes the new plan that the core made because the one to be executed
	// no longer fits.
	Plan func(wire.Plan)
}

// Read asks for a read. The outcome's data has the rows joined as its member
// rows, unless h.Rows takes them.
func (c *Client) Read(ctx context.Context, a console.Action, h Handlers) wire.Outcome {
	return c.ask(ctx, wire.Do{Step: wire.StepRead, Action: console.Encode(a)}, answers{Handlers: h})
}

// Plan asks what a change would do. Without a plan the outcome says why.
func (c *Client) Plan(ctx context.Context, a console.Action) (*wire.Plan, wire.Outcome) {
	return c.plan(ctx, wire.Do{Step: wire.StepPlan, Action: console.Encode(a)})
}

// Shown asks for a plan once more that was made before, by its hash, while it
// still holds.
func (c *Client) Shown(ctx context.Context, hash string, a console.Action) (*wire.Plan, wire.Outcome) {
	return c.plan(ctx, wire.Do{Step: wire.StepPlan, Action: console.Encode(a), Hash: hash})
}

func (c *Client) plan(ctx context.Context, do wire.Do) (*wire.Plan, wire.Outcome) {
	var plan *wire.Plan
	out := c.ask(ctx, do,
		answers{Handlers: Handlers{Plan: func(p wire.Plan) { plan = &p }}})
	if plan == nil && out.Verdict == wire.Done {
		out = failed(out.Action, wire.Internal, wire.Errorf(wire.CodeInternal, "the core made no plan").
			WithHint("core and console may be of different versions: see doctor"))
	}
	return plan, out
}

// Execute carries out what was planned under hash. A wide plan also needs the
// number of agents that the person typed. The core goes on when ctx ends.
func (c *Client) Execute(ctx context.Context, hash string, a console.Action, typed int, h Handlers) wire.Outcome {
	return c.ask(ctx, wire.Do{Step: wire.StepExecute, Action: console.Encode(a), Hash: hash, Typed: typed}, answers{Handlers: h})
}

// Emergency freezes the whole mesh at once, without a plan.
func (c *Client) Emergency(ctx context.Context, reason string, h Handlers) wire.Outcome {
	a := console.Freeze{Reason: reason}
	return c.ask(ctx, wire.Do{Step: wire.StepEmergency, Action: console.Encode(a)}, answers{Handlers: h})
}

// answers are handlers, and what only this package asks for.
type answers struct {
	Handlers
	block func(*wire.Block)
}

// ask sends one DO and gathers its answers until the OUTCOME.
func (c *Client) ask(ctx context.Context, do wire.Do, h answers) wire.Outcome {
	do.Header, do.ID = wire.Head(wire.TypeDo), console.NewID(time.Now())
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is gone
	if err := sub.SetPendingLimits(-1, 256<<20); err != nil {
		return c.unreachable(err)
	}
	if err := c.nc.PublishRequest(wire.SubjectPerson(c.name), inbox, wire.Encode(&do)); err != nil {
		return c.unreachable(err)
	}
	g := gatherer{id: do.ID, answers: h}
	wait := c.first
	for {
		msg, err := next(ctx, sub, wait)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return stopped(do.Step)
		default:
			return c.unreachable(err)
		}
		if out := g.take(msg); out != nil {
			return *out
		}
		wait = c.next
	}
}

func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

func (c *Client) unreachable(err error) wire.Outcome {
	e := wire.Errorf(wire.CodeUnreachable, "the core does not answer: %s", why(err))
	if errors.Is(err, nats.ErrNoResponders) {
		e.Message = "there is a broker but no core that answers " + c.name
	}
	return failed("", wire.Unreachable, e.WithHint("is it running? start it with mesh30k core, see mesh30k doctor; what had begun goes on"))
}

func why(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "nothing came in time"
	}
	return wire.Clean(err.Error())
}

// stopped is the outcome of an ask whose context ended.
func stopped(step wire.Step) wire.Outcome {
	e := wire.Errorf(wire.CodeInternal, "stopped waiting for the answer")
	if step == wire.StepExecute || step == wire.StepEmergency {
		return failed("", wire.Internal, e.WithHint("the operation continues in the core; history and list --what operations show what becomes of it"))
	}
	return failed("", wire.Internal, e.WithHint("nothing was changed"))
}

func failed(action string, v wire.Verdict, e *wire.Error) wire.Outcome {
	return wire.Outcome{Header: wire.Head(wire.TypeOutcome), Action: action, Verdict: v, Exit: v.Exit(), Err: e, Text: e.Error()}
}
