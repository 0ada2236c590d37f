package lab

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// witness is a third client on the bus, beside those who send heartbeats and
// the core that folds them: it counts what passes, with a code of its own.
type witness struct {
	conn   *nats.Conn
	sub    *nats.Subscription
	beats  atomic.Uint64
	failed atomic.Uint64 // messages that are no heartbeats
}

// witnessWait is how long the broker may take to let a witness in.
const witnessWait = 10 * time.Second

// watch connects a witness with the core's credentials; it sees what is sent
// from now on.
func watch(ctx context.Context, home *meshcore.Home, url string) (*witness, error) {
	keys, err := home.Keyring()
	if err != nil {
		return nil, err
	}
	w := &witness{}
	if w.conn, err = meshcore.ConnectCore(ctx, url, keys); err != nil {
		return nil, fmt.Errorf("connecting a witness: %w", err)
	}
	if w.sub, err = w.conn.Subscribe("m."+string(wire.UplinkHeartbeat)+".>", w.see); err == nil {
		err = w.sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = w.conn.FlushTimeout(witnessWait)
	}
	if err != nil {
		w.conn.Close()
		return nil, fmt.Errorf("subscribing a witness: %w", err)
	}
	return w, nil
}

func (w *witness) see(m *nats.Msg) {
	n, err := countBeats(m.Data)
	if err != nil {
		w.failed.Add(1)
		return
	}
	w.beats.Add(n)
}

// close ends the witness; an error if it may have counted wrongly.
func (w *witness) close() error {
	defer w.conn.Close()
	if n := w.failed.Load(); n > 0 {
		return fmt.Errorf("the witness could not read %d heartbeat messages", n)
	}
	if n, err := w.sub.Dropped(); err != nil || n > 0 {
		return fmt.Errorf("the witness missed %d messages (%w)", n, err)
	}
	return nil
}

// countBeats counts the members of "agents" in a HEARTBEAT and reads nothing
// else of it.
func countBeats(data []byte) (n uint64, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return 0, fmt.Errorf("no object: %w", err)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return 0, err
		}
		if name.String() != "agents" || d.PeekKind() != '[' {
			if err := d.SkipValue(); err != nil {
				return 0, err
			}
			continue
		}
		if _, err := d.ReadToken(); err != nil {
			return 0, err
		}
		for ; d.PeekKind() != ']'; n++ {
			if err := d.SkipValue(); err != nil {
				return 0, err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return 0, err
		}
	}
	_, err = d.ReadToken() // the closing brace
	return n, err
}
