package meshcore

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"mesh30k/meshcore/wire"
)

func TestAHostSpeaksForItsOwnAgentsAlone(t *testing.T) {
	b := newBench(t, 1)
	place := wire.Address{Sector: 1, Cluster: 1}
	b.start(Memory{Hosts: []wire.HostJoined{
		joined("pi-1", enrolled("pi-1", place, 1, 2)), joined("pi-2", enrolled("pi-2", place, 3, 2)),
	}})
	h := b.host("pi-2", place)
	for range 5 {
		var ack wire.HeartbeatAck
		h.asks(wire.UplinkHeartbeat, h.beat("pi-1-1", "pi-2-3", "nobody"), wire.TypeHeartbeatAck, &ack)
	}
	hb := h.beat("pi-2-3")
	hb.Host = "pi-1" // as the neighbour, on its own subject
	h.says(wire.UplinkHeartbeat, hb)
	b.eventually("its own agent beats", func() (bool, string) {
		a := b.core.View().Agent("pi-2-3")
		return a != nil && a.State == wire.Active, fmt.Sprintf("%+v", a)
	})
	if a := b.core.View().Agent("pi-1-1"); a == nil || a.State.Heard() {
		t.Errorf("the neighbour's agent: %+v", a)
	}
	b.eventually("one fact", func() (bool, string) {
		n := len(b.facts.of(wire.FactForeignID))
		return n > 0, fmt.Sprintf("%d", n)
	})
	b.end() // what is said later than this is never said
	if facts := b.facts.of(wire.FactForeignID); len(facts) != 1 || facts[0].Host != "pi-2" {
		t.Errorf("%d facts of a host that did it five times within a minute: %+v", len(facts), facts)
	}
}

// panics is a logger at whose first error the goroutine that logs it fails.
type panics struct {
	slog.Handler
	left int
}

func (p *panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "order not understood" && p.left > 0 {
		p.left--
		panic("the shard meets what it did not expect")
	}
	return nil
}

func TestAShardThatFailsBeginsAnewAndForgetsNothing(t *testing.T) {
	b := newBench(t, 2)
	b.log = slog.New(&panics{Handler: slog.DiscardHandler, left: 2})
	memory := twoHosts()
	memory.Freezes = []wire.FreezeOrder{{Seq: 5, Selector: "cluster=1.2", Actor: "alice"}}
	b.start(memory)
	b.seesFrozen("pi-2-1", "pi-2-2", "pi-2-3")
	broken := connectTestCore(t, b.broker)
	for n := range 2 {
		// What the shard fails at comes again until it has failed.
		b.eventually("the shard fails", func() (bool, string) {
			if err := broken.Publish(wire.SubjectShard(1), []byte("?")); err != nil {
				t.Fatal(err)
			}
			is := len(b.facts.of(wire.FactRestarted))
			return is > n, fmt.Sprintf("%d restarts", is)
		})
	}
	h := b.host("pi-1", wire.Address{Sector: 1, Cluster: 1})
	b.eventually("its hosts are served again", func() (bool, string) {
		h.says(wire.UplinkHeartbeat, h.beat("pi-1-1"))
		a := b.core.View().Agent("pi-1-1")
		return a.State.Heard(), fmt.Sprintf("%+v", a)
	})
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan error, 1)
	go func() { // pi-1 lives and does not say that it obeys: waited for until ctx ends
		_, err := b.core.Freeze(ctx, order("cluster=1.1", false), nil)
		told <- err
	}()
	b.seesFrozen("pi-1-1", "pi-1-2", "pi-1-3", "pi-2-1", "pi-2-2", "pi-2-3")
	cancel()
	if err := <-told; err != nil {
		t.Error(err)
	}
}
