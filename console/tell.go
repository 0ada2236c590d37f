package console

import (
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// Bounds of one RECORDS: well below the broker's limit of a message.
const (
	maxRows     = 200
	maxRowBytes = 256 << 10
)

// teller sends the answers to one DO, in order.
type teller struct {
	id string

	mu   sync.Mutex
	send func(wire.Message)
	said bool // something since the last sign of life

	rows  []jsontext.Value
	lines []string
	bytes int
}

func (t *teller) message(m wire.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = true
	t.send(m)
}

// progress passes on what an operation tells of itself.
func (t *teller) progress(p wire.Progress) {
	p.Header, p.ID = wire.Head(wire.TypeProgress), t.id
	t.message(&p)
}

// live sends a sign of life whenever there was nothing else to say for
// LifeSign, until stop is called.
func (t *teller) live() (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(LifeSign)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				t.sign()
			}
		}
	}()
	return func() { close(done); <-over }
}

func (t *teller) sign() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.said {
		t.send(&wire.Progress{Header: wire.Head(wire.TypeProgress), ID: t.id})
	}
	t.said = false
}

// row adds a row of the answer, and its line for people; a row without a line
// has "".
func (t *teller) row(v any, line string) error {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	if len(t.rows) >= maxRows || t.bytes+len(raw)+len(line) > maxRowBytes {
		t.flush()
	}
	t.rows = append(t.rows, raw)
	t.line(line)
	t.bytes += len(raw) + len(line)
	return nil
}

// line adds a line for people that belongs to no row.
func (t *teller) line(s string) {
	if s != "" {
		t.lines = append(t.lines, s+"\n")
	}
}

func (t *teller) flush() {
	if len(t.rows) == 0 && len(t.lines) == 0 {
		return
	}
	t.message(&wire.Records{Header: wire.Head(wire.TypeRecords), ID: t.id, Rows: t.rows, Text: strings.Join(t.lines, "")})
	t.rows, t.lines, t.bytes = nil, nil, 0
}

// end sends what is left and the outcome.
func (t *teller) end(out wire.Outcome) {
	t.flush()
	out.Header, out.ID = wire.Head(wire.TypeOutcome), t.id
	t.message(&out)
}
