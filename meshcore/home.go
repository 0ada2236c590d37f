package meshcore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// homeFormat is the version of a mesh's directory that this program makes. It
// goes up when an older program would do harm there.
const homeFormat = 1

// Errors about a mesh's directory that a caller may want to tell apart.
var (
	ErrNoMesh = errors.New("there is no such mesh")
	ErrExists = errors.New("the mesh exists already")
	ErrLocked = errors.New("the mesh is in use")
	// ErrNewer is that of a directory that a newer program made; nothing in it
	// has been touched.
	ErrNewer = auth.ErrNewer
)

// Home is the directory of one mesh:
//
//	mesh.json     format, topology
//	keyring.json  root keys (0600)
//	people/       credentials of the people of this machine, NAME.creds (0600)
//	stream/       the facts (JetStream)
//	db/           what is made from the facts, and trends
//	core.json     where the core listens, while one runs
//	lock          held by the core while it runs
//
// Of a mesh whose core runs elsewhere only this is here:
//
//	remote.json   where the mesh is
//	people/       as above
//
// All of it may be read by its owner only.
type Home struct {
	Dir      string
	Topology *wire.Topology // nil: that of a remote mesh is known to its core only
	Remote   *Remote        // nil: the mesh's own directory
}

// homeFile is mesh.json.
type homeFile struct {
	Format   int            `json:"format"`
	Made     time.Time      `json:"made"`
	Topology *wire.Topology `json:"topology"`
}

