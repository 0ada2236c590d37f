package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/agentd"
	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// mallory is a host with credentials of her own, who says what she likes.
func mallory(t *testing.T, h *house, refused chan<- error) (*nats.Conn, wire.Address) {
	t.Helper()
	id, err := agentd.Enlist(t.Context(), h.invitation(), "", t.TempDir(), wire.Join{
		Host: "mallory", Agents: []wire.AgentSpec{{Class: wire.ClassEdge}},
	})
	if err != nil {
		t.Fatal(err)
	}
	grant := id.Grants[0]
	me := auth.Credentials{Name: id.Host, JWT: grant.JWT, Seed: id.Seed}
	opts := append(me.Options(wire.InboxPrefix(me.Name), 1), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case refused <- err:
		default:
		}
	}))
	nc, err := nats.Connect(id.URL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, grant.Clusters[0]
}

// What a host says on its own subjects and makes no sense is dropped and
// counted; the core and everybody else live on, and no text of hers reaches a
// terminal as it is.
func TestAHostThatTalksNonsense(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, "3")
	h.core()
	h.agents("honest", "2", "cat")
	nc, cluster := mallory(t, h, nil)
	head := func(kind wire.Type) string {
		return fmt.Sprintf(`{"type":%q,"v":"1.0","host":"mallory","cluster":%q,"incarnation":1,"seq":1,`, kind, cluster)
	}
	nonsense := []struct {
		uplink wire.Uplink
		text   string
	}{
		{wire.UplinkHeartbeat, ``},
		{wire.UplinkHeartbeat, `{`},
		{wire.UplinkHeartbeat, "\xff\xfe\x00"},
		{wire.UplinkHeartbeat, `{"type":"HEARTBEAT","v":"9.0"}`},
		{wire.UplinkHeartbeat, head(wire.TypeHeartbeat) + `"agents":"all of them"}`},
		{wire.UplinkHeartbeat, head(wire.TypeHeartbeat) + `"host_rtt_ms":1e400}`},
		{wire.UplinkHeartbeat, head(wire.TypeHeartbeat) + `"host_rtt_ms":-5,"agents":[]}`},
		{wire.UplinkHeartbeat, head(wire.TypeHeartbeat) + `"agents":[{"agent_id":"mallory-1","current_queue_depth":-9223372036854775808}]}`},
		{wire.UplinkHeartbeat, head(wire.TypeHeartbeat) + "\"agents\":[{\"agent_id\":\"\xff\xff\"}]}"},
		{wire.UplinkAck, `[]`},
		{wire.UplinkAck, head(wire.TypeAck) + `"items":[{"state":"TRIUMPHANT"}]}`},
		{wire.UplinkReport, `{"type":"HEARTBEAT"}`},
		{wire.UplinkReport, `{"type":"REPORT","v":"1.0","items":` + strings.Repeat("[", 100_000)},
		{wire.UplinkHello, `"hello"`},
	}
	for _, n := range nonsense {
		if err := nc.Publish(n.uplink.Subject(cluster, "mallory"), []byte(n.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Publish(wire.UplinkHeartbeat.Subject(cluster, "mallory"), make([]byte, nc.MaxPayload()+1)); err == nil {
		t.Error("a message larger than the broker allows was sent")
	}
	h.counts("the nonsense", func(c wire.ShardCounters) bool { return c.Undecodable == uint64(len(nonsense)) })

	// Hostile text, well spelled.
	hello := &wire.Hello{
		Header: wire.Head(wire.TypeHello), Host: "mallory", Cluster: cluster, Mesh: "t", Incarnation: 1,
		Program: "\x1b]0;owned\a\x1b[2Jagent \u202e\u2066txt.exe",
	}
	report := &wire.Report{
		Header: wire.Head(wire.TypeReport), Host: "mallory", Cluster: cluster, Incarnation: 1, Seq: 1,
		Items: []wire.ReportItem{{Kind: "rejected", AgentID: "mallory-1", Detail: "\x1b[31mFREEZE\u009b2J done\u200b\r\nroot\u202e"}},
	}
	for uplink, m := range map[wire.Uplink]wire.Message{wire.UplinkHello: hello, wire.UplinkReport: report} {
		if _, err := nc.Request(uplink.Subject(cluster, "mallory"), wire.Encode(m), patience); err != nil {
			t.Fatalf("%s: %v", uplink, err)
		}
	}
	h.until("FREEZE.*done", "history")
	for _, command := range [][]string{
		{"history"},
		{"list"},
		{"list", "--what", "hosts"},
		{"inspect", "agent=mallory-1"},
		{"inspect", "host=mallory"},
	} {
		out, errs, _ := h.says(command...)
		if at := hostile.FindStringIndex(out + errs); at != nil {
			t.Errorf("%v prints %q", command, out+errs)
		}
	}
	if out := h.does("history", "--json"); bytes.ContainsAny([]byte(out), "\x1b\x07\r") {
		t.Errorf("the envelope has control characters: %q", out)
	}
	h.until("^2 of 2 agents", "list", "host=honest,state=active")
	h.does("broadcast", "still there?", "host=honest", "--require-ack", "--yes")
}

// What a program answers is data too.
func TestAnAnswerIsShownAsText(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, "3")
	h.core()
	h.agents("pi", "1", "printf", `\033]0;owned\007\033[2J\342\200\256answer`)
	h.does("broadcast", "hello", "--require-ack", "--yes")
	out := h.until("WORKED", "inspect", "agent=pi-1")
	if hostile.MatchString(out) {
		t.Errorf("inspect prints %q", out)
	}
}

// A host that speaks as its neighbour is refused by the broker, and told so.
func TestSpeakingAsANeighbour(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, "3")
	h.core()
	h.agents("honest", "1", "cat")
	refused := make(chan error, 10)
	nc, cluster := mallory(t, h, refused)
	for _, subject := range []string{
		wire.UplinkHeartbeat.Subject(cluster, "honest"),
		wire.UplinkHeartbeat.Subject(wire.Address{Sector: cluster.Sector, Cluster: 3 - cluster.Cluster}, "mallory"),
		wire.SubjectCluster(cluster),
		wire.SubjectPerson("operator"),
		wire.SubjectFactKeep,
		"$JS.API.STREAM.DELETE.FACTS",
	} {
		if err := nc.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		var err error
		select {
		case err = <-refused:
		case <-time.After(patience):
			t.Fatalf("publishing on %s was not refused", subject)
		}
		if !strings.Contains(err.Error(), "Permissions Violation for Publish to \""+subject) {
			t.Errorf("publishing on %s: %v", subject, err)
		}
	}
	h.until("^1 of 1 agents", "list", "host=honest,state=active")
}
