package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// exchange is a single message as it was on the wire, and the ACK that came.
type exchange struct {
	down, up        string // subjects
	coordinate, ack []byte
	sector          int
	cluster         string // subject of all hosts of the cluster: a host listens there too
}

// rawWait bounds how long the broker may take for a round trip.
const rawWait = 10 * time.Second

// recording is a round of single messages, one of each cluster.
type recording struct {
	exchanges  []exchange
	deliveries int // that the mesh made
}

// sizes are the mean bytes of a message and of its ACK.
func (r *recording) sizes() (message, ack int) {
	for _, x := range r.exchanges {
		message += len(x.coordinate)
		ack += len(x.ack)
	}
	n := max(1, len(r.exchanges))
	return message / n, ack / n
}

// record listens in while the mesh sends one agent of each cluster a message, so
// that plain NATS can be given the very same bytes afterwards.
func (b *BusBench) record(ctx context.Context, m *Mesh, url string) (*recording, error) {
	nc, err := b.connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	heard := make(chan *nats.Msg, 1<<16)
	for _, subject := range []string{"m.c.>", "m." + string(wire.UplinkAck) + ".>"} {
		if _, err := nc.ChanSubscribe(subject, heard); err != nil {
			return nil, fmt.Errorf("listening to %s: %w", subject, err)
		}
	}
	if err := nc.FlushTimeout(rawWait); err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	r := &recording{}
	if r.deliveries, err = b.broadcast(ctx, m, 0, b.oneOfEachCluster(0)); err != nil {
		return nil, err
	}
	sent, answered := map[string][]byte{}, map[string][]byte{}
	for len(answered) < r.deliveries || len(sent) < r.deliveries {
		select {
		case msg := <-heard:
			note(msg, sent, answered)
		case <-time.After(rawWait):
			return nil, fmt.Errorf("of %d single messages %d were heard, and %d answers", r.deliveries, len(sent), len(answered))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for subject, coordinate := range sent {
		r.exchanges = append(r.exchanges, replay(subject, coordinate, answered[subject]))
	}
	return r, nil
}

// note keeps a COORDINATE by its subject, and the ACK that says WORKED by the
// subject of the COORDINATE that it answers.
func note(msg *nats.Msg, sent, answered map[string][]byte) {
	if strings.HasPrefix(msg.Subject, "m.c.") {
		if kind, err := wire.PeekType(msg.Data); err == nil && kind == wire.TypeCoordinate {
			sent[msg.Subject] = msg.Data
		}
		return
	}
	var a wire.Ack
	if wire.Decode(msg.Data, wire.TypeAck, &a) != nil {
		return
	}
	for _, it := range a.Items {
		if it.State == wire.Worked {
			answered[wire.SubjectHost(a.Cluster, a.Host)] = msg.Data
		}
	}
}

// replay makes an exchange that plain NATS can repeat. Its subjects are those of
// the mesh with another first letter: as long and as deep, but nobody of the
// living mesh hears them.
func replay(subject string, coordinate, ack []byte) exchange {
	aside := func(subject string) string { return "r" + strings.TrimPrefix(subject, "m") }
	rest := strings.TrimPrefix(subject, "m.c.")
	end := strings.LastIndexByte(rest, '.')
	cluster, err := wire.ParseAddress(rest[:end])
	if err != nil {
		panic(fmt.Sprintf("lab: %s is no subject of a host: %v", subject, err)) // the core has sent on it
	}
	return exchange{
		sector:     cluster.Sector,
		down:       aside(subject),
		cluster:    aside(wire.SubjectCluster(cluster)),
		up:         aside(wire.UplinkAck.Subject(cluster, rest[end+1:])),
		coordinate: coordinate, ack: ack,
	}
}

func (b *BusBench) connect(ctx context.Context, url string) (*nats.Conn, error) {
	keys, err := b.Home.Keyring()
	if err != nil {
		return nil, err
	}
	return meshcore.ConnectCore(ctx, url, keys)
}

// raw sends the recorded messages round after round through the broker of the
// mesh, over plain NATS connections: one that sends, as the core's shards share
// one, and one a sector that answers each message with its recorded ACK, as a
// fleet has one a sector. A message counts when its ACK has come. As many are under
// way as in the flood of single messages.
func (b *BusBench) raw(ctx context.Context, url string, r *recording) (f flow, err error) {
	hosts := map[int][]exchange{}
	for _, x := range r.exchanges {
		hosts[x.sector] = append(hosts[x.sector], x)
	}
	sender, err := b.connect(ctx, url)
	if err != nil {
		return f, err
	}
	defer sender.Close()
	window := singleAtATime * len(r.exchanges) // any host may fall behind by all of it
	acks := make(chan *nats.Msg, window)
	for sector, its := range hosts {
		nc, err := b.connect(ctx, url)
		if err != nil {
			return f, err
		}
		defer nc.Close()
		if err := answer(nc, its, window); err != nil {
			return f, err
		}
		subject := "r" + strings.TrimPrefix(wire.UplinkAck.OfSector(sector), "m")
		if _, err := sender.ChanSubscribe(subject, acks); err != nil {
			return f, fmt.Errorf("subscribing to %s: %w", subject, err)
		}
	}
	if err := sender.FlushTimeout(rawWait); err != nil {
		return f, fmt.Errorf("subscribing: %w", err)
	}
	return b.pump(ctx, sender, r, window, acks)
}

// answer lets a connection answer messages as a host would.
func answer(nc *nats.Conn, its []exchange, room int) error {
	messages := make(chan *nats.Msg, room)
	byDown := map[string]*exchange{}
	for i := range its {
		byDown[its[i].down] = &its[i]
		for _, subject := range []string{its[i].cluster, its[i].down} {
			if _, err := nc.ChanSubscribe(subject, messages); err != nil {
				return fmt.Errorf("subscribing to %s: %w", subject, err)
			}
		}
	}
	closed := nc.StatusChanged(nats.CLOSED)
	go func() {
		for {
			select {
			case m := <-messages:
				if x := byDown[m.Subject]; x != nil {
					_ = nc.Publish(x.up, x.ack) // an answer that is missing is an error of the sender
				}
			case <-closed:
				return
			}
		}
	}()
	return nc.FlushTimeout(rawWait)
}

// pump sends for half as long as is to be measured, and takes ACKs until the last.
func (b *BusBench) pump(ctx context.Context, nc *nats.Conn, r *recording, window int, acks <-chan *nats.Msg) (f flow, err error) {
	patience := time.NewTimer(b.For + rawWait)
	defer patience.Stop()
	start := time.Now()
	sent, acked := 0, 0
	for sending := true; sending || acked < sent; {
		for sending && sent-acked < window {
			x := &r.exchanges[sent%len(r.exchanges)]
			if err := nc.Publish(x.down, x.coordinate); err != nil {
				return f, fmt.Errorf("sending over plain NATS: %w", err)
			}
			if sent++; sent%256 == 0 {
				sending = time.Since(start) < b.For/2
			}
		}
		select {
		case <-acks:
			acked++
		case <-patience.C:
			return f, fmt.Errorf("of %d messages over plain NATS only %d were acknowledged", sent, acked)
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
	return flow{worked: acked, took: time.Since(start)}, nil
}
