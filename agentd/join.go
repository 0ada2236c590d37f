package agentd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// joinTimeout bounds the whole of a Join; the core writes a fact before it
// answers.
const joinTimeout = 20 * time.Second

// ErrUnreachable is wrapped by errors that say that the broker or the core
// cannot be reached.
var ErrUnreachable = errors.New("the mesh cannot be reached")

// Join spends a join token: it asks the core for places for the agents of join,
// whose Key is the public half of the host's own key ([auth.NewUserKey]).
// Header, Mesh and Host may be left out of join if the token names them.
//
// Errors are of type *wire.Error where the core refuses (token_used, full,
// duplicate …), and wrap [ErrUnreachable] where it could not be asked.
func Join(ctx context.Context, token auth.Token, join wire.Join) (wire.Joined, error) {
	var joined wire.Joined
	if token.What != "host" {
		return joined, wire.Errorf(wire.CodeForbidden, "this token invites an %s, not a host", token.What).
			WithHint("it goes with `mesh30k connect`; for a host ask for one with `mesh30k invite host`")
	}
	join.Header = wire.Head(wire.TypeJoin)
	if join.Mesh == "" {
		join.Mesh = token.Mesh
	}
	if err := join.Check(); err != nil {
		return joined, fmt.Errorf("join: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	answer, err := ask(ctx, token, &join)
	if err != nil {
		return joined, err
	}
	var refused wire.Error
	if wire.Decode(answer, wire.TypeError, &refused) == nil {
		return joined, &refused
	}
	if err := wire.Decode(answer, wire.TypeJoined, &joined); err != nil {
		return joined, fmt.Errorf("join: the core's answer: %w", err)
	}
	return joined, nil
}

// ask sends a JOIN as the token's restricted user and waits for the answer.
func ask(ctx context.Context, token auth.Token, join *wire.Join) ([]byte, error) {
	inbox := wire.InboxPrefix(token.ID)
	opts := append(token.Credentials().Options(inbox, 1), nats.Timeout(connectTimeout))
	conn, err := auth.Dial(token.URL, token.CA, opts...)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return nil, wire.Errorf(wire.CodeTokenUnknown, "the mesh at %s does not know this join token: it has expired, or belongs to another mesh", token.URL).
			WithHint("ask for a new one with `mesh30k invite host`")
	case err != nil:
		return nil, fmt.Errorf("join: %s: %w: %w", token.URL, ErrUnreachable, err)
	}
	defer conn.Close()
	m, err := conn.RequestWithContext(ctx, wire.SubjectJoinWith(token.ID), wire.Encode(join))
	if err != nil {
		return nil, fmt.Errorf("join: %s: %w: its core does not answer: %w", token.URL, ErrUnreachable, err)
	}
	return m.Data, nil
}
