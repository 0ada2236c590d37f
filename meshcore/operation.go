package meshcore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/wire"
)

// Limits of what the orchestrator keeps of operations.
const (
	opsKept     = 200             // ended ones, for inspect
	settleGrace = 5 * time.Second // an ended operation waits so long for its last facts
	// progressEvery is how often a caller hears of progress, at most: a hundred
	// sectors have news all the time.
	progressEvery = 100 * time.Millisecond
)

// operations are the orchestrator's operations: open ones, and the latest ended.
type operations struct {
	mu    sync.Mutex
	open  map[string]*operation
	ended []*operation // newest last
}

// operation is one execution as the orchestrator sees it.
type operation struct {
	wire.Operation
	tally   *gather.Tally
	final   []wire.DeliveryFact // known before a restart
	changed chan struct{}
	over    *wire.OperationEnd
}

func newOperation(op wire.Operation) *operation {
	return &operation{Operation: op, tally: gather.NewTally(op.Targets, op.Addressed), changed: make(chan struct{}, 1)}
}

func (o *operations) restore(open []OpenOperation) {
	o.open = map[string]*operation{}
	for _, known := range open {
		op := newOperation(known.Operation)
		op.final = known.Final
		o.open[op.ID] = op
	}
}

// resume follows the operations that an earlier core left open.
func (o *operations) resume(c *Core) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, op := range o.open {
		c.spawn(func() { c.follow(op, nil, make(chan wire.BroadcastResult, 1)) })
	}
}

func (o *operations) openIDs() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.open))
}

// oldest is when the oldest open operation started; zero: none is open.
func (o *operations) oldest() (at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, op := range o.open {
		if at.IsZero() || op.Started.Before(at) {
			at = op.Started
		}
	}
	return at
}

// ofSector are the open operations' deliveries in a sector, for its shard.
func (o *operations) ofSector(sector int) []wire.ShardDelivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []wire.ShardDelivery
	for _, op := range o.open {
		if targets := op.Targets.Sector(sector); !targets.Empty() {
			d := op.delivery(sector, targets)
			d.Resumed = true
			for _, f := range op.final {
				if f.Sector == sector {
					d.Final = append(d.Final, f)
				}
			}
			all = append(all, d)
		}
	}
	return all
}

func (op *operation) delivery(sector int, targets wire.Bits) wire.ShardDelivery {
	return wire.ShardDelivery{Operation: op.ID, Message: op.Message, Targets: targets, Started: op.Started, Deadline: op.Deadline}
}

// progress folds what a shard reports.
func (o *operations) progress(sector int, p wire.DeliveryProgress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.open[p.Operation]
	if op == nil {
		return
	}
	op.tally.Fold(sector, p)
	select {
	case op.changed <- struct{}{}:
	default:
	}
}

// Broadcast starts op durably, follows it to its end and says what it came to.
// Without RequireAck it is over when all addressed have it in their hosts'
// journals, with it when all are final; at the latest when its time to live
// ends. When ctx ends before, the operation goes on and its verdict is a fact.
func (c *Core) Broadcast(ctx context.Context, op wire.Operation, progress func(wire.Progress)) (wire.BroadcastResult, error) {
	o := newOperation(op)
	if _, err := c.opt.Facts.Append(ctx, wire.Fact{
		At: op.Started, Kind: wire.FactOpStarted, Actor: op.Actor, Operation: op.ID, Data: encodeData(op),
		Text: fmt.Sprintf("%s %s to %d agents by %s", op.Action, op.ID, op.Targets.Len(), op.Actor),
	}); err != nil {
		return wire.BroadcastResult{}, notDone("the operation", err)
	}
	c.ops.begin(o)
	for _, set := range op.Targets {
		d := o.delivery(set.Sector, set.Agents)
		c.order(set.Sector, &wire.ShardOrder{Deliver: &d})
	}
	result := make(chan wire.BroadcastResult, 1)
	c.spawn(func() { c.follow(o, progress, result) })
	select {
	case r := <-result:
		r.Missing = c.names(c.ops.missing(o))
		return r, nil
	case <-c.closed:
		return c.ops.result(o, "the core ends; the operation goes on when it starts again"), nil
	case <-ctx.Done():
		return c.ops.result(o, "the caller went away; the operation goes on"), ctx.Err()
	}
}

func (o *operations) begin(op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[op.ID] = op
}

