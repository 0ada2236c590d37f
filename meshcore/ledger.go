package meshcore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mesh30k/meshcore/wire"
)

// StreamFacts is the name of the stream of facts.
const StreamFacts = "FACTS"

// ledgerFormat is the version of the stream's content; a newer one is refused.
const ledgerFormat = 1

// Members of the stream's metadata.
const (
	metaFormat = "mesh30k-format"
	// metaPurged: facts of kind "log" before this sequence are gone because
	// their retention ended. Missing for another reason, they are damage.
	metaPurged = "mesh30k-purged-before"
	// metaKeep: the last fact of kind "keep" when metaPurged was written. Among
	// purged messages nothing else would tell that it is missing.
	metaKeep = "mesh30k-last-keep"
)

// Errors of a ledger that a caller may want to tell apart.
var (
	ErrBudget      = errors.New("the disk budget of facts is used up")
	ErrDiskFull    = errors.New("the disk is full")
	ErrOtherWriter = errors.New("another core writes to the same facts")
	ErrUncertain   = errors.New("it is not known whether the facts became durable")
	ErrClosed      = errors.New("the ledger is closed")
)

// CorruptError says that the stream of facts is damaged. Reading stops there:
// the core does not start on half a memory. Who wants to live with the loss
// reads on after Resume.
type CorruptError struct {
	Seq    uint64 // the stream's sequence that is damaged or missing
	Resume uint64 // Replay after this one goes on behind the damage; 0: nothing follows
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("the facts are damaged at sequence %d: %s; restore the mesh's directory from a backup", e.Seq, e.Reason)
}

// Unwrap makes it an [ErrDamaged].
func (e *CorruptError) Unwrap() error { return ErrDamaged }

// ErrDamaged is what every *CorruptError is.
var ErrDamaged = errors.New("the facts are damaged")

// LedgerOptions configure a ledger.
type LedgerOptions struct {
	MaxBytes int64         // disk budget of the facts in bytes; default 2 GiB
	MaxAge   time.Duration // of facts of kind "log", for Retain; 0: only the budget ends them
	// Dir is where an embedded broker keeps the stream. With it an append is
	// refused before the disk is full; without, the broker's word is awaited.
	Dir      string
	Replicas int // of the stream, on a cluster of brokers; default 1
	// Patience is how long an append is tried again while the broker does not
	// answer; default 10 s.
	Patience time.Duration
}

// DefaultLedgerBytes is the disk budget of the facts without another word: 2 GiB.
const DefaultLedgerBytes = 2 << 30

// Ledger is the facts of a mesh: a JetStream stream that only grows, but for
// what [Ledger.Retain] takes away. Its methods may be called from any
// goroutine. One process writes; see DESIGN.md.
type Ledger struct {
	js       jetstream.JetStream
	stream   jetstream.Stream
	opt      LedgerOptions
	maxBytes atomic.Int64 // of the stream, as the broker has it
	bytes    atomic.Int64 // the stream's size, about
	noted    atomic.Pointer[noted]

	free func() int64 // of the disk, in bytes

	retain sync.Mutex // one Retain at a time

	writer writer
}

// OpenLedger opens the stream of facts, or makes it if the broker has none.
// It reads nothing yet but where the stream ends. nc stays the caller's.
func OpenLedger(ctx context.Context, nc *nats.Conn, o LedgerOptions) (*Ledger, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultLedgerBytes
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	l := &Ledger{js: js, opt: o, free: freeOf(o.Dir)}
	if err := l.openStream(ctx); err != nil {
		return nil, err
	}
	if err := l.startWriter(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Ledger) openStream(ctx context.Context) error {
	stream, err := l.js.Stream(ctx, StreamFacts)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = l.js.CreateStream(ctx, l.streamConfig())
	}
	if err != nil {
		return fmt.Errorf("facts: the stream cannot be opened: %w", err)
	}
	config := stream.CachedInfo().Config
	if format, _ := strconv.Atoi(config.Metadata[metaFormat]); format > ledgerFormat {
		return fmt.Errorf("facts: %w (format %d; this program knows up to %d); nothing was touched: use that version", ErrNewer, format, ledgerFormat)
	}
	if config.MaxBytes != l.opt.MaxBytes {
		config.MaxBytes = l.opt.MaxBytes
		if stream, err = l.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("facts: the disk budget cannot be set to %d bytes: %w", l.opt.MaxBytes, err)
		}
	}
	n, err := readNoted(config.Metadata)
	if err != nil {
		return err
	}
	l.noted.Store(&n)
	l.stream = stream
	l.maxBytes.Store(config.MaxBytes)
	l.bytes.Store(int64(stream.CachedInfo().State.Bytes))
	return nil
}

func (l *Ledger) streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamFacts,
		Description: "what the mesh must still know after a restart",
		Subjects:    []string{wire.SubjectFacts},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		MaxBytes:    l.opt.MaxBytes,
		Discard:     jetstream.DiscardNew, // nothing old ever makes room for something new
		DenyDelete:  true,                 // a purge by sequence stays possible, for retention
		Replicas:    l.opt.Replicas,
		Duplicates:  2 * time.Minute, // longer than Patience: a repeat is recognised
		Metadata:    map[string]string{metaFormat: strconv.Itoa(ledgerFormat)},
	}
}

// readNoted reads what retention has written down; nothing if it never ran.
func readNoted(metadata map[string]string) (n noted, err error) {
	for name, value := range map[string]*uint64{metaPurged: &n.purged, metaKeep: &n.keep} {
		if text, ok := metadata[name]; ok {
			if *value, err = strconv.ParseUint(text, 10, 64); err != nil {
				return noted{}, fmt.Errorf("facts: the stream's note %s is damaged: %w", name, err)
			}
		}
	}
	return n, nil
}

// LedgerState says how large the facts are.
type LedgerState struct {
	First, Last uint64 // sequences of the stream; Last 0: no facts yet
	Messages    uint64
	Bytes       uint64
	MaxBytes    int64
	LogPurged   uint64 // facts of kind "log" before this sequence have been retained long enough and are gone
}

// State asks the broker how large the facts are.
func (l *Ledger) State(ctx context.Context) (LedgerState, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return LedgerState{}, fmt.Errorf("facts: the stream does not answer: %w", err)
	}
	s := info.State
	return LedgerState{
		First: s.FirstSeq, Last: s.LastSeq, Messages: s.Msgs, Bytes: s.Bytes,
		MaxBytes: info.Config.MaxBytes, LogPurged: l.noted.Load().purged,
	}, nil
}

// factSeq is the sequence of the fact at place in the stream's message seq.
func factSeq(seq uint64, place int) uint64 { return 1000*seq + uint64(place) }

// ID tells this stream of facts from another that may be made in its place: the
// time at which it was made.
func (l *Ledger) ID() string { return l.stream.CachedInfo().Created.UTC().Format(time.RFC3339Nano) }
