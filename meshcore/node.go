package meshcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Projection is the queryable projection of the facts, with its own cursor.
type Projection interface {
	TrendWriter
	// Cursor is the stream sequence up to which facts are applied.
	Cursor() uint64
	// Apply adds the facts of one message of the stream.
	Apply(ctx context.Context, seq uint64, facts []wire.Fact) error
	// Memory is what a core must know when it starts, once all is applied.
	Memory(ctx context.Context) (Memory, error)
	// Retain deletes what is older than its own rules allow, and returns the
	// stream sequence from which facts are still needed.
	Retain(ctx context.Context, now time.Time) (oldestNeeded uint64, err error)
}

// StreamIdentity tells a projection which stream it projects.
type StreamIdentity struct {
	ID   string
	Last uint64
}

// NodeOptions is what a core node is made of.
type NodeOptions struct {
	Home      *Home
	Port      int    // 0: that of the last run, or any free one
	Listen    string // default loopback
	MaxStore  int64  // disk budget of the facts in bytes; 0: the ledger's default
	Heartbeat time.Duration
	MaxQueue  int
	Log       *slog.Logger

	// Project opens the projection of the stream.
	Project func(ctx context.Context, stream StreamIdentity) (Projection, error)
	// Act makes the one who carries out what people ask. What he needs of
	// facts and past he gets from the core and the projection.
	Act func(core *Core, p Projection, facts *Ledger) (Actor, error)
	// Serving is called once the core serves, with its URL.
	Serving func(core *Core, url string)
}

// What has expired is taken away every retainInterval, and within retainSoon when
// the budget runs short; facts that do not stay for ever stay for FactsAge, budget
// permitting.
const (
	retainInterval = 10 * time.Minute
	retainSoon     = 10 * time.Second
	FactsAge       = 30 * 24 * time.Hour
)

// RunNode runs a core node until ctx ends: lock, broker, facts, projection,
// core, door. What is opened last is closed first, each after what feeds it.
func RunNode(ctx context.Context, o NodeOptions) error {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := o.Home.needsKeys("no core of it can run here"); err != nil {
		return err
	}
	lock, err := o.Home.Lock()
	if err != nil {
		return err
	}
	defer lock.Unlock()
	keys, err := o.Home.Keyring()
	if err != nil {
		return err
	}
	broker, err := o.startBroker(keys)
	if err != nil {
		return err
	}
	// The broker goes last: what runs before still writes facts through it.
	defer broker.Close()

	nc, err := broker.Connect(ctx)
	if err != nil {
		return err
	}
	defer nc.Close()
	ledger, err := OpenLedger(ctx, nc, LedgerOptions{MaxBytes: o.MaxStore, MaxAge: FactsAge, Dir: o.Home.StreamDir()})
	if err != nil {
		return err
	}
	defer ledger.Close()
	return o.serve(ctx, broker, keys, ledger)
}

