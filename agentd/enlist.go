package agentd

import (
	"context"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Enlist joins a mesh under a new key: it spends the join token that has this
// text for the agents of join, whose Key it sets, and keeps in folder dir what
// it bought. A token that is not whole is a *wire.Error of code bad_message;
// other errors are those of [Join].
func Enlist(ctx context.Context, token, dir string, join wire.Join) (*Identity, error) {
	t, err := auth.ParseToken(token)
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	public, seed, err := auth.NewUserKey()
	if err != nil {
		return nil, err
	}
	join.Key = public
	joined, err := Join(ctx, t, join)
	if err != nil {
		return nil, err
	}
	id := &Identity{Mesh: joined.Mesh, Host: joined.Host, URL: t.URL, CA: t.CA, Seed: seed, Grants: joined.Grants}
	return id, id.Save(dir)
}
