package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// foreignAgent is a folder with the agent in JavaScript and the NATS package
// that it needs. Where npm has installed that beside the agent, as .ci/run does,
// it is taken from there.
func foreignAgent(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a foreign agent takes seconds")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("the foreign agent is JavaScript: there is no node here")
	}
	source, err := filepath.Abs(filepath.Join("meshcore", "wire", "testdata", "foreign"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(source, "node_modules", "nats")); err == nil {
		return source
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install the NATS package that the foreign agent needs: %v: %s", err, out)
	}
	return dir
}

// event is a line that the agent prints.
type event struct {
	Event     string   `json:"event"`
	Agent     string   `json:"agent"`
	Agents    []string `json:"agents"`
	MessageID string   `json:"message_id"`

	Messages      int `json:"messages"`
	Repeats       int `json:"repeats"`
	Worked        int `json:"worked"`
	Expired       int `json:"expired"`
	Refused       int `json:"refused"`
	Heartbeats    int `json:"heartbeats"`
	HeartbeatAcks int `json:"heartbeat_acks"`
	Beats         int `json:"beats"`
}

func events(t *testing.T, p *process, name string) (list []event) {
	t.Helper()
	for _, line := range p.said() {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("the agent printed %q: %v", line, err)
		}
		if e.Event == name {
			list = append(list, e)
		}
	}
	return list
}

// An agent that knows nothing but PROTOCOL.md lives in the mesh as one of its own
// does, and what it counts is what the core counts.
func TestAnAgentInAnotherLanguage(t *testing.T) {
	t.Parallel()
	agent := filepath.Join(foreignAgent(t), "agent.mjs")
	h := buildHouse(t, "3")
	h.core()
	node := func(token string) *process {
		return h.start("node", agent, "--token", token, "--host", "js", "--seed-file", "js.seed", "--class", "C", "--count", "4")
	}

	// A token that is none is an error, and at once.
	for name, token := range map[string]string{"damaged": "mesh30k1.e30", "unknown": strangerToken(t, h.url())} {
		p := node(token)
		p.wait()
		if p.err == nil || len(events(t, p, "joined")) > 0 {
			t.Errorf("%s token: the agent ended with %v, and said %q", name, p.err, p.said())
		}
	}

	js := node(h.invitation())
	h.until("4 of 4 agents", "list", "host=js,class=C,label.language=javascript,state=active")

	var worked wire.BroadcastResult
	h.data(&worked, "broadcast", "hello", "--require-ack", "--yes")
	if worked.Addressed != 4 || worked.States[wire.Worked.String()] != 4 {
		t.Fatalf("the broadcast ended as %+v", worked)
	}

	// Frozen, it keeps what comes; thawed, it works it.
	h.does("freeze", "mesh", "--yes")
	h.eventually(func() bool { return frozen(t, js) == 4 }, func() string { return "the agent obeys no freeze" })
	var kept wire.BroadcastResult
	h.data(&kept, "broadcast", "later", "--ttl", "1m", "--yes")
	if kept.Addressed != 0 || kept.States[wire.Frozen.String()] != 4 {
		t.Fatalf("the broadcast to the frozen ended as %+v", kept)
	}
	if n := len(events(t, js, "worked")); n != 4 {
		t.Fatalf("%d messages were worked while all was frozen", n-4)
	}
	h.does("thaw", "mesh", "--yes")
	h.eventually(func() bool { return len(events(t, js, "worked")) == 8 }, func() string {
		return "what was kept is not worked: " + strings.Join(js.said(), "\n")
	})

	// Each agent worked each message once, and its core knows the same number.
	once := map[string]int{}
	for _, e := range events(t, js, "worked") {
		once[e.Agent+" "+e.MessageID]++
	}
	if len(once) != 8 {
		t.Errorf("worked: %v", once)
	}
	if err := js.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	js.wait()
	h.until("4 of 4 agents", "list", "host=js,state=offline")
	if js.err != nil {
		t.Errorf("the agent ended with %v", js.err)
	}
	counts := events(t, js, "count")
	if len(counts) != 1 {
		t.Fatalf("the agent's last words: %v", js.said())
	}
	c := counts[0]
	if c.Messages != 8 || c.Worked != 8 || c.Expired != 0 || c.Refused != 0 || c.Heartbeats == 0 || c.HeartbeatAcks == 0 {
		t.Errorf("the agent counted %+v", c)
	}
	h.counts("what the agent did", func(core wire.ShardCounters) bool {
		return core == wire.ShardCounters{Beats: uint64(c.Beats), Worked: uint64(c.Worked), BeatsMissed: core.BeatsMissed}
	})
}

func frozen(t *testing.T, p *process) (n int) {
	for _, e := range events(t, p, "frozen") {
		n += len(e.Agents)
	}
	for _, e := range events(t, p, "thawed") {
		n -= len(e.Agents)
	}
	return n
}

// strangerToken is a join token whose mesh is called as this one and is another.
func strangerToken(t *testing.T, url string) string {
	t.Helper()
	keys, err := auth.NewKeyring("t", 1)
	if err != nil {
		t.Fatal(err)
	}
	key, seed, err := auth.NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := keys.TokenJWT("stranger", key, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Token{ID: "stranger", Mesh: "t", URL: url, JWT: jwt, Seed: seed, What: "host"}.Encode()
}
