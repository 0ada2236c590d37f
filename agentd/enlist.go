package agentd

import (
	"cmp"
	"context"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Enlist joins a mesh under a new key: it spends the join token of this text for
// the agents of join, whose Key it sets, and keeps in folder dir what it
// bought. url is that of the broker; empty: the token's.
//
// A token that is not whole is a *wire.Error of code bad_message; other errors
// are those of [Join].
func Enlist(ctx context.Context, token, url, dir string, join wire.Join) (*Identity, error) {
	t, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	t.URL = cmp.Or(url, t.URL)
	public, seed, err := auth.NewUserKey()
	if err != nil {
		return nil, err
	}
	join.Key = public
	joined, err := Join(ctx, t, join)
	if err != nil {
		return nil, err
	}
	id := &Identity{
		Mesh: joined.Mesh, Host: joined.Host, URL: t.URL, CA: t.CA, Seed: seed,
		Grants: joined.Grants, Agents: join.Total(),
	}
	return id, id.Save(dir)
}

// TokenMesh is the name of the mesh that a join token of this text belongs to;
// an error as of [Enlist] if it is not whole.
func TokenMesh(token string) (string, error) {
	t, err := parseToken(token)
	return t.Mesh, err
}

func parseToken(text string) (auth.Token, error) {
	t, err := auth.ParseToken(text)
	if err != nil {
		return t, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	return t, nil
}
