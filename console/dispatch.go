package console

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// Ports are what the dispatcher needs of the core; main fills them.
type Ports struct {
	Mesh    Mesh
	Past    Past
	Auditor Auditor
	People  People
}

// Options of a dispatcher.
type Options struct {
	// ReadOnly refuses every change, whoever asks.
	ReadOnly bool
	// Now is the core's clock; nil: time.Now.
	Now func() time.Time
}

// Dispatcher is the one door: whatever anybody wants of the mesh comes through
// Do. Its methods may be called from several goroutines; no DO waits for
// another, so that a freeze never stands behind a slow broadcast.
type Dispatcher struct {
	Ports
	opts  Options
	plans planBook

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

// NewDispatcher makes a dispatcher; Close ends it.
func NewDispatcher(ports Ports, opts Options) *Dispatcher {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d := &Dispatcher{Ports: ports, opts: opts, plans: planBook{plans: map[string]*kept{}}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close refuses what comes from now on, ends what goes on and waits for it. An
// operation that was started stays a fact; the core takes it up again.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.running.Wait()
}

func (d *Dispatcher) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.running.Add(1)
	return true
}

// Do carries out one DO of person, whose name the broker vouches for. Answers go
// to send, one at a time, the OUTCOME last; then Do returns. It ends early when
// ctx ends.
func (d *Dispatcher) Do(ctx context.Context, person string, do wire.Do, send func(wire.Message)) {
	t := &teller{id: do.ID, send: send}
	if !d.enter() {
		t.end(refusal("", wire.Errorf(wire.CodeDraining, "the core is stopping").WithHint("ask again when it is back")))
		return
	}
	defer d.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()

	c := &call{Dispatcher: d, ctx: ctx, person: person, do: do, tell: t, now: d.opts.Now()}
	stop := t.live()
	out := c.handle()
	stop()
	t.end(out)
}

// call is one DO on its way.
type call struct {
	*Dispatcher
	ctx    context.Context
	person string
	role   wire.Role
	do     wire.Do
	tell   *teller
	now    time.Time

	action Action
	entry  *Entry
}

func (c *call) handle() wire.Outcome {
	role, ok := c.People.Role(c.person)
	if !ok {
		return refusal("", wire.Errorf(wire.CodeForbidden, "%s is nobody that this mesh knows", clip(c.person)).
			WithHint("an operator lets people in: mesh30k invite observer"))
	}
	c.role = role
	if c.do.Step == wire.StepReplica {
		return c.replica()
	}
	if c.do.Step == wire.StepEmergency && len(c.do.Action) == 0 {
		c.do.Action = Encode(Freeze{})
	}
	a, err := Decode(c.do.Action)
	if err != nil {
		return refusal("", err)
	}
	c.action, c.entry = a, EntryOf(a)
	if c.entry.Risk == Read {
		return c.handleRead()
	}
	return c.handleChange()
}

func (c *call) handleRead() wire.Outcome {
	if c.do.Step != wire.StepRead {
		return refusal(c.entry.Name, wire.Errorf(wire.CodeBadMessage, "%s changes nothing: there is nothing to %s", c.entry.Name, c.do.Step).
			WithHint("ask for it with step read"))
	}
	out, err := c.read()
	if err != nil {
		return refusal(c.entry.Name, err)
	}
	return out
}

func (c *call) read() (wire.Outcome, error) {
	switch a := c.action.(type) {
	case Status:
		return c.status(a)
	case List:
		return c.list(a)
	case Inspect:
		return c.inspect(a)
	case History:
		return c.history(a)
	case Help:
		return c.help(a)
	}
	return wire.Outcome{}, wire.Errorf(wire.CodeInternal, "%s is a read that nobody answers", c.entry.Name)
}

// outcome makes an outcome with data; text is for people, clean already.
func (c *call) outcome(v wire.Verdict, data any, text string) wire.Outcome {
	raw, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return refusal(c.entry.Name, err)
	}
	return wire.Outcome{Action: c.entry.Name, Verdict: v, Exit: v.Exit(), Data: raw, Text: text}
}

// refusal is the outcome of an error; what is not a *wire.Error is internal.
func refusal(action string, err error) wire.Outcome {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.Canceled):
		e = wire.Errorf(wire.CodeDraining, "the core stopped before it was over").
			WithHint("what had begun is taken up again when the core is back; see history")
	default:
		e = wire.Errorf(wire.CodeInternal, "%s", wire.Clean(err.Error())).WithHint("the core's log says more")
	}
	v := e.Code.Verdict()
	return wire.Outcome{Action: action, Verdict: v, Exit: v.Exit(), Err: e, Text: e.Error()}
}

// replica sends every block, and the topology as data.
func (c *call) replica() wire.Outcome {
	p := c.Mesh.Picture()
	for cluster := range p.Topology().Clusters {
		if c.ctx.Err() != nil {
			return refusal("", c.ctx.Err())
		}
		if b := p.Block(cluster); b != nil {
			c.tell.message(b)
		}
	}
	data, err := json.Marshal(map[string]any{"topology": p.Topology(), "stats": p.Stats()})
	if err != nil {
		return refusal("", err)
	}
	return wire.Outcome{Verdict: wire.Done, Data: data}
}