// InitHome makes the directory of a new mesh in root, with fresh root keys and
// credentials of the local person, who is an operator. It appears whole or, if
// anything fails, not at all; a mesh of that name is [ErrExists], a topology or
// name that cannot be a *wire.Error of code bad_message.
func InitHome(root string, topology wire.Topology, person string) (*Home, error) {
	if err := errors.Join(topology.Check(), auth.CheckName("person", person)); err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "mesh %s cannot be made: %v", wire.Clean(topology.Mesh), err)
	}
	final := filepath.Join(root, topology.Mesh)
	if _, err := os.Lstat(final); err == nil {
		return nil, fmt.Errorf("mesh %s: %w in %s: choose another name, or start it with `mesh30k core --mesh %s`", topology.Mesh, ErrExists, final, topology.Mesh)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("mesh %s: the directory for meshes cannot be made: %w", topology.Mesh, err)
	}
	tmp, err := os.MkdirTemp(root, ".init-")
	if err != nil {
		return nil, fmt.Errorf("mesh %s: nothing can be written in %s: %w", topology.Mesh, root, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // of no effect once it has been renamed
	if err := fillHome(tmp, &topology, person); err != nil {
		return nil, fmt.Errorf("mesh %s could not be made, nothing was kept: %w", topology.Mesh, err)
	}
	if err := os.Rename(tmp, final); err != nil {
		return nil, fmt.Errorf("mesh %s could not be made, nothing was kept: %w", topology.Mesh, err)
	}
	return &Home{Dir: final, Topology: &topology}, nil
}

func fillHome(dir string, topology *wire.Topology, person string) error {
	for _, sub := range []string{"people", "stream", "db"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	keys, err := auth.NewKeyring(topology.Mesh, len(topology.Sectors))
	if err != nil {
		return err
	}
	h := &Home{Dir: dir, Topology: topology}
	if err := keys.Save(h.keyringPath()); err != nil {
		return err
	}
	// It never expires: the root keys lie beside it, so an end would protect
	// nothing and would lock the owner out.
	if _, err := h.AddPerson(keys, person, wire.Operator, 0); err != nil {
		return err
	}
	file := homeFile{Format: homeFormat, Made: time.Now().UTC(), Topology: topology}
	data, err := json.Marshal(file, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return auth.WriteFile(filepath.Join(dir, "mesh.json"), data)
}

// OpenHome finds the mesh in root, the mesh's own directory or that of a remote
// one, and reads its topology. It changes nothing.
func OpenHome(root, mesh string) (*Home, error) {
	if err := wire.CheckName("mesh", mesh); err != nil {
		return nil, err
	}
	dir := filepath.Join(root, mesh)
	path := filepath.Join(dir, "mesh.json")
	var file homeFile
	switch err := readFormatted(path, homeFormat, &file); {
	case errors.Is(err, fs.ErrNotExist):
		return openRemote(root, mesh)
	case err != nil:
		return nil, fmt.Errorf("mesh %s: %w", mesh, err)
	case file.Topology == nil:
		return nil, fmt.Errorf("mesh %s: %s is damaged: no topology; restore it from a backup", mesh, path)
	}
	if err := file.Topology.Check(); err != nil {
		return nil, fmt.Errorf("mesh %s: %s is damaged: %w; restore it from a backup", mesh, path, err)
	}
	if file.Topology.Mesh != mesh {
		return nil, fmt.Errorf("mesh %s: %s is that of mesh %s: a mesh's directory must not be renamed", mesh, path, file.Topology.Mesh)
	}
	return &Home{Dir: dir, Topology: file.Topology}, nil
}

// readFormatted reads a file of JSON whose member format is known up to newest;
// a newer one is [ErrNewer].
func readFormatted(path string, newest int, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// The format alone first: a newer file may hold anything else.
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return fmt.Errorf("%s is damaged: %w; restore it from a backup", path, err)
	}
	if format.Format > newest {
		return fmt.Errorf("%s: %w (format %d; this program knows up to %d); nothing was touched: use that version", path, ErrNewer, format.Format, newest)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s is damaged: %w; restore it from a backup", path, err)
	}
	return nil
}

// ListHomes names the meshes in root, in alphabetical order. No root, no
// meshes. Directories that cannot be opened are listed too: opening one says
// why.
func ListHomes(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("meshes cannot be listed: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && wire.CheckName("mesh", e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// RemoveHome deletes a mesh with all that it holds: keys, facts, history. It
// refuses while a core runs ([ErrLocked]). A mesh that is not there is no
// error.
func RemoveHome(root, mesh string) error {
	if err := wire.CheckName("mesh", mesh); err != nil {
		return err
	}
	h := &Home{Dir: filepath.Join(root, mesh)}
	if _, err := os.Stat(h.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := h.Lock()
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := os.RemoveAll(h.Dir); err != nil {
		return fmt.Errorf("mesh %s cannot be removed: %w", mesh, err)
	}
	return nil
}

// Mesh is the mesh's name.
func (h *Home) Mesh() string { return filepath.Base(h.Dir) }

// StreamDir is where the broker keeps the facts.
func (h *Home) StreamDir() string { return filepath.Join(h.Dir, "stream") }

// Database is the path of a database file, such as facts or trends.
func (h *Home) Database(name string) string { return filepath.Join(h.Dir, "db", name+".db") }

func (h *Home) keyringPath() string { return filepath.Join(h.Dir, "keyring.json") }

// Keyring loads the mesh's root keys.
func (h *Home) Keyring() (*auth.Keyring, error) {
	if err := h.needsKeys("its root keys are not here"); err != nil {
		return nil, err
	}
	k, err := auth.LoadKeyring(h.keyringPath())
	if err != nil {
		return nil, err
	}
	if k.Mesh() != h.Topology.Mesh || k.Sectors() < len(h.Topology.Sectors) {
		return nil, fmt.Errorf("keyring %s is for %d sectors of mesh %s, the topology has %d of mesh %s: restore the one that belongs here",
			h.keyringPath(), k.Sectors(), k.Mesh(), len(h.Topology.Sectors), h.Topology.Mesh)
	}
	return k, nil
}

// portPath holds the port of the core's last run: hosts know no other.
func (h *Home) portPath() string { return filepath.Join(h.Dir, "port") }

// DatabaseDir is where the projection and the trends lie.
func (h *Home) DatabaseDir() string { return filepath.Join(h.Dir, "db") }

// FindHome opens the mesh that was named; without a name the one whose core
// runs, or the only one that there is.
func FindHome(root, mesh string) (*Home, error) {
	if mesh != "" {
		return OpenHome(root, mesh)
	}
	cores, err := RunningCores(root)
	if err != nil {
		return nil, err
	}
	if len(cores) == 1 {
		return OpenHome(root, cores[0].Mesh)
	}
	if len(cores) > 1 {
		return nil, wire.Errorf(wire.CodeBadMessage, "the cores of %d meshes run here", len(cores)).WithHint("choose one with --mesh")
	}
	names, err := ListHomes(root)
	if err != nil {
		return nil, err
	}
	switch len(names) {
	case 0:
		return nil, wire.Errorf(wire.CodeUnreachable, "there is no mesh here yet").
			WithHint("see one live: mesh30k demo; or make one: mesh30k init NAME")
	case 1:
		return OpenHome(root, names[0])
	}
	return nil, wire.Errorf(wire.CodeBadMessage, "no core runs, and there are %d meshes here: %s", len(names), strings.Join(names, ", ")).
		WithHint("choose one with --mesh")
}
