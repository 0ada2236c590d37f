package meshcore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Remote is a mesh whose core and root keys are elsewhere.
type Remote struct {
	Mesh string `json:"mesh"` // its own name; here it may have another
	URL  string `json:"url"`  // of its broker
	CA   string `json:"ca,omitempty"`
}

// remoteFormat is the version of remote.json that this program makes.
const remoteFormat = 1

// remoteFile is remote.json.
type remoteFile struct {
	Format int `json:"format"`
	Remote
}

// openRemote finds the directory of a remote mesh.
func openRemote(root, mesh string) (*Home, error) {
	dir := filepath.Join(root, mesh)
	path := filepath.Join(dir, "remote.json")
	var file remoteFile
	switch err := readFormatted(path, remoteFormat, &file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("mesh %s: %w in %s: make it with `mesh30k init %s`, or choose another with --mesh", mesh, ErrNoMesh, root, mesh)
	case err != nil:
		return nil, fmt.Errorf("mesh %s: %w", mesh, err)
	}
	if err := wire.CheckName("mesh", file.Mesh); err != nil || file.URL == "" {
		return nil, fmt.Errorf("mesh %s: %s is damaged: %w; remove the folder and join again", mesh, path, errors.Join(err, errors.New("no mesh or no url")))
	}
	return &Home{Dir: dir, Remote: &file.Remote}, nil
}

// needsKeys refuses what only the mesh's own directory can do.
func (h *Home) needsKeys(consequence string) error {
	if h.Remote == nil {
		return nil
	}
	return wire.Errorf(wire.CodeForbidden, "mesh %s runs elsewhere, at %s: %s", h.Mesh(), h.Remote.URL, consequence).
		WithHint("make a mesh of your own: mesh30k init NAME")
}

// remoteDraft is the directory of a remote mesh on its way: what has to be
// written is tried before the token is spent.
type remoteDraft struct {
	home  *Home
	final string // where home goes; empty: it is there already
}

// draftRemote prepares the directory of a remote mesh that is to be called name
// here. The same mesh may be there already, with other people.
func draftRemote(root, name string, r Remote) (*remoteDraft, error) {
	home, err := OpenHome(root, name)
	switch {
	case err == nil && home.Remote != nil && *home.Remote == r:
		return &remoteDraft{home: home}, nil
	case err == nil:
		return nil, fmt.Errorf("mesh %s: %w in %s: choose a name for the new one with --name", name, ErrExists, home.Dir)
	case !errors.Is(err, ErrNoMesh):
		return nil, err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("mesh %s: the directory for meshes cannot be made: %w", name, err)
	}
	tmp, err := os.MkdirTemp(root, ".connect-")
	if err != nil {
		return nil, fmt.Errorf("mesh %s: nothing can be written in %s: %w", name, root, err)
	}
	d := &remoteDraft{&Home{Dir: tmp, Remote: &r}, filepath.Join(root, name)}
	if err := d.fill(); err != nil {
		d.discard()
		return nil, fmt.Errorf("mesh %s: nothing can be written in %s: %w", name, root, err)
	}
	return d, nil
}

func (d *remoteDraft) fill() error {
	if err := os.Mkdir(filepath.Join(d.home.Dir, "people"), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(remoteFile{remoteFormat, *d.home.Remote}, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return auth.WriteFile(filepath.Join(d.home.Dir, "remote.json"), append(data, '\n'))
}

// keep adds a person's credentials and makes the directory the real one.
func (d *remoteDraft) keep(c auth.Credentials) (*Home, error) {
	if err := c.Save(d.home.credsPath(c.Name)); err != nil {
		return nil, err
	}
	if d.final == "" {
		return d.home, nil
	}
	if err := os.Rename(d.home.Dir, d.final); err != nil {
		return nil, err
	}
	return &Home{Dir: d.final, Remote: d.home.Remote}, nil
}

// discard takes away what was not kept; after keep it has no effect.
func (d *remoteDraft) discard() {
	if d.final != "" {
		_ = os.RemoveAll(d.home.Dir) // what is left has a name that no mesh can have
	}
}
