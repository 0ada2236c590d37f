package console

import (
	"context"
	"fmt"

	"mesh30k/meshcore/wire"
)

// Invitation is the data of invite's outcome.
type Invitation struct {
	Token wire.Token `json:"token"`
	Paste string     `json:"paste"` // what the invited one runs
}

func (c *call) invite(a Invite) (*change, error) {
	if a.Class != 0 && a.What != "host" {
		return nil, wire.Errorf(wire.CodeBadMessage, "class: only a host has one, not an %s", a.What).WithHint("leave --class out")
	}
	t := wire.Token{ID: NewID(c.now), What: a.What, Uses: 1, Expires: c.now.Add(a.TTL)}
	if a.Class != 0 {
		t.Class = a.Class.String()
	}
	does := fmt.Sprintf("invite one %s, until %s", a.What, c.clock(t.Expires))
	return &change{does: does, run: func(ctx context.Context, _ func(wire.Progress)) (wire.Outcome, error) {
		paste, err := c.Mesh.Invite(ctx, t)
		if err != nil {
			return wire.Outcome{}, err
		}
		return c.outcome(wire.Done, Invitation{t, paste}, paste+"\n"), nil
	}}, nil
}
