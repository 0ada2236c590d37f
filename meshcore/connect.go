package meshcore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	osuser "os/user"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// ConnectOptions say how a person who was invited joins a mesh elsewhere.
type ConnectOptions struct {
	Token string // as it was pasted
	As    string // the name she wants; empty: the token's, or that of the system's user
	Name  string // of the mesh on this machine; empty: its own
	URL   string // of the broker; empty: the token's
}

// A PERSON_JOIN is asked so often, each time for so long: its answer may be
// lost, and a token counts once.
const (
	personJoinTries = 3
	personJoinWait  = 12 * time.Second
)

// Connect spends a person's join token and keeps in root what it bought: the
// directory of a remote mesh with her credentials. Who has joined that mesh
// before under the same name goes on with the same key for longer.
//
// Errors are of type *wire.Error where the core refuses (token_used, duplicate
// …) or cannot be asked (unreachable), else those of [OpenHome].
func Connect(ctx context.Context, root string, o ConnectOptions) (*Home, auth.Credentials, error) {
	var none auth.Credentials
	token, err := auth.ParseToken(o.Token)
	if err != nil {
		return nil, none, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	if token.What == "host" {
		return nil, none, wire.Errorf(wire.CodeForbidden, "this token invites a host, not a person").
			WithHint("it goes with mesh30k agentd run --join; a person needs one of: mesh30k invite observer")
	}
	token.URL = cmp.Or(o.URL, token.URL)
	person, err := wantedName(cmp.Or(o.As, token.Name))
	if err != nil {
		return nil, none, err
	}
	name := cmp.Or(o.Name, token.Mesh)
	if err := wire.CheckName("mesh", name); err != nil {
		return nil, none, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	draft, err := draftRemote(root, name, Remote{token.Mesh, token.URL, token.CA})
	if err != nil {
		return nil, none, err
	}
	defer draft.discard()
	public, seed, err := draft.home.ownKey(person)
	if err != nil {
		return nil, none, err
	}
	joined, err := askIn(ctx, token, &wire.PersonJoin{Header: wire.Head(wire.TypePersonJoin), Mesh: token.Mesh, Person: person, Key: public})
	if err != nil {
		return nil, none, err
	}
	me := auth.Credentials{Name: joined.Person, JWT: joined.JWT, Seed: seed}
	home, err := draft.keep(me)
	if err != nil {
		return nil, none, fmt.Errorf("%s is let in, but the credentials cannot be kept: %w; the token is spent: ask for another", person, err)
	}
	return home, me, nil
}

// wantedName is the name that was chosen; else that of the system's user, if a
// person may have it.
func wantedName(chosen string) (string, error) {
	if chosen == "" {
		if u, err := osuser.Current(); err == nil {
			chosen = u.Username
		}
	}
	if err := auth.CheckName("person", chosen); err != nil {
		return "", wire.Errorf(wire.CodeBadMessage, "%v", err).WithHint("say who you want to be: --as NAME")
	}
	return chosen, nil
}

// ownKey is the key that a person has here, or a new one.
func (h *Home) ownKey(person string) (public, seed string, err error) {
	had, err := auth.LoadCredentials(h.credsPath(person))
	switch {
	case err == nil:
		return had.PublicKey(), had.Seed, nil
	case errors.Is(err, fs.ErrNotExist):
		return auth.NewUserKey()
	default:
		return "", "", err
	}
}

// askIn sends a PERSON_JOIN as the token's restricted user.
func askIn(ctx context.Context, token auth.Token, j *wire.PersonJoin) (joined wire.PersonJoined, err error) {
	nc, err := auth.Dial(token.URL, token.CA, token.Credentials().Options(wire.InboxPrefix(token.ID), 1)...)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return joined, wire.Errorf(wire.CodeTokenUnknown, "the mesh at %s does not know this token: it has expired, or belongs to another mesh", token.URL).
			WithHint("ask for a new one: mesh30k invite %s", token.What)
	case err != nil:
		return joined, wire.Errorf(wire.CodeUnreachable, "mesh %s at %s cannot be reached: %v", token.Mesh, token.URL, err).
			WithHint("a core listens on its own machine only: from another one make a tunnel to it and say --url")
	}
	defer nc.Close()
	answer, err := request(ctx, nc, wire.SubjectJoinWith(token.ID), wire.Encode(j))
	if err != nil {
		return joined, wire.Errorf(wire.CodeUnreachable, "the core of mesh %s at %s does not answer: %v", token.Mesh, token.URL, err)
	}
	var refused wire.Error
	if wire.Decode(answer, wire.TypeError, &refused) == nil {
		return joined, &refused
	}
	if err := wire.Decode(answer, wire.TypePersonJoined, &joined); err != nil {
		return joined, fmt.Errorf("the answer of the core of mesh %s: %w", token.Mesh, err)
	}
	return joined, nil
}

// request asks until an answer comes, personJoinTries times.
func request(ctx context.Context, nc *nats.Conn, subject string, data []byte) (_ []byte, err error) {
	for range personJoinTries {
		var m *nats.Msg
		try, cancel := context.WithTimeout(ctx, personJoinWait)
		m, err = nc.RequestWithContext(try, subject, data)
		cancel()
		if err == nil {
			return m.Data, nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return nil, err
}
