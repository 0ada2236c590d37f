package meshcore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mesh30k/meshcore/wire"
)

// fetchMessages is how many messages of the stream are asked for at once: 64
// of the largest are 64 MiB.
const fetchMessages = 64

// Replay calls fn with each message's facts, in order, from the one after the
// stream's sequence after (0: all) to the present end, and returns the sequence
// of the last one read: where to go on. An error of fn ends it and is returned;
// damage is a *[CorruptError], and all before it has been given to fn.
func (l *Ledger) Replay(ctx context.Context, after uint64, fn func(seq uint64, facts []wire.Fact) error) (last uint64, err error) {
	c := newChain(after)
	err = l.replay(ctx, c, fn)
	return c.seq, err
}

func (l *Ledger) replay(ctx context.Context, c *chain, fn func(uint64, []wire.Fact) error) error {
	state, err := l.State(ctx)
	if err != nil {
		return err
	}
	if c.seq >= state.Last {
		return corrupt(c.end(state.Last, *l.noted.Load()))
	}
	consumer, err := l.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       c.seq + 1, // a follower comes here again
		MemoryStorage:     true,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("facts: they cannot be read after sequence %d: %w", c.after, err)
	}
	defer func() {
		// It would go away by itself; this is only tidy.
		_ = l.stream.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name)
	}()
	for {
		n, err := l.fetch(ctx, consumer, c, fn)
		if err != nil {
			return err
		}
		if n == 0 {
			return corrupt(c.end(state.Last, *l.noted.Load()))
		}
	}
}

// fetch reads some messages, and returns how many there were.
func (l *Ledger) fetch(ctx context.Context, from jetstream.Consumer, c *chain, fn func(uint64, []wire.Fact) error) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	batch, err := from.FetchNoWait(fetchMessages)
	if err != nil {
		return 0, fmt.Errorf("facts: they cannot be read after sequence %d: %w", c.seq, err)
	}
	for m := range batch.Messages() {
		n++
		if err := l.tell(m, c, fn); err != nil {
			return n, err
		}
	}
	if err := batch.Error(); err != nil {
		return n, fmt.Errorf("facts: they cannot be read after sequence %d: %w", c.seq, err)
	}
	return n, nil
}

// tell checks a message and gives its facts to fn.
func (l *Ledger) tell(m jetstream.Msg, c *chain, fn func(uint64, []wire.Fact) error) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("facts: a message after sequence %d is not from the stream: %w", c.seq, err)
	}
	seq := meta.Sequence.Stream
	previous, err := strconv.ParseUint(m.Headers().Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	if err != nil {
		return &CorruptError{Seq: seq, Resume: seq, Reason: "it was not written by a ledger: it names no message before it"}
	}
	if err := c.add(m.Subject(), seq, previous, l.noted.Load().purged); err != nil {
		return err
	}
	var batch wire.FactBatch
	if err := wire.Decode(m.Data(), wire.TypeFacts, &batch); err != nil {
		return &CorruptError{Seq: seq, Resume: seq, Reason: err.Error()}
	}
	for i := range batch.Facts {
		batch.Facts[i].Seq = factSeq(seq, i)
	}
	return fn(seq, batch.Facts)
}

// Follow is [Ledger.Replay] that does not end: what is appended later is given
// to fn as it becomes durable, until ctx ends (whose error it returns then), fn
// fails, or there is damage. A broker that goes away is waited for.
func (l *Ledger) Follow(ctx context.Context, after uint64, fn func(seq uint64, facts []wire.Fact) error) error {
	c := newChain(after)
	for {
		err := l.replay(ctx, c, fn)
		if err == nil {
			err = l.follow(ctx, c, fn)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !away(err) {
			return err
		}
		if err := pause(ctx, followPause); err != nil {
			return err
		}
	}
}

// followPause is between two attempts to read from a broker that is away.
const followPause = 100 * time.Millisecond

// away reports whether an error says that the broker, or the stream in it, is
// not there now: both come back.
func away(err error) bool {
	for _, sign := range []error{
		jetstream.ErrMsgIteratorClosed, jetstream.ErrNoHeartbeat, jetstream.ErrNoStreamResponse, jetstream.ErrServerShutdown,
		jetstream.ErrConsumerDeleted, jetstream.ErrConsumerNotFound, jetstream.ErrOrderedConsumerReset,
		nats.ErrNoResponders, nats.ErrTimeout, nats.ErrDisconnected, nats.ErrConnectionReconnecting, context.DeadlineExceeded,
	} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}

// follow gives fn what comes after the present end.
func (l *Ledger) follow(ctx context.Context, c *chain, fn func(uint64, []wire.Fact) error) error {
	consumer, err := l.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   c.seq + 1,
	})
	if err != nil {
		return fmt.Errorf("facts: they cannot be followed after sequence %d: %w", c.seq, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("facts: they cannot be followed after sequence %d: %w", c.seq, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if err != nil {
			return fmt.Errorf("facts: they cannot be followed after sequence %d: %w", c.seq, err)
		}
		if err := l.tell(m, c, fn); err != nil {
			return err
		}
	}
}

// corrupt keeps a nil *CorruptError from becoming an error that is not nil.
func corrupt(e *CorruptError) error {
	if e == nil {
		return nil
	}
	return e
}
