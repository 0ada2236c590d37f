package meshcore

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

func smallTopology(mesh string) wire.Topology {
	cluster := wire.ClusterPlan{Seats: map[wire.Class]int{wire.ClassLocal: 2}}
	return wire.Topology{Mesh: mesh, Sectors: []wire.SectorPlan{
		{Name: "attic", Clusters: []wire.ClusterPlan{cluster}},
		{Clusters: []wire.ClusterPlan{cluster, cluster}},
	}}
}

func initTestHome(t *testing.T, root, mesh string) *Home {
	t.Helper()
	h, err := InitHome(root, smallTopology(mesh), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHomeIsFoundAgain(t *testing.T) {
	root := filepath.Join(t.TempDir(), "meshes") // not there yet
	made := initTestHome(t, root, "garden")
	h, err := OpenHome(root, "garden")
	if err != nil {
		t.Fatal(err)
	}
	if h.Dir != made.Dir || !reflect.DeepEqual(*h.Topology, smallTopology("garden")) {
		t.Errorf("it was found again as %+v", h)
	}
	keys, err := h.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	alice, err := h.Person("")
	if err != nil {
		t.Fatal(err)
	}
	if role, name, _, err := keys.RoleOf(alice.JWT); role != "operator" || name != "alice" || err != nil {
		t.Errorf("the local person is %s %q (%v), want the operator alice", role, name, err)
	}
	if !alice.Expires().IsZero() {
		t.Errorf("the owner is locked out at %v", alice.Expires())
	}
	if names, err := ListHomes(root); err != nil || !slices.Equal(names, []string{"garden"}) {
		t.Errorf("the meshes are %v (%v)", names, err)
	}
	if _, err := InitHome(root, smallTopology("garden"), "bob"); !errors.Is(err, ErrExists) {
		t.Errorf("making it twice gives %v", err)
	}
}

// Nothing in a mesh's directory may be read by others.
func TestHomeIsPrivate(t *testing.T) {
	h := initTestHome(t, t.TempDir(), "garden")
	err := filepath.WalkDir(h.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has permissions %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.Dir, "keyring.json")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Keyring(); err == nil || !strings.Contains(err.Error(), "chmod 600 '"+path+"'") {
		t.Errorf("root keys that others can read give %v", err)
	}
}

func TestBadHomesAreRefused(t *testing.T) {
	root := t.TempDir()
	for name, topology := range map[string]wire.Topology{
		"bad name":   smallTopology("../x"),
		"core":       smallTopology("core"),
		"no sectors": {Mesh: "empty"},
	} {
		if _, err := InitHome(root, topology, "alice"); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
	if _, err := InitHome(root, smallTopology("garden"), "*"); err == nil {
		t.Error("a person named * was taken")
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Errorf("what was refused left %v (%v)", left, err)
	}
}

func TestOpenHomeSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, content string
		kind          error
		says          string
	}{
		{"newer", `{"format":99,"topology":"of another kind"}`, ErrNewer, "nothing was touched"},
		{"cut short", `{"format":1,"topolo`, nil, "restore it from a backup"},
		{"empty", `{}`, nil, "no topology"},
		{"of another mesh", `{"format":1,"topology":{"mesh":"shed","sectors":[{"clusters":[{"seats":{"E":1}}]}]}}`, nil, "must not be renamed"},
		{"absurd", `{"format":1,"topology":{"mesh":"garden","sectors":[{"clusters":[{"seats":{"E":1000000}}]}]}}`, nil, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			h := initTestHome(t, root, "garden")
			if err := os.WriteFile(filepath.Join(h.Dir, "mesh.json"), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := OpenHome(root, "garden")
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
	if _, err := OpenHome(t.TempDir(), "garden"); !errors.Is(err, ErrNoMesh) {
		t.Errorf("no such mesh gives %v", err)
	}
	if names, err := ListHomes(filepath.Join(t.TempDir(), "none")); err != nil || len(names) != 0 {
		t.Errorf("without a root the meshes are %v (%v)", names, err)
	}
}

// A directory in which nothing can be written is said, and a half-made mesh is
// never left. (A file in the way stands for a disk that refuses.)
func TestInitLeavesNothingHalfMade(t *testing.T) {
	root := t.TempDir()
	inTheWay := filepath.Join(root, "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := InitHome(inTheWay, smallTopology("garden"), "alice"); err == nil || !strings.Contains(err.Error(), inTheWay) {
		t.Errorf("it says %v", err)
	}
}

func TestPeopleOfThisMachine(t *testing.T) {
	root := t.TempDir()
	h := initTestHome(t, root, "garden")
	keys, err := h.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	bob, err := h.AddPerson(keys, "bob", wire.Observer, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	people, err := h.LocalPeople()
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 2 || people[1] != bob || bob.Role != wire.Observer {
		t.Errorf("the people are %+v, want alice and %+v", people, bob)
	}
	if _, err := h.Person(""); err == nil || !strings.Contains(err.Error(), "alice, bob") {
		t.Errorf("without a name, of two: %v", err)
	}
	if c, err := h.Person("bob"); err != nil || c.Name != "bob" || c.Expires().IsZero() {
		t.Errorf("bob is %q until %v (%v)", c.Name, c.Expires(), err)
	}
	if _, err := h.Person("carol"); err == nil || !strings.Contains(err.Error(), "alice, bob") {
		t.Errorf("a person who is not here gives %v", err)
	}
}

func TestOneCoreAtATime(t *testing.T) {
	root := t.TempDir()
	h := initTestHome(t, root, "garden")
	lock, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lock(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process id "+strconv.Itoa(os.Getpid())) {
		t.Errorf("the second core gets %v", err)
	}
	if err := RemoveHome(root, "garden"); !errors.Is(err, ErrLocked) {
		t.Errorf("removing a mesh in use gives %v", err)
	}
	lock.Unlock()
	if lock, err = h.Lock(); err != nil {
		t.Fatalf("after the first core's end: %v", err)
	}
	lock.Unlock()
	if err := RemoveHome(root, "garden"); err != nil {
		t.Error(err)
	}
	if _, err := OpenHome(root, "garden"); !errors.Is(err, ErrNoMesh) {
		t.Errorf("after its removal: %v", err)
	}
	if err := RemoveHome(root, "garden"); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestRunningCoreIsFound(t *testing.T) {
	root := t.TempDir()
	initTestHome(t, root, "shed")
	h := initTestHome(t, root, "garden")
	lock, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Core(); ok {
		t.Error("a core runs before it says so")
	}
	started := time.Now().UTC().Truncate(time.Second)
	if err := h.Announce("nats://127.0.0.1:4222", started); err != nil {
		t.Fatal(err)
	}
	want := CoreInfo{Mesh: "garden", URL: "nats://127.0.0.1:4222", PID: os.Getpid(), Started: started}
	if cores, err := RunningCores(root); err != nil || !slices.Equal(cores, []CoreInfo{want}) {
		t.Errorf("the running cores are %+v (%v), want %+v", cores, err, want)
	}
	// This process lives on, but no longer as a core.
	lock.Unlock()
	if _, ok := h.Core(); ok {
		t.Error("a core is believed to run without the lock")
	}
	if err := errors.Join(h.Withdraw(), h.Withdraw()); err != nil {
		t.Error(err)
	}
}

// A core that is killed takes nothing into the grave: its core.json does not
// count, and the next core gets the lock.
func TestKilledCoreLeavesTheHomeFree(t *testing.T) {
	root := t.TempDir()
	if dir := os.Getenv("MESH30K_TEST_CORE"); dir != "" {
		standInForACore(t, dir)
		return
	}
	h := initTestHome(t, root, "garden")
	child := exec.Command(os.Args[0], "-test.run=^TestKilledCoreLeavesTheHomeFree$")
	child.Env = append(os.Environ(), "MESH30K_TEST_CORE="+root)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("the core says %q (%v)", line, err)
	}
	if info, ok := h.Core(); !ok || info.PID != child.Process.Pid {
		t.Errorf("while it runs it is seen as %+v, %v", info, ok)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if _, ok := h.Core(); ok {
		t.Error("the killed core is believed to run")
	}
	lock, err := h.Lock()
	if err != nil {
		t.Fatalf("the next core gets %v", err)
	}
	lock.Unlock()
}

// standInForACore holds a home as a core does, until it is killed.
func standInForACore(t *testing.T, root string) {
	h, err := OpenHome(root, "garden")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := h.Announce("nats://127.0.0.1:1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		t.Fatal(err)
	}
	select {}
}
