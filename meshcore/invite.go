package meshcore

import (
	"context"
	"time"

	"mesh30k/meshcore/wire"
)

// Invite makes the token t.ID, which lets in what t.What says (a host, an
// operator or an observer) t.Uses times (0: once) until t.Expires, and returns
// its text.
func (c *Core) Invite(ctx context.Context, t wire.Token) (string, error) {
	switch t.What {
	case "host", string(wire.Operator), string(wire.Observer):
	default:
		return "", wire.Errorf(wire.CodeBadMessage, "who is invited? %q: want host, operator or observer", wire.Clean(t.What))
	}
	now := time.Now()
	if t.Expires.Before(now) || t.Expires.Sub(now) > inviteMaxTTL {
		return "", wire.Errorf(wire.CodeBadMessage, "a token must expire within %v from now", inviteMaxTTL)
	}
	t.Uses = max(1, t.Uses)
	text, err := tokenText(c.opt.Keyring, t, c.opt.URL)
	if err != nil {
		return "", err
	}
	return text, c.issue(ctx, t)
}

// issued finds a token that this mesh issued and that has not expired. The
// caller holds mu.
func (e *enrolment) issued(id string, now time.Time) (wire.Token, *wire.Error) {
	t, known := e.tokens[id]
	switch {
	case !known:
		return t, wire.Errorf(wire.CodeTokenUnknown, "token %s was never issued by this mesh", wire.Clean(id)).
			WithHint("ask for a new one: mesh30k invite")
	case now.After(t.Expires):
		return t, wire.Errorf(wire.CodeTokenUnknown, "token %s expired at %s", id, t.Expires.UTC().Format(time.RFC3339)).
			WithHint("ask for a new one: mesh30k invite %s", t.What)
	}
	return t, nil
}

// spent reports whether a token lets nobody in any more. The caller holds mu.
func (e *enrolment) spent(t wire.Token) bool { return len(e.used[t.ID]) >= t.Uses }