// startBroker takes the port of the last run: hosts know no other.
func (o *NodeOptions) startBroker(keys *auth.Keyring) (*Broker, error) {
	file := o.Home.portPath()
	port := o.Port
	if port == 0 {
		if text, err := os.ReadFile(file); err == nil {
			port, _ = strconv.Atoi(strings.TrimSpace(string(text))) // unreadable: any
		}
	}
	broker, err := StartBroker(BrokerOptions{
		Keyring: keys, StoreDir: o.Home.StreamDir(), Port: port, Listen: o.Listen, MaxStore: 2 * o.MaxStore, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	_, used, _ := strings.Cut(strings.TrimPrefix(broker.URL(), "nats://"), ":")
	if err := auth.WriteFile(file, []byte(used+"\n")); err != nil {
		broker.Close()
		return nil, fmt.Errorf("the core's port cannot be remembered: %w", err)
	}
	return broker, nil
}

func (o *NodeOptions) serve(ctx context.Context, broker *Broker, keys *auth.Keyring, ledger *Ledger) error {
	state, err := ledger.State(ctx)
	if err != nil {
		return err
	}
	projection, err := o.Project(ctx, StreamIdentity{ID: ledger.ID(), Last: state.Last})
	if err != nil {
		return err
	}
	// All facts are read, the old ones too, which the projection has: damage is
	// found when the core starts, not when somebody needs the fact. 100,000 take
	// 60 ms.
	last, err := ledger.Replay(ctx, 0, func(seq uint64, facts []wire.Fact) error {
		if seq <= projection.Cursor() {
			return nil
		}
		return projection.Apply(ctx, seq, facts)
	})
	if err != nil {
		return fmt.Errorf("bringing the projection up to date: %w", err)
	}
	memory, err := projection.Memory(ctx)
	if err != nil {
		return err
	}
	// The core's first fact needs room, which a budget that is used up has not.
	if err := o.retainOnce(ctx, time.Now(), projection, ledger); err != nil {
		return err
	}
	core, err := NewCore(Options{
		Topology: o.Home.Topology, Keyring: keys, URL: broker.URL(),
		Heartbeat: o.Heartbeat, MaxQueue: o.MaxQueue,
		Facts: ledger, Memory: memory, Trends: projection, Log: o.Log,
		Connect: func(ctx context.Context) (*nats.Conn, error) { return broker.Connect(ctx) },
	})
	if err != nil {
		return err
	}
	return o.runCore(ctx, core, broker, projection, ledger, last)
}

// runCore runs the core, its door, and what follows the facts. The follower
// outlives the core: the core's last facts are applied too.
func (o *NodeOptions) runCore(ctx context.Context, core *Core, broker *Broker, p Projection, ledger *Ledger, last uint64) error {
	act, err := o.Act(core, p, ledger)
	if err != nil {
		return err
	}
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollowing()
	parts, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var behind, beside sync.WaitGroup
	core.opt.After = func() {
		behind.Go(func() {
			err := ledger.Follow(following, last, func(seq uint64, facts []wire.Fact) error {
				if err := p.Apply(following, seq, facts); err != nil {
					return err
				}
				core.TellFacts(facts)
				return nil
			})
			if err != nil && following.Err() == nil {
				stop(fmt.Errorf("following the facts: %w", err))
			}
		})
		beside.Go(func() {
			if err := core.ServeDoor(parts, act); err != nil {
				stop(err)
			}
		})
		beside.Go(func() { o.retain(parts, p, ledger) })
		if err := o.introduce(parts, core); err != nil {
			stop(err)
			return
		}
		if err := o.Home.Announce(broker.URL(), core.start); err != nil {
			stop(err)
			return
		}
		if o.Serving != nil {
			o.Serving(core, broker.URL())
		}
	}
	err = core.Run(parts)
	stop(nil)
	beside.Wait()
	err = errors.Join(err, o.Home.Withdraw(), o.catchUp(ledger, p))
	stopFollowing()
	behind.Wait()
	if cause := context.Cause(parts); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// catchUp waits until the projection has the last facts, so that the next start
// has nothing to replay; without success it has a little.
func (o *NodeOptions) catchUp(ledger *Ledger, p Projection) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	state, err := ledger.State(ctx)
	if err != nil {
		return nil //nolint:nilerr // the facts are safe; the next start replays
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for p.Cursor() < state.Last {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// introduce makes the people whose credentials lie in the mesh's directory
// known, with the role that their credentials were signed for.
func (o *NodeOptions) introduce(ctx context.Context, core *Core) error {
	if err := core.adoptFirstToken(ctx, o.Home); err != nil {
		return err
	}
	people, err := o.Home.LocalPeople()
	if err != nil {
		return err
	}
	for _, person := range people {
		if _, known := core.Role(person.Name); !known {
			if err := core.AddPerson(ctx, person); err != nil {
				return err
			}
		}
	}
	return nil
}

// retain takes away what has expired, now and then.
func (o *NodeOptions) retain(ctx context.Context, p Projection, ledger *Ledger) {
	tick := time.NewTicker(retainSoon)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if now.Sub(last) < retainInterval && !ledger.Short() {
				continue
			}
			last = now
			if err := o.retainOnce(ctx, now, p, ledger); err != nil && ctx.Err() == nil {
				o.Log.Error("what has expired could not be taken away", "err", err)
			}
		}
	}
}

func (o *NodeOptions) retainOnce(ctx context.Context, now time.Time, p Projection, ledger *Ledger) error {
	oldest, err := p.Retain(ctx, now)
	if err != nil {
		return err
	}
	kept, err := ledger.Retain(ctx, now, oldest)
	if err == nil && kept.Held {
		o.Log.Warn("the disk budget of the facts is too small for the operations that are open", "budget", o.MaxStore)
	}
	return err
}
