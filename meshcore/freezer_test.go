package meshcore

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// orders collects the Seqs of the freeze orders that a sector's shard is sent,
// in order; repeats once.
type orders struct {
	mu   sync.Mutex
	seqs []uint64
}

func (b *bench) watchOrders(sector int) *orders {
	b.t.Helper()
	var seen orders
	b.watch(wire.SubjectShard(sector), func(data []byte) {
		var o wire.ShardOrder
		if err := wire.Decode(data, wire.TypeShardOrder, &o); err != nil || o.Freeze == nil {
			return
		}
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if !slices.Contains(seen.seqs, o.Freeze.Seq) {
			seen.seqs = append(seen.seqs, o.Freeze.Seq)
		}
	})
	return &seen
}

func (o *orders) all() []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seqs)
}

// frozen are the ids of the agents that the picture shows frozen.
func (b *bench) frozen() (ids []string) {
	for row := range b.core.View().Select(wire.Selector{}) {
		if row.Frozen {
			ids = append(ids, row.AgentID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (b *bench) seesFrozen(want ...string) {
	b.t.Helper()
	b.eventually("who is frozen", func() (bool, string) {
		is := b.frozen()
		return slices.Equal(is, want) && b.core.View().Stats().TotalAgents > 0, fmt.Sprintf("%v, want %v", is, want)
	})
}

// twoHosts are a memory of two hosts of three agents, in clusters 1.1 and 1.2.
func twoHosts() Memory {
	return Memory{Hosts: []wire.HostJoined{
		joined("pi-1", enrolled("pi-1", wire.Address{Sector: 1, Cluster: 1}, 1, 3)),
		joined("pi-2", enrolled("pi-2", wire.Address{Sector: 1, Cluster: 2}, 1, 3)),
	}}
}

func order(selector string, thaw bool) wire.FreezeOrder {
	return wire.FreezeOrder{Selector: selector, Thaw: thaw, Actor: "alice", At: time.Now()}
}

func TestShardsHearFreezesAndThawsInTheOrderOfTheirFacts(t *testing.T) {
	b := newBench(t, 2)
	b.tamper = func(c *Core) { // every 17th order to the first sector is lost
		publish, n := c.outboxes[0].publish, 0
		c.outboxes[0].publish = func(o *wire.ShardOrder) error {
			if n++; n%17 == 16 {
				return nil
			}
			return publish(o)
		}
	}
	one, two := b.watchOrders(1), b.watchOrders(2)
	b.start(twoHosts())
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := b.core.Freeze(t.Context(), order([]string{"mesh", "cluster=1.1"}[i/2%2], i%2 == 0), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var facts []uint64
	wants := map[string]bool{}
	b.facts.each(func(f wire.Fact) {
		if f.Kind != wire.FactFreeze && f.Kind != wire.FactThaw {
			return
		}
		facts = append(facts, f.Seq)
		var o wire.FreezeOrder
		if err := json.Unmarshal(f.Data, &o); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"pi-1", "pi-2"} {
			if o.Selector == "mesh" || host == "pi-1" {
				wants[host] = !o.Thaw
			}
		}
	})
	for sector, seen := range map[int]*orders{1: one, 2: two} {
		if is := seen.all(); !slices.Equal(is, facts) {
			t.Errorf("sector %d was sent %v, the facts are %v", sector, is, facts)
		}
	}
	var want []string
	for _, host := range []string{"pi-1", "pi-2"} {
		for i := range 3 {
			if wants[host] {
				want = append(want, fmt.Sprintf("%s-%d", host, i+1))
			}
		}
	}
	b.seesFrozen(want...)
}

func TestAFreezeThatIsLostIsSentAgain(t *testing.T) {
	b := newBench(t, 1)
	var lost atomic.Int32
	b.tamper = func(c *Core) {
		publish := c.outboxes[0].publish
		c.outboxes[0].publish = func(o *wire.ShardOrder) error {
			if o.Freeze != nil && lost.Add(1) == 1 {
				return nil
			}
			return publish(o)
		}
	}
	b.start(twoHosts())
	r, err := b.core.Freeze(t.Context(), order("cluster=1.2", false), nil)
	if err != nil || r.Covered != 3 || r.SilentN != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if lost.Load() < 2 {
		t.Error("the first order was not lost")
	}
	b.seesFrozen("pi-2-1", "pi-2-2", "pi-2-3")
}

func TestAFreezeWithoutAFactChangesNothing(t *testing.T) {
	b := newBench(t, 1)
	seen := b.watchOrders(1)
	b.start(twoHosts())
	b.facts.refusing(errRefused, wire.FactFreeze)
	if _, err := b.core.Freeze(t.Context(), order("mesh", false), nil); err == nil {
		t.Fatal("a freeze that is not durable succeeded")
	}
	b.facts.refusing(nil)
	// The next order comes after whatever the first would have sent.
	r, err := b.core.Freeze(t.Context(), order("cluster=1.1", false), nil)
	if err != nil {
		t.Fatal(err)
	}
	if is := seen.all(); !slices.Equal(is, []uint64{r.Seq}) {
		t.Errorf("the shard was sent %v, the only fact is %d", is, r.Seq)
	}
	b.seesFrozen("pi-1-1", "pi-1-2", "pi-1-3")
}

func TestAnOrderThatNoShardCouldObeyIsNoFact(t *testing.T) {
	b := newBench(t, 1)
	b.start(twoHosts())
	for _, o := range []wire.FreezeOrder{order("sector=9", false), {Undoes: 77, Selector: "mesh", Actor: "alice"}} {
		if _, err := b.core.Freeze(t.Context(), o, nil); err == nil {
			t.Errorf("%+v succeeded", o)
		}
	}
	if n := len(b.facts.of(wire.FactFreeze)) + len(b.facts.of(wire.FactFreezeUndone)); n > 0 {
		t.Errorf("%d facts", n)
	}
}

// A freeze that comes while a shard is being told its state must not make it
// pass over the older ones.
func TestAFreezeWhileAShardStartsFreezesNobodyLess(t *testing.T) {
	b := newBench(t, 1)
	memory := twoHosts()
	memory.Freezes = []wire.FreezeOrder{{Seq: 5, Selector: "cluster=1.1", Actor: "alice", At: time.Now().Add(-time.Hour)}}
	frozen := make(chan error, 1)
	b.tamper = func(c *Core) {
		publish, first := c.outboxes[0].publish, true
		c.outboxes[0].publish = func(o *wire.ShardOrder) error {
			if first {
				first = false
				go func() {
					_, err := c.Freeze(t.Context(), order("cluster=1.2", false), nil)
					frozen <- err
				}()
			}
			return publish(o)
		}
	}
	b.start(memory)
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	b.seesFrozen("pi-1-1", "pi-1-2", "pi-1-3", "pi-2-1", "pi-2-2", "pi-2-3")
}

func TestOrdersThatDecideNothingAreForgotten(t *testing.T) {
	b := newBench(t, 1)
	memory := twoHosts()
	at := time.Now().Add(-time.Hour)
	for i := range 2000 {
		memory.Freezes = append(memory.Freezes, wire.FreezeOrder{Seq: uint64(i + 1), Selector: "cluster=1.1", Thaw: i%2 == 1, Actor: "alice", At: at})
	}
	memory.Freezes[0].Selector = "cluster=1.2" // nothing has thawed it since
	b.start(memory)
	b.seesFrozen("pi-2-1", "pi-2-2", "pi-2-3")
	if known, _ := b.core.freezer.known(time.Time{}); len(known) > ordersKept+2 {
		t.Errorf("%d orders are kept of 2000", len(known))
	}
	if h := horizon(memory.Freezes, at); h != 1 {
		t.Errorf("an operation is open since before order 1, and order %d is the oldest that is kept", h)
	}
}

// An order that was meant for a shard that has failed must not reach the one in
// its place before that has been told what holds.
func TestAShardObeysNothingBeforeItIsToldWhatHolds(t *testing.T) {
	b := newBench(t, 1)
	memory := twoHosts()
	memory.Freezes = []wire.FreezeOrder{{Seq: 5, Selector: "cluster=1.1", Actor: "alice", At: time.Now().Add(-time.Hour)}}
	b.tamper = func(c *Core) {
		publish := c.outboxes[0].publish
		c.outboxes[0].publish = func(o *wire.ShardOrder) error {
			if o.Begin != nil {
				early := order("cluster=1.2", false)
				early.Seq = 99
				if err := publish(&wire.ShardOrder{Header: wire.Head(wire.TypeShardOrder), ID: "early", Freeze: &early}); err != nil {
					return err
				}
			}
			return publish(o)
		}
	}
	b.start(memory)
	b.seesFrozen("pi-1-1", "pi-1-2", "pi-1-3")
}
