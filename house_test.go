package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// house is a mesh "t" of real processes in folders of its own, for what scripts
// cannot tell.
type house struct {
	t   *testing.T
	dir string
	env []string
}

// buildHouse makes a mesh of 2 sectors of 2 clusters of seats seats.
func buildHouse(t *testing.T, seats string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "XDG_") && !strings.HasPrefix(pair, "MESH30K") {
			h.env = append(h.env, pair)
		}
	}
	for _, name := range []string{"DATA", "STATE", "CONFIG"} {
		h.env = append(h.env, "XDG_"+name+"_HOME="+filepath.Join(h.dir, strings.ToLower(name)))
	}
	h.does("init", "t", "--sectors", "2", "--clusters", "2", "--agents", seats)
	return h
}

func (h *house) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	return cmd
}

// says runs the program and returns what it wrote, stdout first, and its exit
// code.
func (h *house) says(args ...string) (out, errs string, code int) {
	h.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := h.command("mesh30k", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	code = exitOf(cmd.Run())
	return stdout.String(), stderr.String(), code
}

// does is says for what must succeed.
func (h *house) does(args ...string) string {
	h.t.Helper()
	out, errs, code := h.says(args...)
	if code != 0 {
		h.t.Fatalf("mesh30k %s: exit %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// data runs the program with --json and reads its data.
func (h *house) data(into any, args ...string) {
	h.t.Helper()
	out := h.does(append(args, "--json")...)
	envelope := struct {
		Data any `json:"data"`
	}{into}
	if err := json.Unmarshal([]byte(out), &envelope); err != nil {
		h.t.Fatalf("mesh30k %s: %v in %s", strings.Join(args, " "), err, out)
	}
}

// until repeats a command until its stdout has the pattern.
func (h *house) until(pattern string, args ...string) string {
	h.t.Helper()
	match := regexp.MustCompile("(?m)" + pattern)
	var out, errs string
	h.eventually(func() bool {
		out, errs, _ = h.says(args...)
		return match.MatchString(out)
	}, func() string {
		return "mesh30k " + strings.Join(args, " ") + ": no " + pattern + " in " + out + errs
	})
	return out
}

// eventually waits until a condition holds, and says what is otherwise.
func (h *house) eventually(holds func() bool, otherwise func() string) {
	h.t.Helper()
	for end := time.Now().Add(patience); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("after %v: %s", patience, otherwise())
		}
	}
}

// invitation is a fresh join token.
func (h *house) invitation() string {
	h.t.Helper()
	var answer struct {
		Join string `json:"join"`
	}
	h.data(&answer, "invite", "--yes")
	return answer.Join
}

// home is the mesh's directory.
func (h *house) home() *meshcore.Home {
	h.t.Helper()
	home, err := meshcore.OpenHome(filepath.Join(h.dir, "data", "mesh30k"), "t")
	if err != nil {
		h.t.Fatal(err)
	}
	return home
}

// url is where the core listens.
func (h *house) url() string {
	h.t.Helper()
	info, ok := h.home().Core()
	if !ok {
		h.t.Fatal("no core runs")
	}
	return info.URL
}

// counts waits until the core says that it has folded and turned away what is
// as it should be.
func (h *house) counts(what string, is func(wire.ShardCounters) bool) {
	h.t.Helper()
	sub, err := h.person().SubscribeSync(wire.SubjectMesh)
	if err != nil {
		h.t.Fatal(err)
	}
	var stats wire.GlobalStats
	for end := time.Now().Add(patience); !is(stats.Counters); {
		m, err := sub.NextMsg(time.Until(end))
		if err != nil {
			h.t.Fatalf("the core does not count %s: %v; it says %+v", what, err, stats.Counters)
		}
		if err := wire.Decode(m.Data, wire.TypeGlobalStats, &stats); err != nil {
			h.t.Fatal(err)
		}
	}
}

// person connects as the operator, as a console does.
func (h *house) person() *nats.Conn {
	h.t.Helper()
	home := h.home()
	me, err := home.Person("operator")
	if err != nil {
		h.t.Fatal(err)
	}
	nc, err := nats.Connect(h.url(), me.Options(wire.InboxPrefix(me.Name), 1)...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(nc.Close)
	return nc
}

// process is one that a test started and will end.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}
	err   error

	mu    sync.Mutex
	lines []string // of stdout
	errs  bytes.Buffer
}

// start starts a program that runs until the test ends.
func (h *house) start(name string, args ...string) *process {
	h.t.Helper()
	p := &process{t: h.t, cmd: h.command(name, args...), ended: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	p.cmd.Stderr = &p.errs
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(out)
		p.err = p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		p.stop()
		if h.t.Failed() {
			h.t.Logf("%s %s:\n%s\n%s", name, args[0], strings.Join(p.said(), "\n"), p.errs.String())
		}
	})
	return p
}

func (p *process) read(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
	}
}

// said is its stdout up to now.
func (p *process) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// stop ends the process in order, and if that takes too long, at once.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // one that has ended needs none
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("%s does not end", p.cmd.Path)
		p.kill()
	}
}

// wait waits until the process has ended by itself.
func (p *process) wait() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended after %v; it said %q", p.cmd.Path, patience, p.said())
	}
}

// kill ends the process with -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// core starts the core and waits until it answers.
func (h *house) core(args ...string) *process {
	h.t.Helper()
	p := h.start("mesh30k", append([]string{"core", "--heartbeat", "200ms"}, args...)...)
	h.until("MESH-30K", "status")
	return p
}

// agents lets a host join with count agents, each of which runs a program.
func (h *house) agents(host, count string, program ...string) *process {
	h.t.Helper()
	args := []string{"agentd", "run", "--join", h.invitation(), "--host", host, "--count", count, "--drain-timeout", "1s", "--"}
	p := h.start("mesh30k", append(args, program...)...)
	h.until("^"+count+" of "+count+" agents", "list", "host="+host+",state=active")
	return p
}
