package meshcore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

func (h *Home) credsPath(person string) string {
	return filepath.Join(h.Dir, "people", person+".creds")
}

// AddPerson makes a key for a person of this machine and keeps her credentials
// in the mesh's directory. They end after ttl; 0: never. That she may use the
// mesh is a fact, which is the caller's to append.
func (h *Home) AddPerson(keys *auth.Keyring, name string, role wire.Role, ttl time.Duration) (wire.Person, error) {
	key, seed, err := auth.NewUserKey()
	if err != nil {
		return wire.Person{}, err
	}
	token, err := keys.PersonJWT(string(role), name, key, ttl)
	if err != nil {
		return wire.Person{}, err
	}
	if err := (auth.Credentials{Name: name, JWT: token, Seed: seed}).Save(h.credsPath(name)); err != nil {
		return wire.Person{}, err
	}
	return wire.Person{Name: name, Role: role, Key: key}, nil
}

// People names the people whose credentials are kept here.
func (h *Home) People() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(h.Dir, "people"))
	if err != nil {
		return nil, fmt.Errorf("mesh %s: people: %w", h.Mesh(), err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".creds"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Person loads the credentials of a person. With name "" it takes the only one
// there is.
func (h *Home) Person(name string) (auth.Credentials, error) {
	names, err := h.People()
	if err != nil {
		return auth.Credentials{}, err
	}
	if name == "" {
		if len(names) != 1 {
			return auth.Credentials{}, wire.Errorf(wire.CodeBadMessage, "mesh %s has credentials of %d people here (%s)", h.Mesh(), len(names), strings.Join(names, ", ")).
				WithHint("choose one with --as")
		}
		name = names[0]
	}
	if err := auth.CheckName("person", name); err != nil {
		return auth.Credentials{}, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	c, err := auth.LoadCredentials(h.credsPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return auth.Credentials{}, wire.Errorf(wire.CodeBadMessage, "mesh %s has no credentials of %s here, only of: %s", h.Mesh(), name, strings.Join(names, ", "))
	}
	return c, err
}

// stillValid says that credentials have ended, and what to do about it.
func stillValid(c auth.Credentials, now time.Time) error {
	end := c.Expires()
	if end.IsZero() || now.Before(end) {
		return nil
	}
	return wire.Errorf(wire.CodeForbidden, "the credentials of %s ended at %s", c.Name, end.UTC().Format(time.RFC3339)).
		WithHint("ask an operator for a token (mesh30k invite %s) and use it: mesh30k connect TOKEN --as %s", cmp.Or(c.Role(), "observer"), c.Name)
}

// Dial connects to the mesh's core as a person whose credentials are here; as
// "": the only one. Errors are of type *wire.Error; of code unreachable if no
// core runs.
func (h *Home) Dial(as string) (*nats.Conn, auth.Credentials, error) {
	info, ok := h.Core()
	if !ok {
		return nil, auth.Credentials{}, wire.Errorf(wire.CodeUnreachable, "no core of mesh %s runs here", h.Mesh()).
			WithHint("start it: mesh30k core --mesh %s", h.Mesh())
	}
	me, err := h.Person(as)
	if err == nil {
		err = stillValid(me, time.Now())
	}
	if err != nil {
		return nil, me, err
	}
	ca := ""
	if h.Remote != nil {
		ca = h.Remote.CA
	}
	nc, err := auth.Dial(info.URL, ca, me.Options(wire.InboxPrefix(me.Name), 1)...)
	if err != nil {
		return nil, me, wire.Errorf(wire.CodeUnreachable, "the core of mesh %s at %s: %v", h.Mesh(), info.URL, err).
			WithHint("see mesh30k doctor; a core elsewhere must run, and be reached through a tunnel")
	}
	return nc, me, nil
}

// LocalPeople are the people whose credentials lie in the directory, with the
// role for which the mesh's own keys signed them.
func (h *Home) LocalPeople() ([]wire.Person, error) {
	keys, err := h.Keyring()
	if err != nil {
		return nil, err
	}
	names, err := h.People()
	if err != nil {
		return nil, err
	}
	var people []wire.Person
	for _, name := range names {
		c, err := auth.LoadCredentials(h.credsPath(name))
		if err != nil {
			return nil, err
		}
		role, name, key, err := keys.RoleOf(c.JWT)
		if err != nil {
			return nil, err
		}
		people = append(people, wire.Person{Name: name, Role: wire.Role(role), Key: key})
	}
	return people, nil
}
