package console

import (
	"context"
	"fmt"

	"mesh30k/meshcore/wire"
)

// Invitation is the data of invite's outcome.
type Invitation struct {
	Token wire.Token `json:"token"`
	Join  string     `json:"join"`  // the token as it is spelled; whoever has it may join
	Paste string     `json:"paste"` // what to run on the host, or what the person runs
}

func (c *call) invite(a Invite) (*change, error) {
	if a.Class != 0 && a.What != "host" {
		return nil, wire.Errorf(wire.CodeBadMessage, "class: only a host has one, not an %s", a.What).WithHint("leave --class out")
	}
	t := wire.Token{ID: "t" + NewID(c.now), What: a.What, Uses: 1, Expires: c.now.Add(a.TTL)}
	if a.Class != 0 {
		t.Class = a.Class.String()
	}
	does := fmt.Sprintf("invite one %s, until %s", a.What, c.clock(t.Expires))
	return &change{does: does, run: func(ctx context.Context, _ func(wire.Progress)) (wire.Outcome, error) {
		token, err := c.Mesh.Invite(ctx, t)
		if err != nil {
			return wire.Outcome{}, err
		}
		paste := pasteOf(t, token)
		return c.outcome(wire.Done, Invitation{t, token, paste}, paste+"\n"), nil
	}}, nil
}

// pasteOf is the line that spends a token.
func pasteOf(t wire.Token, text string) string {
	if t.What != "host" {
		return "mesh30k connect " + text
	}
	line := "mesh30k agentd run --join " + text
	if t.Class != "" {
		line += " --class " + t.Class
	}
	return line + " -- ./my-program"
}
