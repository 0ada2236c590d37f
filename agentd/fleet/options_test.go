package fleet

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// token is the text of a join token of mesh test for the broker at url.
func token(t *testing.T, url string) string {
	t.Helper()
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public, seed := userKey(t)
	claims := jwt.NewUserClaims(public)
	claims.Name = "t-1"
	signed, err := claims.Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"v": "1.0", "id": "t-1", "mesh": "test", "url": url, "jwt": signed, "seed": seed, "what": "host",
	})
	if err != nil {
		t.Fatal(err)
	}
	return "mesh30k1." + base64.RawURLEncoding.EncodeToString(text)
}

func userKey(t *testing.T) (public, seed string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err = pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return public, string(s)
}

// admit answers JOINs with all places of the leads' sector, and keeps them.
func (l *leads) admit() *[]wire.Join {
	var joins []wire.Join
	_, err := l.nc.Subscribe(wire.SubjectJoin, func(m *nats.Msg) {
		var j wire.Join
		if !l.decode(m, wire.TypeJoin, &j) {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		joins = append(joins, j)
		l.say(m.Reply, &wire.Joined{Header: wire.Head(wire.TypeJoined), Mesh: j.Mesh, Host: j.Host, Grants: []wire.Grant{{
			Sector: 7, Clusters: slices.Collect(maps.Keys(l.places)), JWT: "not looked at by this broker",
		}}})
	})
	if err == nil {
		err = l.nc.Flush()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return &joins
}

// runFleet is `mesh30k fleet` until stop is called, which returns its end.
func runFleet(t *testing.T, o Options) (stop func() error) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

func TestAFleetJoinsOnceAndResumesWithoutItsToken(t *testing.T) {
	agents := sector(60)
	l := newLeads(t, agents)
	joins := l.admit()
	var status bytes.Buffer
	o := Options{Join: token(t, l.url), State: filepath.Join(t.TempDir(), "sim"), Agents: 60, Seed: 1, Every: 20 * time.Millisecond, Status: &status}

	stop := runFleet(t, o)
	l.until("all 60 beat", func() bool { return len(l.beats) == 60 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(status.String(), `"final":true`) {
		t.Errorf("the status has no final line:\n%s", status.String())
	}
	latency := l.latest("sim-1").LatencyMS

	o.Join, o.Agents, o.Status = "", 0, io.Discard
	before, beats := l.latest("sim-1").Incarnation, l.beatsOf("sim-1")
	runFleet(t, o)
	l.until("it beats again, in a new incarnation", func() bool {
		return l.beaten["sim-1"] > beats && l.beats["sim-1"].Incarnation > before
	})
	if again := l.latest("sim-1").LatencyMS; again < 0.5*latency || again > 2*latency {
		t.Errorf("sim-1 had a latency of %.2f ms, after the restart %.2f ms: it is another agent", latency, again)
	}

	if len(*joins) != 1 {
		t.Fatalf("it joined %d times; want once", len(*joins))
	}
	j := (*joins)[0]
	if !j.Sim || j.Host != "sim" || j.Total() != 60 {
		t.Errorf("JOIN of %d agents, host %q, sim %v; want 60 of host sim, labelled SIM", j.Total(), j.Host, j.Sim)
	}
	if len(j.Agents) != 6 || j.Agents[0].Class != wire.ClassEdge || j.Agents[0].Count != 20 {
		t.Errorf("JOIN asks for %+v; want 2.2's proportion, 20 of class A", j.Agents)
	}
}

func TestOptionsThatMakeNoSenseAreUsageErrors(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd.yaml")
	if err := os.WriteFile(odd, []byte("\nlos: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	joined := filepath.Join(dir, "joined")
	_, seed := userKey(t)
	if err := (&agentd.Identity{Mesh: "test", Host: "sim", Seed: seed, Agents: 60}).Save(joined); err != nil {
		t.Fatal(err)
	}
	share, rate := 1.5, -1.0
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"never joined":         {Options{State: dir}, "--join"},
		"which mesh":           {Options{}, "--mesh"},
		"token cut short":      {Options{State: dir, Join: "mesh30k1.abc"}, "token"},
		"too many":             {Options{Agents: 200_000}, "--agents"},
		"negative":             {Options{Agents: -1}, "--agents"},
		"loss over 1":          {Options{Loss: &share}, "--loss"},
		"negative churn":       {Options{Churn: &rate}, "--churn"},
		"no such file":         {Options{Profile: filepath.Join(dir, "none.yaml")}, "--profile"},
		"bad file":             {Options{Profile: odd}, "line 2"},
		"host with a capital":  {Options{Host: "Sim"}, "--host"},
		"mesh with a star":     {Options{Mesh: "*"}, "--mesh"},
		"another size":         {Options{State: joined, Agents: 61}, "60"},
		"status without pause": {Options{Every: time.Nanosecond}, "10ms"},
	} {
		err := Run(t.Context(), tt.o)
		var e *wire.Error
		if !errors.As(err, &e) || e.Code.Verdict() != wire.Usage || !strings.Contains(e.Error(), tt.want) {
			t.Errorf("%s: error %v; want one of usage about %q", name, err, tt.want)
		}
	}
}

func TestAMeshThatCannotBeReachedIsSaid(t *testing.T) {
	o := Options{Join: token(t, "nats://127.0.0.1:1"), State: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := Run(t.Context(), o); !errors.Is(err, agentd.ErrUnreachable) {
		t.Errorf("error %v; want one that says that the mesh cannot be reached", err)
	}
}

func TestChurnAndLossOptionsOverrideTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(path, []byte("loss: {probability: 0.5}\nchurn: {crashes_per_min: 7}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	zero := 0.0
	o := Options{Profile: path, Loss: &zero}
	p, err := o.profile()
	if err != nil {
		t.Fatal(err)
	}
	if p.Loss.Probability != 0 || p.Churn.CrashesPerMin != 7 {
		t.Errorf("loss %v, churn %v; want 0 by the option and 7 by the file", p.Loss.Probability, p.Churn.CrashesPerMin)
	}
}
