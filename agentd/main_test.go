package agentd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// joinToken makes a token of mesh test for a broker.
func joinToken(t *testing.T, url, what string) auth.Token {
	t.Helper()
	ring, err := auth.NewKeyring("test", 7)
	if err != nil {
		t.Fatal(err)
	}
	public, seed, err := auth.NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := ring.TokenJWT("t-1", public, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Token{ID: "t-1", Mesh: "test", URL: url, JWT: jwt, Seed: seed, What: what}
}

// admit answers JOIN as the core would: once.
func (l *lead) admit(spent bool) {
	l.t.Helper()
	ring, err := auth.NewKeyring("test", 7)
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = l.nc.Subscribe(wire.SubjectJoin, func(m *nats.Msg) {
		var j wire.Join
		if !l.decode(m, wire.TypeJoin, &j) {
			return
		}
		if spent {
			l.send(m.Reply, wire.Errorf(wire.CodeTokenUsed, "the token was used").WithHint("ask for another"))
			return
		}
		spent = true
		jwt, err := ring.HostJWT(7, j.Host, j.Key, []string{"7.4"}, time.Hour)
		if err != nil {
			l.t.Error(err)
		}
		l.send(m.Reply, &wire.Joined{Header: wire.Head(wire.TypeJoined), Mesh: "test", Host: j.Host, Grants: []wire.Grant{
			{Sector: 7, Clusters: []wire.Address{testCluster}, JWT: jwt, Expires: time.Now().Add(time.Hour)},
		}})
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.flush()
}

// runAgentd runs the command until stop is called, which returns its error.
func runAgentd(t *testing.T, args ...string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runMain(ctx, args, strings.NewReader(""), io.Discard, io.Discard) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-ended }
}

func TestAProgramBecomesAnAgentInOneLine(t *testing.T) {
	s := broker(t)
	core := newLead(t, s, enrolled(1)...)
	core.admit(false)
	program, state := self(t, "once")[0], t.TempDir()
	token := joinToken(t, s.ClientURL(), "host").Encode()

	first := runAgentd(t, "run", "--join", token, "--host", "pi", "--class", "E", "--state", state, "--", program)
	core.until("a beat", func() bool { return len(core.beats) > 0 })
	core.order("m1", func(m *wire.MeshMessage) {
		m.Payload = []byte(`{"do":"echo"}`)
		m.PayloadHash = wire.HashPayload(m.Payload)
	})
	if it := core.untilState("m1", wire.Worked, "a-01"); string(it.Answer) != `"m1 a-01 act false"` {
		t.Errorf("the answer is %s", it.Answer)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}

	second := runAgentd(t, "run", "--state", state, "--", program) // it knows who it is
	core.until("a beat of the second start", func() bool { return core.lastBeat().Incarnation == 2 })
	if err := second(); err != nil {
		t.Fatal(err)
	}
	third := runAgentd(t, "run", "--join", token, "--host", "pi", "--state", state, "--", program) // as a unit file would
	core.until("a beat of the third start", func() bool { return core.lastBeat().Incarnation == 3 })
	if err := third(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(state, "test", "pi", identityName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the identity: %v, %v", info.Mode(), err)
	}
}

func TestExitCodesSayWhatWentWrong(t *testing.T) {
	s := broker(t)
	core := newLead(t, s)
	core.admit(true)
	host, person := joinToken(t, s.ClientURL(), "host"), joinToken(t, s.ClientURL(), "operator")
	nobody := host
	nobody.URL = "nats://127.0.0.1:1"
	program := self(t, "once")[0]
	join := func(token auth.Token) []string {
		return []string{"run", "--join", token.Encode(), "--class", "E", "--", program}
	}
	for name, c := range map[string]struct {
		args []string
		exit wire.Verdict
		says string
	}{
		"nothing":             {nil, wire.Usage, "want run"},
		"other command":       {[]string{"walk"}, wire.Usage, `"walk"`},
		"help":                {[]string{"help"}, wire.Done, ""},
		"help of run":         {[]string{"run", "--help"}, wire.Done, ""},
		"no program":          {[]string{"run"}, wire.Usage, "-- ./my-program"},
		"missing program":     {[]string{"run", "--", "./there-is-none"}, wire.Usage, "there-is-none"},
		"unknown flag":        {[]string{"run", "--nonsense", "--", program}, wire.Usage, "nonsense"},
		"never joined":        {[]string{"run", "--", program}, wire.Usage, "--join TOKEN"},
		"no token":            {[]string{"run", "--join", "mesh30k1.rubbish", "--", program}, wire.Usage, "join token"},
		"no such class":       {[]string{"run", "--join", host.Encode(), "--class", "Q", "--", program}, wire.Usage, "--class"},
		"absurd count":        {[]string{"run", "--count", "-3", "--", program}, wire.Usage, "--count -3"},
		"bad host":            {[]string{"run", "--host", "A*", "--", program}, wire.Usage, "host name"},
		"bad label":           {[]string{"run", "--label", "x", "--", program}, wire.Usage, "key=value"},
		"another mesh":        {[]string{"run", "--mesh", "other", "--join", host.Encode(), "--class", "E", "--", program}, wire.Usage, "not of other"},
		"token used twice":    {join(host), wire.WasRefused, "was used"},
		"token of a person":   {join(person), wire.WasRefused, "not a host"},
		"nobody at that port": {join(nobody), wire.Unreachable, "127.0.0.1:1"},
	} {
		t.Setenv("XDG_STATE_HOME", t.TempDir())
		var out, errs bytes.Buffer
		if exit := Main(c.args, strings.NewReader(""), &out, &errs); exit != c.exit.Exit() || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit %d, want %d; it says %s", name, exit, c.exit.Exit(), errs.String())
		}
	}
}

func TestTheEnvironmentStandsInForFlags(t *testing.T) {
	program := self(t, "once")[0]
	t.Setenv("MESH30K_AGENTD_DRAIN_TIMEOUT", "7s")
	t.Setenv("MESH30K_AGENTD_HOST", "from-environment")
	f, err := parseFlags([]string{"run", "--host", "from-flag", "--", program}, nil, io.Discard, io.Discard)
	if err != nil || f.drain != 7*time.Second || f.host != "from-flag" {
		t.Errorf("%+v, %v", f, err)
	}
	t.Setenv("MESH30K_AGENTD_DRAIN_TIMEOUT", "soon")
	if _, err := parseFlags([]string{"run", "--", program}, nil, io.Discard, io.Discard); exitOf(err) != 2 {
		t.Errorf("a duration of %q: %v", "soon", err)
	}
}

func TestHostNamesAreMadeFit(t *testing.T) {
	for name, want := range map[string]string{
		"Pi-Kitchen.local":       "pi-kitchen",
		"7of9":                   "host-7of9",
		"__":                     "host",
		"Büro":                   "b-ro",
		strings.Repeat("ab", 60): strings.Repeat("ab", 60)[:wire.MaxName],
	} {
		got := cleanHostName(name)
		if got != want || wire.CheckName("host", got) != nil {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestAnIdentityIsSecretAndMustBeClear(t *testing.T) {
	state := t.TempDir()
	id := &Identity{Mesh: "test", Host: "pi", Seed: "SU…"}
	dir := filepath.Join(state, "test", "pi")
	if _, _, err := findIdentity(state, "", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, where, err := findIdentity(state, "", ""); err != nil || where != dir || got.Host != "pi" {
		t.Errorf("the only one: %v %s %v", got, where, err)
	}
	if err := id.Save(filepath.Join(state, "test", "other")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := findIdentity(state, "", ""); err == nil || !strings.Contains(err.Error(), "--host") {
		t.Errorf("one of two: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, identityName), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadIdentity(dir); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("one that others can read: %v", err)
	}
	id.Grants = []wire.Grant{{Expires: time.Now().Add(-time.Hour)}}
	if err := stillValid(id); exitOf(err) != 2 {
		t.Errorf("an expired one: %v", err)
	}
}
