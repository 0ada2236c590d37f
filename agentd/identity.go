package agentd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Identity is who a host is in a mesh: what [Join] gave it, and its own key.
type Identity struct {
	V      int          `json:"v"` // 1
	Mesh   string       `json:"mesh"`
	Host   string       `json:"host"`
	URL    string       `json:"url"`
	CA     string       `json:"ca,omitempty"`
	Seed   string       `json:"seed"` // secret
	Grants []wire.Grant `json:"grants"`
	Agents int          `json:"agents,omitempty"` // how many it joined with; 0: not noted
}

const identityName = "identity.json"

// StateDir is where hosts keep identity and journal, a folder for each mesh and
// host in it: $XDG_STATE_HOME/mesh30k/agentd, by default in ~/.local/state.
func StateDir() (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // as the XDG specification wants it
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no folder for the host's identity: %w; set XDG_STATE_HOME or use --state", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "mesh30k", "agentd"), nil
}

// LoadIdentity reads the identity in folder dir; an error that is
// [fs.ErrNotExist] if there is none. It refuses a file that others may read.
func LoadIdentity(dir string) (*Identity, error) {
	path := filepath.Join(dir, identityName)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds a secret and has permissions %04o: run chmod 600 on it if nobody else has read it, else join anew", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	id := new(Identity)
	if err := json.Unmarshal(data, id); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; remove it and join anew", path, err)
	}
	if id.V != 1 {
		return nil, fmt.Errorf("%s is of version %d, this program reads 1: use the program that wrote it", path, id.V)
	}
	return id, nil
}

// Save writes the identity into folder dir, for its owner only.
func (id *Identity) Save(dir string) error {
	id.V = 1
	data, err := json.Marshal(id, jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if err := auth.WriteFile(filepath.Join(dir, identityName), append(data, '\n')); err != nil {
		return fmt.Errorf("identity cannot be kept: %w; the join token is spent", err)
	}
	return nil
}

// Expires is when the first of the grants ends; zero: none does.
func (id *Identity) Expires() (first time.Time) {
	for _, g := range id.Grants {
		if !g.Expires.IsZero() && (first.IsZero() || g.Expires.Before(first)) {
			first = g.Expires
		}
	}
	return first
}

// Configs are what the hosts of the grants need to run, one a sector, with
// their journals in folder dir; who works is left to the caller.
func (id *Identity) Configs(dir string) []Config {
	var list []Config
	for _, g := range id.Grants {
		cred := auth.Credentials{Name: id.Host, JWT: g.JWT, Seed: id.Seed}
		list = append(list, Config{
			Mesh: id.Mesh, Host: id.Host, Sector: g.Sector, Clusters: g.Clusters,
			Journal: filepath.Join(dir, fmt.Sprintf("sector-%d", g.Sector)),
			Connect: func(opts ...nats.Option) (*nats.Conn, error) {
				return auth.Dial(id.URL, id.CA, append(opts, cred.Option())...)
			},
		})
	}
	return list
}

// findIdentity finds the identity of host (empty: any) in mesh (empty: any)
// below the state folder. It must be clear which.
func findIdentity(state, mesh, host string) (*Identity, string, error) {
	pattern := filepath.Join(state, orAny(mesh), orAny(host), identityName)
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil, "", err
	}
	switch len(found) {
	case 0:
		return nil, "", fs.ErrNotExist
	case 1:
		dir := filepath.Dir(found[0])
		id, err := LoadIdentity(dir)
		return id, dir, err
	}
	return nil, "", errors.New("this machine has joined more than once; say which one with --mesh and --host: " + fmt.Sprint(found))
}

func orAny(name string) string {
	if name == "" {
		return "*"
	}
	return name
}
