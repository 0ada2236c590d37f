package meshcore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// Options is what a core is made of.
type Options struct {
	Topology  *wire.Topology
	Keyring   *auth.Keyring
	URL       string        // that tokens tell hosts to connect to
	Heartbeat time.Duration // interval asked of hosts; 0: 5 s (4.1)
	MaxQueue  int           // bound of an agent's queue; 0: 1,000
	Facts     factWriter    // usually a *Ledger
	Memory    Memory        // what was known when the last core ended
	Trends    TrendWriter   // nil: trends are not kept
	Log       *slog.Logger

	// Connect opens a connection as the core's own user. Shards share one, the
	// orchestrator has another: the way between them is NATS in any case, and
	// a core that doubts itself proves itself over both.
	Connect func(ctx context.Context) (*nats.Conn, error)

	// After runs once the core serves.
	After func()
}

// Memory is what a core must still know when it starts: all of it from facts.
type Memory struct {
	Hosts      []wire.HostJoined // in the order of the facts
	Tokens     []wire.Token
	TokensUsed map[string][]string // by token id: names of who has joined with it, each a use
	People     []wire.Person
	Freezes    []wire.FreezeOrder // in order, with Seq
	Operations []OpenOperation
}

// OpenOperation is an operation without an end, and what of it is settled.
type OpenOperation struct {
	wire.Operation
	Final []wire.DeliveryFact
}

// TrendWriter keeps trends.
type TrendWriter interface {
	WriteTrends(ctx context.Context, rows []wire.TrendRow) error
}

// Defaults of Options.
const (
	DefaultHeartbeat = 5 * time.Second // 4.1
	DefaultMaxQueue  = 1000
)

// Core is one core node: the orchestrator, and the shards of all sectors, which
// are placed on it. Its exported methods may be called from any goroutine.
type Core struct {
	opt   Options
	log   *slog.Logger
	epoch uint64
	start time.Time

	shardConn *nats.Conn
	conn      *nats.Conn
	scribe    *scribe

	replica *registry.Replica // written by the orchestrator's goroutine alone
	view    atomic.Pointer[registry.View]
	stats   atomic.Pointer[wire.GlobalStats]
	doubt   doubt

	enrolment enrolment
	freezer   freezer
	ops       operations
	outboxes  []*outbox // of sector n: outboxes[n-1]

	mu      sync.Mutex     // closed and running: nothing begins once the core ends
	closed  chan struct{}  // when the core ends
	running sync.WaitGroup // all goroutines but the scribe's
}

