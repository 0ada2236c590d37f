package meshcore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Errors of StartBroker that a caller may want to tell apart.
var (
	ErrPortTaken = errors.New("the port is in use by another program")
	ErrStorage   = errors.New("the stream's directory cannot be used")
)

// BrokerOptions configure the embedded broker.
type BrokerOptions struct {
	Keyring  *auth.Keyring
	StoreDir string       // of the stream; must exist
	Port     int          // 0: any free one
	Listen   string       // default 127.0.0.1; others are refused until there is TLS
	MaxStore int64        // disk budget of JetStream in bytes; default 4 GiB
	Log      *slog.Logger // default slog.Default
}

// Limits of the broker.
const (
	// DefaultMaxStore is the disk budget without another word: 4 GiB.
	DefaultMaxStore = 4 << 30
	// maxControlLine holds the connect line of a host with 100 clusters: 4 KiB,
	// the server's default, refused one with 300 tags.
	maxControlLine = 64 << 10
	// maxPending is what the broker keeps for one slow client before it drops
	// the connection; a console that starts receives every cluster's block.
	maxPending = 256 << 20
	// startWait bounds the recovery of a large stream at start.
	startWait = 2 * time.Minute
)

// Broker is an embedded NATS server with JetStream, in operator mode: nobody
// connects without a JWT of the mesh's keyring.
type Broker struct {
	server *server.Server
	keys   *auth.Keyring
	log    *brokerLog
	url    string
}

// StartBroker starts a broker and returns when it takes connections.
//
// Every write to the stream is synced to the disk before it is acknowledged
// (SyncAlways). That costs 0.24 ms a write here; facts are written in groups,
// so it costs the mesh next to nothing, and without it a power failure could
// take two minutes of acknowledged facts.
func StartBroker(o BrokerOptions) (*Broker, error) {
	return startBroker(o, Permissions(o.Keyring.Sectors()))
}

func startBroker(o BrokerOptions, p auth.Permissions) (*Broker, error) {
	options, err := brokerOptions(&o, p)
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{server: s, keys: o.Keyring, log: newBrokerLog(o.Log)}
	s.SetLoggerV2(b.log, b.log.debugs(), false, false)
	if err := b.start(); err != nil {
		b.Close()
		return nil, explainStart(err, o)
	}
	if err := b.checkRecovered(o.StoreDir); err != nil {
		b.Close()
		return nil, err
	}
	b.url = s.ClientURL()
	return b, nil
}

// start waits until the server takes connections or has said why it cannot.
// The server reports what is fatal only to its logger.
func (b *Broker) start() error {
	ready := make(chan bool, 1)
	go func() {
		b.server.Start()
		ready <- b.server.ReadyForConnections(startWait)
	}()
	select {
	case reason := <-b.log.fatal:
		return errors.New(reason)
	case ok := <-ready:
		select {
		case reason := <-b.log.fatal:
			return errors.New(reason)
		default:
		}
		if !ok {
			return fmt.Errorf("not ready after %v", startWait)
		}
		return nil
	}
}

func brokerOptions(o *BrokerOptions, p auth.Permissions) (*server.Options, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
	}
	if o.MaxStore == 0 {
		o.MaxStore = DefaultMaxStore
	}
	if err := checkListen(o.Listen); err != nil {
		return nil, err
	}
	if o.Port < 0 || o.Port > 65535 {
		return nil, fmt.Errorf("broker: port %d: want 0 (any) to 65535", o.Port)
	}
	if err := checkStore(o.StoreDir); err != nil {
		return nil, err
	}
	tokens, err := o.Keyring.BrokerJWTs(p)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	options, err := trust(tokens)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	options.ServerName = "mesh30k-" + o.Keyring.Mesh()
	options.Host, options.Port = o.Listen, o.Port
	if o.Port == 0 {
		options.Port = server.RANDOM_PORT
	}
	options.NoSigs = true // signals are the program's
	options.MaxPayload = wire.MaxPayload
	options.MaxControlLine = maxControlLine
	options.MaxPending = maxPending
	options.AuthTimeout = 10 // s; a fleet that connects at once waits its turn
	options.JetStream = true
	options.DisableJetStreamBanner = true
	options.StoreDir = o.StoreDir
	options.JetStreamMaxStore = o.MaxStore
	options.JetStreamMaxMemory = 64 << 20 // consumers' state only
	options.SyncAlways = true
	return options, nil
}

// trust makes options of a server that knows this mesh's accounts and no other.
func trust(tokens *auth.BrokerJWTs) (*server.Options, error) {
	operator, err := jwt.DecodeOperatorClaims(tokens.Operator)
	if err != nil {
		return nil, err
	}
	resolver := &server.MemAccResolver{}
	for id, account := range tokens.Accounts {
		if err := resolver.Store(id, account); err != nil {
			return nil, err
		}
	}
	return &server.Options{
		TrustedOperators: []*jwt.OperatorClaims{operator},
		SystemAccount:    tokens.System,
		AccountResolver:  resolver,
	}, nil
}

