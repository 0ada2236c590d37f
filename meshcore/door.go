package meshcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// doorLimit is how many requests may be under way at once: each is a goroutine
// that mostly waits. One more is refused, not queued: a freeze must never wait
// behind slow broadcasts.
const doorLimit = 1024

// Actor carries out what a person asks and sends answers, the last of them an
// OUTCOME. The broker vouches for the person's name.
type Actor func(ctx context.Context, person string, do wire.Do, send func(wire.Message))

// ServeDoor takes the actions of all people on m.do.* and hands them to act,
// until ctx ends; then it waits for those under way.
func (c *Core) ServeDoor(ctx context.Context, act Actor) error {
	requests := make(chan *nats.Msg, 4*doorLimit)
	sub, err := c.conn.ChanSubscribe(wire.SubjectDo, requests)
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", wire.SubjectDo, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	places := make(chan struct{}, doorLimit)
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-requests:
			if !repliesTo(m, asker(m)) {
				continue // answers go to the person who asks, and nothing is done unseen
			}
			select {
			case places <- struct{}{}:
				underWay.Go(func() {
					defer func() { <-places }()
					c.serve(ctx, m, act)
				})
			default:
				c.reply(m, refusedOutcome("", wire.Errorf(wire.CodeForbidden, "the core has %d requests under way", doorLimit).
					WithHint("try again in a moment; the emergency freeze takes the same way")))
			}
		}
	}
}

func (c *Core) serve(ctx context.Context, m *nats.Msg, act Actor) {
	var do wire.Do
	if err := wire.Decode(m.Data, wire.TypeDo, &do); err != nil {
		c.reply(m, refusedOutcome("", wire.Errorf(wire.CodeBadMessage, "%v", err)))
		return
	}
	act(ctx, asker(m), do, func(answer wire.Message) { c.reply(m, answer) })
}

// asker is the person who sent a request: the broker vouches for the name.
func asker(m *nats.Msg) string { return strings.TrimPrefix(m.Subject, wire.SubjectPerson("")) }

// refusedOutcome is the OUTCOME of a request that cannot be served.
func refusedOutcome(id string, err *wire.Error) *wire.Outcome {
	v := err.Code.Verdict()
	return &wire.Outcome{
		Header: wire.Head(wire.TypeOutcome), ID: id, Verdict: v, Exit: v.Exit(), Err: err, Text: err.Error(),
	}
}

func (c *Core) reply(m *nats.Msg, answer wire.Message) {
	if err := m.Respond(wire.Encode(answer)); err != nil {
		c.log.Warn("a person was not answered", "subject", m.Subject, "err", err)
	}
}

// TellFacts publishes durable facts to the consoles' feeds.
func (c *Core) TellFacts(facts []wire.Fact) {
	const perMessage = 100
	for len(facts) > 0 {
		n := min(perMessage, len(facts))
		feed := &wire.Feed{Header: wire.Head(wire.TypeFeed), Facts: make([]wire.Fact, n)}
		copy(feed.Facts, facts[:n])
		for i := range feed.Facts {
			feed.Facts[i].Data = nil // a console asks for the whole fact with history
		}
		if err := c.conn.Publish(wire.SubjectFeed, wire.Encode(feed)); err != nil {
			if errors.Is(err, nats.ErrConnectionClosed) {
				return // the core has ended; what is told are its last facts
			}
			c.log.Warn("feed not published", "err", err)
			return
		}
		facts = facts[n:]
	}
}

// Inject provokes a fault in emulated agents and returns how many. Targets that
// are not emulated are refused, all of them.
func (c *Core) Inject(ctx context.Context, targets wire.Targets, fault wire.Inject) (int, error) {
	view := c.View()
	for _, set := range targets {
		for row := range rowsOf(view, set.Sector) {
			if set.Agents.Has(row.Ordinal) && !row.Sim {
				return 0, wire.Errorf(wire.CodeForbidden, "%s (%s) is not emulated: faults are injected into emulated agents only", row.AgentID, row.Address)
			}
		}
	}
	n := 0
	for _, set := range targets {
		if err := c.orderAndWait(ctx, set.Sector, &wire.ShardOrder{Inject: &wire.ShardInject{Inject: fault, Agents: set.Agents}}); err != nil {
			return n, err
		}
		n += set.Agents.Len()
	}
	return n, nil
}

// names are the ids of a set of agents.
func (c *Core) names(targets wire.Targets) []string {
	view := c.View()
	var ids []string
	for _, set := range targets {
		for row := range rowsOf(view, set.Sector) {
			if set.Agents.Has(row.Ordinal) {
				ids = append(ids, row.AgentID)
			}
		}
	}
	return ids
}