// NewCore makes a core; [Core.Run] starts it.
func NewCore(opt Options) (*Core, error) {
	if opt.Heartbeat == 0 {
		opt.Heartbeat = DefaultHeartbeat
	}
	if opt.MaxQueue == 0 {
		opt.MaxQueue = DefaultMaxQueue
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if err := opt.Topology.Check(); err != nil {
		return nil, err
	}
	c := &Core{
		opt:     opt,
		log:     opt.Log,
		epoch:   uint64(time.Now().UnixMicro()),
		start:   time.Now(),
		scribe:  newScribe(opt.Facts, opt.Log),
		replica: registry.NewReplica(opt.Topology),
		closed:  make(chan struct{}),
	}
	c.view.Store(c.replica.View())
	if err := c.enrolment.restore(opt.Topology, opt.Memory); err != nil {
		return nil, fmt.Errorf("restoring who is enrolled: %w", err)
	}
	if err := c.freezer.restore(opt.Topology, opt.Memory.Freezes); err != nil {
		return nil, fmt.Errorf("restoring who is frozen: %w", err)
	}
	c.ops.restore(opt.Memory.Operations)
	for n := range opt.Topology.Sectors {
		c.outboxes = append(c.outboxes, &outbox{publish: func(o *wire.ShardOrder) error { return c.send(n+1, o) }})
	}
	return c, nil
}

// Run serves until ctx ends, then writes what is left and returns.
func (c *Core) Run(ctx context.Context) error {
	var err error
	if c.shardConn, err = c.opt.Connect(ctx); err != nil {
		return fmt.Errorf("connecting the shards: %w", err)
	}
	defer c.shardConn.Close()
	if c.conn, err = c.opt.Connect(ctx); err != nil {
		return fmt.Errorf("connecting the orchestrator: %w", err)
	}
	defer c.conn.Close()

	var scribing sync.WaitGroup
	scribing.Go(c.scribe.run)
	defer scribing.Wait()
	defer c.scribe.close()
	if _, err := c.opt.Facts.Append(ctx, wire.Fact{At: c.start, Kind: wire.FactCoreStarted, Actor: "core", Text: "core started"}); err != nil {
		return fmt.Errorf("writing the first fact: %w", err)
	}

	failed := make(chan error, 1)
	fail := func(err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	parts, stop := context.WithCancel(ctx)
	defer c.halt(stop)

	ready := make(chan struct{})
	c.spawn(func() { fail(c.orchestrate(parts, ready)) })
	select {
	case <-ready:
	case err := <-failed:
		return err
	}
	c.spawn(func() { c.freezer.run(parts, c) })
	for n := range c.opt.Topology.Sectors {
		c.spawn(func() {
			fail(supervise(parts, n+1, shardConfig{
				mesh: c.opt.Topology.Mesh, topo: c.opt.Topology, epoch: c.epoch,
				heartbeat: c.opt.Heartbeat, maxQueue: c.opt.MaxQueue,
				nc: c.shardConn, scribe: c.scribe, log: c.log,
			}))
		})
	}
	c.ops.resume(c)
	if c.opt.After != nil {
		c.opt.After()
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	c.halt(stop)
	c.scribe.write([]wire.Fact{{At: time.Now(), Kind: wire.FactCoreStopped, Actor: "core", Text: "core stopped"}}, nil)
	return err
}

// spawn runs f beside the core's other goroutines; Run waits for it. It reports
// false, and does not run f, if the core is ending.
func (c *Core) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false
	default:
		c.running.Go(f)
		return true
	}
}

// halt ends all that was spawned, and waits for it.
func (c *Core) halt(stop func()) {
	c.mu.Lock()
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	c.mu.Unlock()
	stop()
	c.running.Wait()
}

// View is the registry as the orchestrator's replica has it: at most a second
// behind the shards.
func (c *Core) View() *registry.View { return c.view.Load() }

// rowsOf yields the rows of a sector.
func rowsOf(view *registry.View, sector int) iter.Seq[*wire.AgentImpedance] {
	return func(yield func(*wire.AgentImpedance) bool) {
		for cluster := range view.Topology().Sectors[sector-1].Clusters {
			b := view.Block(wire.Address{Sector: sector, Cluster: cluster + 1})
			if b == nil {
				continue
			}
			for i := range b.Rows {
				if !yield(&b.Rows[i]) {
					return
				}
			}
		}
	}
}

// Stats are the latest global statistics with mode and doubt; nil at first.
func (c *Core) Stats() *wire.GlobalStats { return c.stats.Load() }

// Role tells what a person may do.
func (c *Core) Role(name string) (wire.Role, bool) { return c.enrolment.role(name) }

// encodeData spells the data of a fact.
func encodeData(v any) jsontext.Value {
	data, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("meshcore: data of a fact cannot be encoded: %v", err))
	}
	return data
}

// newID makes an id that sorts by time: 48 bits of milliseconds, 48 random.
func newID(now time.Time) string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return fmt.Sprintf("%012x%s", now.UnixMilli(), hex.EncodeToString(b[:]))
}

// send publishes an order once; the shard answers where it reports.
func (c *Core) send(sector int, o *wire.ShardOrder) error {
	err := c.conn.PublishMsg(&nats.Msg{Subject: wire.SubjectShard(sector), Reply: wire.SubjectShardUp(sector), Data: wire.Encode(o)})
	if err != nil {
		c.log.Warn("order not sent", "sector", sector, "err", err)
	}
	return err
}

// order gives an order to a shard without waiting.
func (c *Core) order(sector int, o *wire.ShardOrder) {
	c.outboxes[sector-1].put(o, func(err error) {
		if err != nil {
			c.log.Error("a shard has refused an order", "sector", sector, "err", err)
		}
	})
}

// orderAndWait gives an order to a shard and waits until it has been taken on.
func (c *Core) orderAndWait(ctx context.Context, sector int, o *wire.ShardOrder) error {
	taken := make(chan error, 1)
	c.outboxes[sector-1].put(o, func(err error) { taken <- err })
	select {
	case err := <-taken:
		return err
	case <-c.closed:
		return fmt.Errorf("sector %d has not taken on an order: the core ends", sector)
	case <-ctx.Done():
		return fmt.Errorf("sector %d has not taken on an order: %w", sector, ctx.Err())
	}
}

// notDone says of what was ordered that its fact could not be written.
func notDone(what string, err error) error {
	if errors.Is(err, ErrUncertain) {
		return fmt.Errorf("%s: nothing was done, but if its fact is there it comes into force when the core starts again: %w", what, err)
	}
	return fmt.Errorf("%s is not durable, nothing was done: %w", what, err)
}

// Complete fills in of statistics computed from a view what only the core knows.
func (c *Core) Complete(s wire.GlobalStats) wire.GlobalStats {
	s.Mesh, s.CoreStarted = c.opt.Topology.Mesh, c.start
	if latest := c.Stats(); latest != nil {
		s.Mode, s.Doubt, s.Counters = latest.Mode, latest.Doubt, latest.Counters
	}
	return s
}
