package console

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

func (c *call) broadcast(p Picture, a Broadcast) (*change, error) {
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return nil, err
	}
	all := rowsOf(p, sel)
	if len(all) == 0 {
		return nil, noneMatched(sel)
	}
	people := sel.NamesClass(wire.ClassHuman)
	ch := &change{excluded: map[string]int{}, does: fmt.Sprintf("broadcast %q to %s", clip(a.Message), sel)}
	for _, r := range all {
		switch {
		case r.Frozen:
			ch.excluded["frozen"]++
		case r.Class == wire.ClassHuman && !people:
			ch.excluded["class F"]++
		default:
			ch.rows = append(ch.rows, r)
		}
	}
	addressed := setOf(ch.rows)
	ch.notes = []string{"time to live " + durationText(a.TTL) + "; over when all have " + untilWhat(a.RequireAck)}
	if len(ch.rows) == 0 {
		// Nobody is waited for, but the message is kept for the frozen and
		// sent to the people.
		ch.rows = all
		ch.notes = append(ch.notes, "nobody is waited for: "+reasons(ch.excluded)+"; it is kept for the frozen")
		ch.excluded = map[string]int{}
	}
	ch.run = func(ctx context.Context, progress func(wire.Progress)) (wire.Outcome, error) {
		op, err := c.operation(a, setOf(all), addressed)
		if err != nil {
			return wire.Outcome{}, err
		}
		r, err := c.Mesh.Broadcast(ctx, op, progress)
		if err != nil {
			return wire.Outcome{}, err
		}
		return c.broadcastOutcome(a, r)
	}
	return ch, nil
}

func untilWhat(ack bool) string {
	if ack {
		return "worked it"
	}
	return "received it"
}

// operation makes the message and its operation. Class F is a target: it is
// sent to and named as pending, but not waited for. The frozen are targets too:
// theirs is kept until they thaw or it expires.
func (c *call) operation(a Broadcast, targets, addressed wire.Targets) (wire.Operation, error) {
	payload, err := json.Marshal(map[string]string{"text": a.Message})
	if err != nil {
		return wire.Operation{}, err
	}
	id := NewID(c.now)
	return wire.Operation{
		ID: id, Action: c.entry.Name, Actor: c.person, PlanHash: c.do.Hash,
		Message: wire.MeshMessage{
			MessageID: id, CorrelationID: id, Source: c.person, Routing: wire.ToAll,
			CreatedAt: c.now, TTLMS: float64(a.TTL.Microseconds()) / 1000, Priority: a.Priority, PayloadWeight: 1,
			Verb: wire.Observe, Payload: payload, PayloadHash: wire.HashPayload(payload), Expect: wire.Ready,
		},
		Targets: targets, Addressed: addressed, RequireAck: a.RequireAck,
		Started: c.now, Deadline: c.now.Add(a.TTL),
	}, nil
}

// maxMissing is how many of the missing one outcome names; the others follow as
// rows, so that all are named and no message is too large.
const maxMissing = 20_000

func (c *call) broadcastOutcome(a Broadcast, r wire.BroadcastResult) (wire.Outcome, error) {
	text := broadcastText(a, r)
	v := wire.Done
	if len(r.Missing) > 0 {
		v = wire.Partial
	}
	if len(r.Missing) > maxMissing {
		for _, id := range r.Missing[maxMissing:] {
			if err := c.tell.row(map[string]string{"missing": id}, ""); err != nil {
				return wire.Outcome{}, err
			}
		}
		r.Missing = r.Missing[:maxMissing]
	}
	return c.outcome(v, r, text), nil
}

// broadcastText is 7.1's answer to broadcast.
func broadcastText(a Broadcast, r wire.BroadcastResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Broadcast complete: %s received, %s acknowledged", thousands(r.Received), thousands(r.Acknowledged))
	if !a.RequireAck {
		b.WriteString(" so far")
	}
	fmt.Fprintf(&b, "\n%s addressed of %s selected, in %s; over because %s\n",
		thousands(r.Addressed), thousands(r.Selected), milliseconds(r.DurationMS), wire.Clean(r.Why))
	if len(r.Pending) > 0 {
		fmt.Fprintf(&b, "Not waited for: %s\n", reasons(r.Pending))
	}
	if n := len(r.Missing); n > 0 {
		fmt.Fprintf(&b, "Missing %s: %s\n", thousands(n), someOf(r.Missing))
	}
	if r.WorkedAgain > 0 {
		fmt.Fprintf(&b, "Worked once more after a kill: %s\n", thousands(r.WorkedAgain))
	}
	fmt.Fprintf(&b, "Operation %s\n", r.Operation)
	return b.String()
}
