package meshcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

const testWait = 10 * time.Second // for what should take milliseconds

func newTestKeyring(t testing.TB, sectors int) *auth.Keyring {
	t.Helper()
	k, err := auth.NewKeyring("test", sectors)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// startTestBroker starts a broker that ends with the test.
func startTestBroker(t testing.TB, keys *auth.Keyring, dir string) *Broker {
	t.Helper()
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func connectTestCore(t testing.TB, b *Broker) *nats.Conn {
	t.Helper()
	nc, err := b.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// user is a client whose refusals by the broker can be awaited.
type user struct {
	*nats.Conn
	t       *testing.T
	refused chan error
	asked   int
}

// connectUser connects with a JWT that sign makes for a fresh key.
func connectUser(t *testing.T, b *Broker, sign func(publicKey string) (string, error)) *user {
	t.Helper()
	c := newTestCredentials(t, sign)
	u := &user{t: t, refused: make(chan error, 16)}
	options := append(c.Options(wire.InboxPrefix(c.Name), 1), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		u.refused <- err
	}))
	nc, err := nats.Connect(b.URL(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	u.Conn = nc
	return u
}

func newTestCredentials(t *testing.T, sign func(publicKey string) (string, error)) auth.Credentials {
	t.Helper()
	key, seed, err := auth.NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	token, err := sign(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := auth.NewCredentials(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verdict is what the broker thinks of one thing that u did. It is asked for
// something that it must refuse: what it refused before, it said before.
func (u *user) verdict() error {
	u.t.Helper()
	u.asked++
	sentinel := fmt.Sprintf("forbidden.%d", u.asked)
	if err := u.Publish(sentinel, nil); err != nil {
		u.t.Fatal(err)
	}
	var verdict error
	for {
		select {
		case err := <-u.refused:
			if strings.Contains(err.Error(), sentinel) {
				return verdict
			}
			verdict = err
		case <-time.After(testWait):
			u.t.Fatal("the broker refuses nothing")
		}
	}
}

func TestUsersMaySayOnlyWhatIsTheirOwn(t *testing.T) {
	keys := newTestKeyring(t, 7)
	b := startTestBroker(t, keys, t.TempDir())
	core := connectTestCore(t, b)
	host := connectUser(t, b, func(k string) (string, error) {
		return keys.HostJWT(7, "pi-1", k, []string{"7.4", "7.5"}, time.Hour)
	})
	person := connectUser(t, b, func(k string) (string, error) { return keys.PersonJWT("operator", "alice", k, time.Hour) })
	observer := connectUser(t, b, func(k string) (string, error) { return keys.PersonJWT("observer", "bob", k, time.Hour) })
	token := connectUser(t, b, func(k string) (string, error) { return keys.TokenJWT("t1", k, time.Hour) })

	mine, next := wire.Address{Sector: 7, Cluster: 4}, wire.Address{Sector: 7, Cluster: 6}
	ack := wire.UplinkAck
	for _, c := range []struct {
		who     *user
		pub     bool
		subject string
		allowed bool
	}{
		{host, true, wire.UplinkHello.Subject(mine, "pi-1"), true},
		{host, true, wire.UplinkHeartbeat.Subject(mine, "pi-1"), true},
		{host, true, ack.Subject(wire.Address{Sector: 7, Cluster: 5}, "pi-1"), true},
		{host, true, wire.UplinkReport.Subject(mine, "pi-1"), true},
		{host, true, ack.Subject(mine, "pi-2"), false},                                // as a neighbour
		{host, true, ack.Subject(next, "pi-1"), false},                                // in a cluster of another
		{host, true, ack.Subject(wire.Address{Sector: 6, Cluster: 4}, "pi-1"), false}, // the same cluster of another sector
		{host, true, wire.SubjectCluster(mine), false},                                // as the core
		{host, true, wire.SubjectPerson("alice"), false},
		{host, true, subjectJoin("t1"), false},
		{host, true, wire.SubjectFactKeep, false},
		{host, true, wire.InboxPrefix("alice") + ".x", false},
		{host, true, "$JS.API.INFO", false},
		{host, false, wire.SubjectCluster(mine), true},
		{host, false, wire.SubjectHost(mine, "pi-1"), true},
		{host, false, wire.InboxPrefix("pi-1") + ".x", true},
		{host, false, wire.SubjectHost(mine, "pi-2"), false},
		{host, false, wire.SubjectCluster(next), false},
		{host, false, wire.SubjectCluster(mine) + ".*", false},
		{host, false, "m.c.>", false},
		{host, false, "m.>", false},
		{host, false, ">", false},
		{host, false, wire.InboxPrefix("pi-2") + ".>", false},
		{host, false, wire.InboxPrefix("alice") + ".>", false},
		{host, false, wire.SubjectFacts, false},
		{host, false, wire.SubjectBlock, false},

		{person, true, wire.SubjectPerson("alice"), true},
		{person, true, wire.SubjectPerson("bob"), false},
		{person, true, ack.Subject(mine, "pi-1"), false},
		{person, true, wire.SubjectShard(7), false},
		{person, true, wire.SubjectFeed, false},
		{person, true, "$JS.API.STREAM.PURGE.FACTS", false},
		{person, true, "$JS.API.STREAM.MSG.GET.FACTS", false},
		{person, false, wire.SubjectBlock, true},
		{person, false, wire.SubjectSums, true},
		{person, false, wire.SubjectFeed, true},
		{person, false, wire.InboxPrefix("alice") + ".>", true},
		{person, false, wire.InboxPrefix("bob") + ".>", false},
		{person, false, wire.SubjectDo, false},
		{person, false, "m.>", false},

		{observer, true, wire.SubjectPerson("bob"), true},
		{observer, true, wire.SubjectPerson("alice"), false},

		{token, true, subjectJoin("t1"), true},
		{token, true, subjectJoin("t2"), false},
		{token, true, ack.Subject(mine, "pi-1"), false},
		{token, true, wire.SubjectPerson("alice"), false},
		{token, false, wire.InboxPrefix("t1") + ".>", true},
		{token, false, wire.InboxPrefix("t2") + ".>", false},
		{token, false, wire.SubjectBlock, false},
		{token, false, wire.SubjectJoin, false},
	} {
		verb := map[bool]string{true: "publish", false: "subscribe"}[c.pub]
		t.Run(fmt.Sprintf("%s %s %s", c.who.Opts.Name, verb, c.subject), func(t *testing.T) {
			arrived := listen(t, core, c)
			err := act(t, c.who, c.pub, c.subject)
			if c.allowed && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if !c.allowed && !errors.Is(err, nats.ErrPermissionViolation) {
				t.Fatalf("the broker's answer is %v, want a refusal", err)
			}
			if got := arrived(); c.pub && got != c.allowed {
				t.Fatalf("message arrived at the core: %v, want %v", got, c.allowed)
			}
		})
	}
}

func act(t *testing.T, u *user, pub bool, subject string) error {
	t.Helper()
	if pub {
		if err := u.Publish(subject, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		return u.verdict()
	}
	sub, err := u.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	return u.verdict()
}

// listen lets the core hear whether a message on the subject comes through.
func listen(t *testing.T, core *nats.Conn, c struct {
	who     *user
	pub     bool
	subject string
	allowed bool
},
) (arrived func() bool) {
	t.Helper()
	if !c.pub || strings.HasPrefix(c.subject, "$JS") {
		return func() bool { return c.allowed }
	}
	sub, err := core.SubscribeSync(c.subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := core.FlushTimeout(testWait); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		defer func() { _ = sub.Unsubscribe() }()
		if err := core.FlushTimeout(testWait); err != nil {
			t.Fatal(err)
		}
		n, _, err := sub.Pending()
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
}

// Without the templates the same publish comes through: they are what refuses.
func TestWithoutTemplatesANeighbourIsHeard(t *testing.T) {
	keys := newTestKeyring(t, 1)
	open := auth.Template{Pub: []string{">"}, Sub: []string{">"}}
	b := startBrokerWith(t, keys, auth.Permissions{
		Sectors: []auth.Template{open}, Operator: open, Observer: open, Token: open, Core: open,
	})
	u := connectUser(t, b, func(k string) (string, error) { return keys.HostJWT(1, "pi-1", k, []string{"1.1"}, 0) })
	neighbour := wire.UplinkAck.Subject(wire.Address{Sector: 1, Cluster: 2}, "pi-2")
	heard, err := connectTestCore(t, b).SubscribeSync(neighbour)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the neighbour's subject is heard", func() bool {
		if err := u.Publish(neighbour, nil); err != nil {
			t.Fatal(err)
		}
		_, err := heard.NextMsg(10 * time.Millisecond)
		return err == nil
	})
}

// startBrokerWith starts a broker with other permissions than the mesh's.
func startBrokerWith(t *testing.T, keys *auth.Keyring, p auth.Permissions) *Broker {
	t.Helper()
	b, err := startBroker(BrokerOptions{Keyring: keys, StoreDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// The key of a sector, even stolen, cannot sign for another sector.
func TestSectorKeySignsForItsSectorOnly(t *testing.T) {
	p := Permissions(9)
	for _, subject := range append(p.Sectors[6].Pub, p.Sectors[6].Sub...) {
		if !strings.Contains(subject, ".7."+auth.ClusterPlace) && subject != wire.InboxPrefix(auth.NamePlace)+".>" {
			t.Errorf("template of sector 7 has %q", subject)
		}
	}
}

// What the placeholders become is what wire spells.
func TestTemplatesSpellAsWireDoes(t *testing.T) {
	fill := func(s string) string {
		return strings.NewReplacer(auth.ClusterPlace, "4", auth.NamePlace, "pi-1").Replace(s)
	}
	p, cluster := Permissions(7), wire.Address{Sector: 7, Cluster: 4}
	for i, u := range wire.Uplinks {
		if got, want := fill(p.Sectors[6].Pub[i]), u.Subject(cluster, "pi-1"); got != want {
			t.Errorf("uplink %s is allowed as %q, wire spells %q", u, got, want)
		}
	}
	if got, want := fill(p.Sectors[6].Sub[1]), wire.SubjectHost(cluster, "pi-1"); got != want {
		t.Errorf("downlink is allowed as %q, wire spells %q", got, want)
	}
}

func FuzzNamesAreThoseOfWire(f *testing.F) {
	for _, s := range []string{"pi-1", "", "*", ">", "a.b", "Core", "core", "a\n", strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ours, wires := auth.CheckName("host", s), wire.CheckName("host", s)
		if (ours == nil) != (wires == nil && s != auth.CoreName) {
			t.Errorf("%q: auth says %v, wire says %v", s, ours, wires)
		}
	})
}

func TestStrangersCannotConnect(t *testing.T) {
	keys, others := newTestKeyring(t, 1), newTestKeyring(t, 1)
	b := startTestBroker(t, keys, t.TempDir())
	sign := func(k *auth.Keyring) func(string) (string, error) {
		return func(key string) (string, error) { return k.PersonJWT("operator", "alice", key, time.Hour) }
	}
	mine := newTestCredentials(t, sign(keys))
	thief := newTestCredentials(t, sign(keys))
	thief.JWT = mine.JWT // a JWT without its seed
	for name, option := range map[string]nats.Option{
		"nobody":          nats.Name("nobody"),
		"of another mesh": newTestCredentials(t, sign(others)).Option(),
		"stolen JWT":      thief.Option(),
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := nats.Connect(b.URL(), option)
			if !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("connecting gives %v, want a refusal", err)
			}
			if nc != nil {
				nc.Close()
			}
		})
	}
}

// A host in as many clusters of a sector as there may be, in a mesh of as many
// sectors as there may be: the connect line and the account's JWT still fit.
func TestLargestIdentitiesFit(t *testing.T) {
	keys := newTestKeyring(t, auth.MaxSectors)
	b := startTestBroker(t, keys, t.TempDir())
	var clusters []string
	for c := range auth.MaxClusters {
		clusters = append(clusters, wire.Address{Sector: auth.MaxSectors, Cluster: c + 1}.String())
	}
	name := "h" + strings.Repeat("x", wire.MaxName-1)
	u := connectUser(t, b, func(k string) (string, error) { return keys.HostJWT(auth.MaxSectors, name, k, clusters, time.Hour) })
	last := wire.Address{Sector: auth.MaxSectors, Cluster: auth.MaxClusters}
	if err := act(t, u, true, wire.UplinkReport.Subject(last, name)); err != nil {
		t.Errorf("own subject of the last cluster: %v", err)
	}
	last.Cluster++
	if err := act(t, u, true, wire.UplinkReport.Subject(last, name)); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("subject of a cluster that is not its own: %v, want a refusal", err)
	}
}

func TestBrokerSaysWhyItCannotStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    BrokerOptions
		kind error
		says string
	}{
		{"port taken", BrokerOptions{Port: port, StoreDir: t.TempDir()}, ErrPortTaken, strconv.Itoa(port) + "; choose another with --port"},
		{"absurd port", BrokerOptions{Port: 70000, StoreDir: t.TempDir()}, nil, "port 70000: want 0 (any) to 65535"},
		{"every interface", BrokerOptions{Listen: "0.0.0.0", StoreDir: t.TempDir()}, nil, "has no TLS"},
		{"not an address", BrokerOptions{Listen: "example", StoreDir: t.TempDir()}, nil, "want an IP address"},
		{"no directory", BrokerOptions{StoreDir: filepath.Join(t.TempDir(), "none")}, ErrStorage, "none"},
		{"not a directory", BrokerOptions{StoreDir: plain}, ErrStorage, "plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Keyring, c.o.Log = newTestKeyring(t, 1), slog.New(slog.DiscardHandler)
			b, err := StartBroker(c.o)
			if err == nil {
				b.Close()
				t.Fatal("it started")
			}
			if c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q", err)
			}
		})
	}
}

// A stream whose description is damaged must not be passed over: the facts
// would seem never to have been, and be begun anew.
func TestBrokerDoesNotForgetADamagedStream(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	openTestLedger(t, connectTestCore(t, b), LedgerOptions{}).Close()
	b.Close()
	meta := filepath.Join(dir, "jetstream", keys.Account(), "streams", StreamFacts, "meta.inf")
	if err := os.WriteFile(meta, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		b.Close()
		t.Fatal("it started as if there were no facts")
	}
	if !errors.Is(err, ErrStorage) || !strings.Contains(err.Error(), "stream FACTS") {
		t.Errorf("it says %q", err)
	}
}

func TestCoreConnectsThroughMemoryToo(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), testWait)
	defer cancel()
	nc, err := b.Connect(ctx, b.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("$JS.API.INFO", nil, testWait); err != nil {
		t.Errorf("JetStream does not answer: %v", err)
	}
	cancel()
	if _, err := b.Connect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("connecting after the context's end gives %v", err)
	}
}