// checkListen refuses addresses that other machines can reach: identities are
// checked, but without TLS what is said could be read and altered.
func checkListen(host string) error {
	if host == "localhost" {
		return nil
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return wire.Errorf(wire.CodeBadMessage, "broker: listen address %q: want an IP address or localhost", wire.Clean(host))
	}
	if !ip.IsLoopback() {
		return wire.Errorf(wire.CodeBadMessage, "broker: listening on %s would let other machines read and alter what the mesh says, since this version has no TLS", host).
			WithHint("listen on 127.0.0.1 and let hosts come in through an SSH or WireGuard tunnel")
	}
	return nil
}

// checkStore finds out before the server does what would stop it from writing:
// its own words name neither the directory nor the reason.
func checkStore(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return fmt.Errorf("broker: %w: %w", ErrStorage, err)
	}
	_, err = f.Write(make([]byte, 4096))
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	if err != nil {
		return fmt.Errorf("broker: %w: %w", ErrStorage, err)
	}
	return nil
}

// explainStart says what a failed start means to the person who asked for it.
func explainStart(err error, o BrokerOptions) error {
	address := net.JoinHostPort(o.Listen, strconv.Itoa(o.Port))
	if taken(address) {
		return fmt.Errorf("broker: %w: %s; choose another with --port, or 0 for any free one", ErrPortTaken, address)
	}
	return fmt.Errorf("broker: it cannot start on %s with the stream in %s: %w", address, o.StoreDir, err)
}

// taken asks after a failure whether the address was why.
func taken(address string) bool {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address) // answers at once
	if err != nil {
		return true
	}
	_ = l.Close() // nobody has connected
	return false
}

// checkRecovered returns an error unless every stream in the directory lives.
// The server passes over one whose description is damaged with a warning; the
// facts would then seem never to have been, and be begun anew in their place.
func (b *Broker) checkRecovered(dir string) error {
	account := b.keys.Account()
	found, err := os.ReadDir(filepath.Join(dir, "jetstream", account, "streams"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("broker: %w: %w", ErrStorage, err)
	}
	living, err := b.server.JszAccount(&server.JSzOptions{Account: account, Streams: true, Limit: 1 << 16})
	if err != nil {
		return fmt.Errorf("broker: it does not say which streams it has: %w", err)
	}
	names := map[string]bool{}
	for _, s := range living.Streams {
		names[s.Name] = true
	}
	for _, entry := range found {
		if name := entry.Name(); entry.IsDir() && !strings.HasPrefix(name, ".") && !names[name] {
			return fmt.Errorf("broker: %w: stream %s in %s is damaged and was not recovered (run with --verbose for the server's words); "+
				"nothing was touched: restore the directory from a backup", ErrStorage, name, dir)
		}
	}
	return nil
}

// URL is where clients connect, such as nats://127.0.0.1:4222.
func (b *Broker) URL() string { return b.url }

// InProcess makes a client connect through memory, without a socket. It is not
// faster than loopback under load; it suits a console in the same process.
func (b *Broker) InProcess() nats.Option { return nats.InProcessServer(b.server) }

// Connect connects as the core's own user, which may do everything in the
// mesh's account. Its key lives in memory only. Further options come last and
// win; the connection is the caller's to close.
func (b *Broker) Connect(ctx context.Context, more ...nats.Option) (*nats.Conn, error) {
	return ConnectCore(ctx, b.url, b.keys, more...)
}

// ConnectCore connects as the core's own user to the broker at url (or a
// comma-separated list of an external cluster's) that trusts keys.
func ConnectCore(ctx context.Context, url string, keys *auth.Keyring, more ...nats.Option) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("core: connecting to %s: %w", url, err)
	}
	key, seed, err := auth.NewUserKey()
	if err != nil {
		return nil, err
	}
	token, err := keys.CoreJWT(key)
	if err != nil {
		return nil, err
	}
	me := auth.Credentials{Name: auth.CoreName, JWT: token, Seed: seed}
	options := append(me.Options(wire.InboxPrefix(auth.CoreName), 1), nats.Timeout(connectWait(ctx)))
	nc, err := nats.Connect(url, append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("core: connecting to %s: %w", url, err)
	}
	return nc, nil
}

// connectWait is how long a connection attempt may take: 5 s, less if ctx ends
// before.
func connectWait(ctx context.Context) time.Duration {
	const most = 5 * time.Second
	end, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return max(min(time.Until(end), most), time.Millisecond)
}

// Close stops the broker and waits until it has closed the stream's files.
func (b *Broker) Close() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}
