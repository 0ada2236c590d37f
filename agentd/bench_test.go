package agentd

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// benchLoop is a loop with a cluster of 30 emulated agents, connected to a
// broker that nobody else listens on.
func benchLoop(b testing.TB) (*loop, *cluster) {
	b.Helper()
	s := broker(b)
	h, err := NewHost(Config{
		Mesh: "test", Host: "pi", Sector: 7, Clusters: []wire.Address{testCluster}, Log: slog.New(slog.DiscardHandler),
		Connect: func(opts ...nats.Option) (*nats.Conn, error) { return nats.Connect(s.ClientURL(), opts...) },
		Emulate: func(wire.Enrolled) Emulation { return &puppet{leg: 20 * time.Millisecond} },
	})
	if err != nil {
		b.Fatal(err)
	}
	j, _, err := openJournal(b.TempDir(), false, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	l := h.newLoop(context.Background(), j)
	if err := l.connect(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		l.disconnect()
		_ = j.close() // twice, where a test has closed it
	})
	l.link.up = true
	c := l.order[0]
	c.welcomed, c.maxQueue = true, 1000
	l.enrol(c, enrolled(30))
	return l, c
}

// BenchmarkHeartbeat is one HEARTBEAT of 30 agents with full rings, measured,
// spelled and sent. 30,000 agents need 200 of these a second.
func BenchmarkHeartbeat(b *testing.B) {
	l, c := benchLoop(b)
	for range ringSize {
		for _, a := range c.agents {
			a.profile.leg(jitter(time.Second))
			a.profile.served(jitter(time.Second), 1)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		l.now = l.now.Add(5 * time.Second)
		l.sendBeat(c)
	}
}

// BenchmarkDelivery is one message to a cluster of 30 from COORDINATE to the
// acknowledged WORKED, journal on disk included; agent-deliveries/s are 30
// times its rate.
func BenchmarkDelivery(b *testing.B) {
	l, c := benchLoop(b)
	payload := []byte(`{"do":"it"}`)
	n := 0
	for b.Loop() {
		n++
		m := &wire.Coordinate{Header: wire.Head(wire.TypeCoordinate), MeshMessage: wire.MeshMessage{
			MessageID: fmt.Sprint("m", n), All: true, TTLMS: 60_000, Priority: 2, PayloadWeight: 1,
			Payload: payload, PayloadHash: wire.HashPayload(payload), Verb: wire.Act,
		}}
		if err := l.down(c, wire.Encode(m)); err != nil {
			b.Fatal(err)
		}
		for int(l.stats.worked.Load()) < 30*n || !l.ackDue.IsZero() {
			l.now = l.now.Add(50 * time.Millisecond)
			if err := l.turn(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(30*n)/b.Elapsed().Seconds(), "deliveries/s")
}
