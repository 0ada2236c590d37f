package meshcore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// AddPerson lets a person use the mesh: durable first, then known. A name that
// a host or the core has is a *wire.Error of code duplicate.
func (c *Core) AddPerson(ctx context.Context, p wire.Person) error {
	if err := wire.CheckName("person", p.Name); err != nil {
		return err
	}
	if p.Name == auth.CoreName || !c.enrolment.reserve(p.Name) {
		return wire.Errorf(wire.CodeDuplicate, "%s is the name of a host or of the core", p.Name)
	}
	_, err := c.opt.Facts.Append(ctx, wire.Fact{
		At: time.Now(), Kind: wire.FactPersonAdded, Actor: "core", Data: encodeData(p),
		Text: fmt.Sprintf("%s may use the mesh as %s", p.Name, p.Role),
	})
	c.enrolment.release(p, err == nil)
	if err != nil {
		return fmt.Errorf("adding %s: %w", p.Name, err)
	}
	return nil
}

// joinPerson lets in a person who was invited: known for ever first, then told.
func (c *Core) joinPerson(ctx context.Context, token string, data []byte) wire.Message {
	var j wire.PersonJoin
	if err := wire.Decode(data, wire.TypePersonJoin, &j); err != nil {
		return wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	if j.Mesh != c.opt.Topology.Mesh {
		return wire.Errorf(wire.CodeOtherMesh, "%s wants to join mesh %s, this is %s", j.Person, j.Mesh, c.opt.Topology.Mesh)
	}
	now := time.Now()
	role, again, refusal := c.enrolment.admitPerson(token, &j, now)
	if refusal != nil {
		return refusal
	}
	jwt, err := c.opt.Keyring.PersonJWT(string(role), j.Person, j.Key, personJWTLife)
	if err == nil && !again {
		err = c.AddPerson(ctx, wire.Person{Name: j.Person, Role: role, Key: j.Key, Token: token})
	}
	if err != nil {
		if errors.Is(err, ErrUncertain) {
			return wire.Errorf(wire.CodeInternal, "it is not known whether %s was let in: %v", j.Person, err).
				WithHint("try again when the core has been started again: it reads then what became durable")
		}
		if !again {
			c.enrolment.giveBack(token, j.Person, nil)
		}
		return wire.Errorf(wire.CodeInternal, "%s could not be let in: %v", j.Person, err).WithHint("the token can be used again")
	}
	return &wire.PersonJoined{
		Header: wire.Head(wire.TypePersonJoined), Mesh: j.Mesh, Person: j.Person, Role: role, JWT: jwt, Expires: now.Add(personJWTLife).UTC(),
	}
}

// admitPerson checks token and person and counts the token's use; again says
// that it was counted before, for this person, whose answer was lost.
//
// A key is not proved by who sends it: so a token changes nothing of a person
// who is known. It only lets the same key go on for longer.
func (e *enrolment) admitPerson(token string, j *wire.PersonJoin, now time.Time) (role wire.Role, again bool, refusal *wire.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, refusal := e.issued(token, now)
	if refusal != nil {
		return "", false, refusal
	}
	role = wire.Role(t.What)
	p, known := e.people[j.Person]
	switch {
	case t.What == "host":
		return "", false, wire.Errorf(wire.CodeForbidden, "token %s invites a host, not a person", token).
			WithHint("it goes with mesh30k agentd run --join; a person needs one of: mesh30k invite observer")
	case known && p.Token == token && p.Key == j.Key && p.Role == role:
		return role, true, nil
	case e.spent(t):
		return "", false, wire.Errorf(wire.CodeTokenUsed, "token %s has been used", token).
			WithHint("each person needs her own: mesh30k invite %s", t.What)
	case e.hosts[j.Person] != "" || j.Person == auth.CoreName:
		return "", false, wire.Errorf(wire.CodeDuplicate, "%s is the name of a host or of the core", j.Person).
			WithHint("choose another name with --as")
	case known && (p.Key != j.Key || p.Role != role):
		return "", false, wire.Errorf(wire.CodeDuplicate, "a person named %s is known already, with another key or role", j.Person).
			WithHint("choose another name with --as")
	}
	e.used[token] = append(e.used[token], j.Person)
	return role, false, nil
}
