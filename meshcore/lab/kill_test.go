package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mesh30k/console"
	"mesh30k/meshcore"
	"mesh30k/meshcore/lab"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// built is the folder of the program, once a story has built it.
var built string

// program builds mesh30k, once for all stories of a run, and returns its path.
var program = sync.OnceValues(func() (exe string, err error) {
	if built, err = os.MkdirTemp("", "mesh30k-story"); err != nil {
		return "", err
	}
	exe = filepath.Join(built, "mesh30k")
	if out, err := exec.Command("go", "build", "-o", exe, "mesh30k").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mesh30k: %w: %s", err, out)
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built) // an empty name is nothing
	os.Exit(code)
}

// realMesh is a mesh of real processes that is about to be started.
func realMesh(t *testing.T, agents int, fleetArgs ...string) (*lab.Mesh, *house) {
	t.Helper()
	exe, err := program()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	home, err := meshcore.InitHome(data, registry.TopologyFor("story", agents), "cecilia")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, home: home}
	m := &lab.Mesh{
		Exe: exe, Name: "story", Home: home, Agents: agents, Args: []string{"--data", data},
		State: filepath.Join(home.Dir, "fleet"), FleetArgs: append([]string{"--seed", "7"}, fleetArgs...),
		Say: h.asks,
	}
	t.Cleanup(func() {
		if err := m.End(); err != nil {
			t.Error(err)
		}
	})
	return m, h
}

// asks sends a command over a connection of its own, to whichever core is there.
func (h *house) asks(ctx context.Context, line string) (wire.Outcome, error) {
	c, err := h.dial()
	if err != nil {
		return wire.Outcome{}, err
	}
	defer c.Close()
	out, err := say(ctx, c, line)
	if err == nil && out.Err != nil {
		err = out.Err
	}
	return out, err
}

// shows waits until status says so.
func (h *house) shows(what string, is func(console.StatusData) bool) {
	h.t.Helper()
	h.eventually(what, func() (bool, string) {
		ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
		defer cancel()
		out, err := h.asks(ctx, "status")
		if err != nil {
			return false, err.Error()
		}
		var s console.StatusData
		if err := json.Unmarshal(out.Data, &s); err != nil {
			return false, err.Error()
		}
		return s.Doubt == "" && is(s), string(out.Data)
	})
}

func TestAMeshThatIsKilledComesBackAsItWas(t *testing.T) {
	m, h := realMesh(t, 60)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Supervise(ctx) }()
	defer leave()
	h.shows("60 active", func(s console.StatusData) bool { return s.Active == 60 })
	if _, err := h.asks(t.Context(), "freeze cluster=1.1 --reason story"); err != nil {
		t.Fatal(err)
	}
	var frozen int
	h.shows("a cluster frozen", func(s console.StatusData) bool { frozen = s.Frozen; return frozen > 0 && frozen < 60 })

	core, fleet := m.PIDs()
	for _, pid := range []int{core, fleet} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	h.eventually("others in their place", func() (bool, string) {
		c, f := m.PIDs()
		return c != core && f != fleet, fmt.Sprint(c, f, m.Incidents())
	})
	h.shows("all back, and the same frozen", func(s console.StatusData) bool { return s.Active == 60 && s.Frozen == frozen })
	if told := strings.Join(m.Incidents(), "\n"); strings.Count(told, "ended (signal: killed)") != 2 {
		t.Errorf("two children were killed; told is: %s", told)
	}

	leave()
	if err := <-ended; err != nil {
		t.Errorf("ending the mesh: %v", err)
	}
	core, fleet = m.PIDs()
	for _, pid := range []int{core, fleet} {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestAChildThatCannotStartIsHeard(t *testing.T) {
	m, _ := realMesh(t, 60, "--profile", "no-such-file.yaml")
	if err := m.Supervise(t.Context()); err == nil || !strings.Contains(err.Error(), "no-such-file.yaml") {
		t.Errorf("a fleet file that is missing: %v", err)
	}
}

func TestAFleetThatCrashesIsCountedToTheLastCrash(t *testing.T) {
	m, _ := realMesh(t, 60, "--churn", "600", "--loss", "0.01")
	f, err := m.Demo(t.Context(), 8*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if f.HeartbeatsFolded != f.HeartbeatsSent-f.HeartbeatsDropped || f.HeartbeatsWitnessed != f.HeartbeatsFolded || f.HeartbeatsFolded == 0 {
		t.Errorf("folded %d, witnessed %d of %d sent and %d dropped", f.HeartbeatsFolded, f.HeartbeatsWitnessed, f.HeartbeatsSent, f.HeartbeatsDropped)
	}
	if f.Crashes == 0 || f.CrashFacts != f.Crashes || f.ReturnFacts != f.Returns {
		t.Errorf("%d crashes and %d facts, %d returns and %d facts", f.Crashes, f.CrashFacts, f.Returns, f.ReturnFacts)
	}
}