// follow waits for the end of an operation and for what outlives it: an
// operation is answered when it is over for the caller, and ended when nothing
// of it can change any more.
func (c *Core) follow(o *operation, progress func(wire.Progress), result chan<- wire.BroadcastResult) {
	deadline := time.NewTimer(time.Until(o.Deadline) + settleGrace)
	defer deadline.Stop()
	show := time.NewTimer(0) // the first at once
	defer show.Stop()
	shown := false // there is no news since
	answered := false
	for {
		done, final := c.ops.state(o)
		if done && !answered {
			answered = true
			result <- c.ops.result(o, o.reason())
		}
		if final {
			c.end(o)
			return
		}
		select {
		case <-o.changed:
			if shown {
				shown = false
				show.Reset(progressEvery)
			}
		case <-show.C:
			shown = true
			if progress != nil && !answered {
				progress(c.ops.progressOf(o))
			}
		case <-deadline.C:
			if !answered {
				answered = true
				result <- c.ops.result(o, fmt.Sprintf("time to live of %v ended", o.Deadline.Sub(o.Started)))
			}
		case <-c.closed:
			return // taken up again by the next core
		}
	}
}

func (op *operation) reason() string {
	if op.RequireAck {
		return "all addressed agents are final"
	}
	return "all addressed agents have received it"
}

// state tells whether op is over for its caller, and whether nothing of it can
// change.
func (o *operations) state(op *operation) (done, final bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return op.tally.Done(op.RequireAck), op.tally.Settled()
}

// progressOf tells how far op is.
func (o *operations) progressOf(op *operation) wire.Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := op.tally
	p := wire.Progress{
		Header: wire.Head(wire.TypeProgress), Operation: op.ID, States: t.States(),
		Done: t.Received(), Total: t.Addressed(),
	}
	if op.RequireAck {
		p.Done = t.Acknowledged()
	}
	return p
}

func (o *operations) result(op *operation, why string) wire.BroadcastResult {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := op.tally
	states := t.States()
	pending := map[string]int{}
	if n := states[wire.Frozen.String()]; n > 0 {
		pending["frozen"] = n
	}
	if n := op.Targets.Len() - t.Addressed() - pending["frozen"]; n > 0 {
		pending["class F"] = n
	}
	return wire.BroadcastResult{
		Operation: op.ID, Selected: op.Targets.Len(), Addressed: t.Addressed(),
		Received: t.Received(), Acknowledged: t.Acknowledged(),
		States: states, Pending: pending, WorkedAgain: t.WorkedAgain(), Why: why,
		DurationMS: float64(time.Since(op.Started)) / float64(time.Millisecond), Settled: t.Settled(),
	}
}

// Missing are the addressed agents of an operation without what was asked.
func (o *operations) missing(op *operation) wire.Targets {
	o.mu.Lock()
	defer o.mu.Unlock()
	return op.tally.Missing(op.RequireAck)
}

// end writes the operation's verdict and lets the shards forget it.
func (c *Core) end(o *operation) {
	r := c.ops.result(o, o.reason())
	end := wire.OperationEnd{ID: o.ID, Verdict: wire.Done, Why: r.Why, Counts: r.States, Duration: r.DurationMS}
	if len(c.ops.missing(o)) > 0 {
		end.Verdict = wire.Partial
	}
	c.scribe.insist([]wire.Fact{{
		At: time.Now(), Kind: wire.FactOpEnded, Actor: "core", Operation: o.ID, Data: encodeData(end),
		Text: fmt.Sprintf("%s %s ended %s: %s", o.Action, o.ID, end.Verdict, countsText(r.States)),
	}}, func() {
		c.ops.close(o, &end) // first: a shard that starts now is not told of it
		for _, set := range o.Targets {
			c.order(set.Sector, &wire.ShardOrder{End: &o.ID})
		}
	})
}

func countsText(counts map[string]int) string {
	text := ""
	for _, s := range wire.DeliveryStates() {
		if n := counts[s.String()]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", n, s)
		}
	}
	return text
}

func (o *operations) close(op *operation, end *wire.OperationEnd) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op.over = end
	delete(o.open, op.ID)
	o.ended = append(o.ended, op)
	if len(o.ended) > opsKept {
		o.ended = slices.Delete(o.ended, 0, len(o.ended)-opsKept)
	}
}

// Deliveries are the messages to an agent that the core has at hand: of open
// operations and of the latest that ended, newest first.
func (c *Core) Deliveries(agentID string) []wire.DeliveryRecord {
	row := c.View().Agent(agentID)
	if row == nil {
		return nil
	}
	o := &c.ops
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(o.ended)
	for _, op := range o.open {
		all = append(all, op)
	}
	slices.SortFunc(all, func(a, b *operation) int { return b.Started.Compare(a.Started) })
	var records []wire.DeliveryRecord
	for _, op := range all {
		if !op.Targets.Sector(row.Address.Sector).Has(row.Ordinal) {
			continue
		}
		state, code := op.tally.Of(row.Address.Sector, row.Ordinal)
		records = append(records, wire.DeliveryRecord{MessageID: op.ID, Action: op.Action, State: state, Code: code, Started: op.Started})
	}
	return records
}
