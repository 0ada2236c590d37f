package meshcore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mesh30k/meshcore/wire"
)

// Shares of the disk budget: above high old facts of kind "log" are taken away
// until low is reached.
const (
	retainHigh = 0.80
	retainLow  = 0.70
)

// headerSize is where the broker tells the size of a message of which only the
// headers are read.
const headerSize = "Nats-Msg-Size"

// Retained says what [Ledger.Retain] took away.
type Retained struct {
	Messages uint64 // of the stream
	Bytes    uint64
	// Held says that more should have gone, but is still needed: the budget
	// is too small for what is open.
	Held bool
}

// Retain takes away facts of kind "log" that are older than MaxAge at now, and,
// when four fifths of the disk budget are used, the oldest ones until seven
// tenths are. It never takes one of kind "keep", nor one at or after the
// stream's sequence oldestNeeded (0: none are needed): the start of the oldest
// operation that is open, or what a projection has not read.
func (l *Ledger) Retain(ctx context.Context, now time.Time, oldestNeeded uint64) (Retained, error) {
	l.retain.Lock()
	defer l.retain.Unlock()
	state, err := l.State(ctx)
	if err != nil {
		return Retained{}, err
	}
	wanted, err := l.retainBefore(ctx, now, state)
	if err != nil {
		return Retained{}, fmt.Errorf("facts: what has expired cannot be found: %w", err)
	}
	before := wanted
	if oldestNeeded > 0 {
		before = min(before, oldestNeeded)
	}
	held := before < wanted
	if before <= l.noted.Load().purged {
		return Retained{Held: held}, nil
	}
	if err := l.purge(ctx, before); err != nil {
		return Retained{}, fmt.Errorf("facts: what has expired cannot be taken away: %w", err)
	}
	left, err := l.State(ctx)
	if err != nil {
		return Retained{}, err
	}
	l.bytes.Store(int64(left.Bytes))
	return Retained{Messages: less(state.Messages, left.Messages), Bytes: less(state.Bytes, left.Bytes), Held: held}, nil
}

// Short reports whether so much of the disk budget is used that Retain would
// make room. It asks nobody.
func (l *Ledger) Short() bool {
	return float64(l.bytes.Load()) > retainHigh*float64(l.maxBytes.Load())
}

// less is a-b; facts that were written meanwhile must not make it negative.
func less(a, b uint64) uint64 { return a - min(a, b) }

// retainBefore finds the sequence before which facts of kind "log" may go. The
// last of them always stays: the next one names it.
func (l *Ledger) retainBefore(ctx context.Context, now time.Time, state LedgerState) (uint64, error) {
	last, err := l.stream.GetLastMsgForSubject(ctx, wire.SubjectFactLog)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	before := uint64(0)
	if l.opt.MaxAge > 0 {
		if before, err = l.firstSince(ctx, now.Add(-l.opt.MaxAge), last.Sequence); err != nil {
			return 0, err
		}
	}
	budget := float64(state.MaxBytes)
	if float64(state.Bytes) > retainHigh*budget {
		full, err := l.firstAfterBytes(ctx, state.Bytes-uint64(retainLow*budget))
		if err != nil {
			return 0, err
		}
		before = max(before, full)
	}
	return min(before, last.Sequence), nil
}

// firstSince is the first fact of kind "log" that was written at t or later;
// end if none was.
func (l *Ledger) firstSince(ctx context.Context, t time.Time, end uint64) (uint64, error) {
	seq := end
	err := l.scanLog(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &t,
	}, func(s uint64, _ int) bool {
		seq = s
		return false
	})
	return seq, err
}

// firstAfterBytes is the first fact of kind "log" after the oldest ones that
// make up size bytes.
func (l *Ledger) firstAfterBytes(ctx context.Context, size uint64) (uint64, error) {
	seq, sum := uint64(0), uint64(0)
	err := l.scanLog(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverAllPolicy,
	}, func(s uint64, n int) bool {
		seq = s
		if sum >= size {
			return false
		}
		sum += uint64(n) + messageOverhead
		return true
	})
	return seq, err
}

// scanLog reads the sizes of the messages of kind "log", from the oldest, until
// more returns false.
func (l *Ledger) scanLog(ctx context.Context, config jetstream.ConsumerConfig, more func(seq uint64, size int) bool) error {
	config.FilterSubject = wire.SubjectFactLog
	config.HeadersOnly = true
	config.AckPolicy = jetstream.AckNonePolicy
	config.MemoryStorage = true
	config.InactiveThreshold = time.Minute
	consumer, err := l.stream.CreateConsumer(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		_ = l.stream.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name)
	}()
	for {
		batch, err := consumer.FetchNoWait(fetchMessages)
		if err != nil {
			return err
		}
		n, stopped := 0, false
		for m := range batch.Messages() {
			n++
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			size, _ := strconv.Atoi(m.Headers().Get(headerSize))
			stopped = stopped || !more(meta.Sequence.Stream, size)
		}
		if err := batch.Error(); err != nil || stopped || n == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// purge takes away facts of kind "log" before a sequence. First it is written
// down that they may be missing, so that a kill in between is no damage.
func (l *Ledger) purge(ctx context.Context, before uint64) error {
	keep, err := l.lastKeep(ctx)
	if err != nil {
		return err
	}
	config := l.stream.CachedInfo().Config
	config.Metadata = maps.Clone(config.Metadata)
	config.Metadata[metaPurged] = strconv.FormatUint(before, 10)
	config.Metadata[metaKeep] = strconv.FormatUint(keep, 10)
	if _, err := l.js.UpdateStream(ctx, config); err != nil {
		return err
	}
	l.noted.Store(&noted{purged: before, keep: keep})
	return l.stream.Purge(ctx, jetstream.WithPurgeSubject(wire.SubjectFactLog), jetstream.WithPurgeSequence(before))
}

// lastKeep is the sequence of the last fact of kind "keep"; 0 if there is none.
func (l *Ledger) lastKeep(ctx context.Context) (uint64, error) {
	m, err := l.stream.GetLastMsgForSubject(ctx, wire.SubjectFactKeep)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}
