package meshcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mesh30k/meshcore/wire"
)

// Append makes facts durable and returns them with their Seq, which ascends in
// the order given. It returns when all of them are on the disk.
//
// Appends that arrive while one is being written are written together, so that
// many callers cost little more than one. On an error no caller may act as if
// its facts were written: those of one Append may be durable in part, or all of
// them if the error is [ErrUncertain], and then [Ledger.Replay] tells.
func (l *Ledger) Append(ctx context.Context, facts ...wire.Fact) ([]wire.Fact, error) {
	if len(facts) == 0 {
		return nil, nil
	}
	p := &pending{facts: slices.Clone(facts), sizes: make([]int, len(facts)), done: make(chan error, 1)}
	for i := range p.facts {
		size, err := measure(&p.facts[i])
		if err != nil {
			return nil, err
		}
		p.sizes[i] = size
	}
	if err := l.writer.add(p); err != nil {
		return nil, err
	}
	select {
	case err := <-p.done:
		if err != nil {
			return nil, err
		}
		return p.facts, nil
	case <-ctx.Done():
		if l.writer.withdraw(p) {
			return nil, fmt.Errorf("facts: not written: %w", ctx.Err())
		}
		return nil, fmt.Errorf("facts: %w: %w", ErrUncertain, ctx.Err())
	}
}

// maxFact is the largest fact in bytes: a message of the stream holds it with
// its header.
const maxFact = wire.MaxPayload - 4096

// measure checks a fact in its caller's goroutine, so that the writer meets
// nothing that cannot be spelled, and returns its size in bytes.
func measure(f *wire.Fact) (int, error) {
	f.Seq = 0
	if f.Kind == "" || f.At.IsZero() {
		return 0, fmt.Errorf("fact %q at %v: want a kind and a time", f.Kind, f.At)
	}
	data, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return 0, fmt.Errorf("fact %s cannot be spelled: %w", f.Kind, err)
	}
	if len(data) > maxFact {
		return 0, fmt.Errorf("fact %s of %d bytes is over the limit of %d", f.Kind, len(data), maxFact)
	}
	return len(data), nil
}

// pending is one Append on its way.
type pending struct {
	facts []wire.Fact
	sizes []int
	left  int // facts that are not durable yet; the writer's
	done  chan error
}

// writer is the one goroutine that writes the stream, and its queue.
type writer struct {
	mu     sync.Mutex
	queue  []*pending
	closed bool
	wake   chan struct{} // holds one wake-up
	ended  chan struct{}
	stop   context.CancelFunc

	// The goroutine's own.
	run       string // makes the message ids of this process unlike those of others
	messages  uint64
	last      map[string]uint64 // last sequence by subject: the broker refuses a write after another
	uncertain bool              // last must be asked of the broker again
	dead      error             // writing has ended for good
}

func (l *Ledger) startWriter(ctx context.Context) error {
	w := &l.writer
	w.wake, w.ended = make(chan struct{}, 1), make(chan struct{})
	w.run = rand.Text()
	if err := l.locateEnds(ctx); err != nil {
		return err
	}
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	go l.write(live)
	return nil
}

// locateEnds asks the broker for the last sequence of each subject.
func (l *Ledger) locateEnds(ctx context.Context) error {
	last := map[string]uint64{}
	for _, subject := range []string{wire.SubjectFactKeep, wire.SubjectFactLog} {
		m, err := l.stream.GetLastMsgForSubject(ctx, subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			last[subject] = 0
		case err != nil:
			return fmt.Errorf("facts: the end of %s cannot be read: %w", subject, err)
		default:
			last[subject] = m.Sequence
		}
	}
	l.writer.last = last
	return nil
}

func (w *writer) add(p *pending) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("facts: not written: %w", ErrClosed)
	}
	w.queue = append(w.queue, p)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// withdraw takes back what the writer has not begun.
func (w *writer) withdraw(p *pending) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.queue, p)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

func (w *writer) take() (group []*pending, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	group, w.queue = w.queue, nil
	return group, w.closed
}

// Close writes what has been appended and ends the ledger; later Appends fail
// with [ErrClosed]. It waits for Patience at most.
func (l *Ledger) Close() {
	w := &l.writer
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	select {
	case <-w.ended:
	case <-time.After(l.opt.Patience):
	}
	w.stop()
	<-w.ended
}

// write is the writer's goroutine: whatever has gathered while the last group
// was written is the next group. Nobody waits for others to come.
func (l *Ledger) write(ctx context.Context) {
	w := &l.writer
	defer close(w.ended)
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
		group, closed := w.take()
		l.writeGroup(ctx, group)
		if closed {
			return
		}
	}
}

// writeGroup writes a group and answers each caller exactly once.
func (l *Ledger) writeGroup(ctx context.Context, group []*pending) {
	group = l.affordable(group)
	err := l.writer.dead
	if err == nil && l.writer.uncertain {
		if err = l.locateEnds(ctx); err == nil {
			l.writer.uncertain = false
		}
	}
	for _, m := range pack(group) {
		if err != nil {
			break
		}
		err = l.writeMessage(ctx, m)
	}
	for _, p := range group {
		if p.left > 0 {
			p.done <- err
		}
	}
}

// writeMessage makes one message of the stream durable and numbers its facts.
func (l *Ledger) writeMessage(ctx context.Context, m *message) error {
	batch := wire.FactBatch{Header: wire.Head(wire.TypeFacts), Facts: make([]wire.Fact, len(m.slots))}
	for i, s := range m.slots {
		batch.Facts[i] = s.owner.facts[s.index]
	}
	data := wire.Encode(&batch)
	seq, err := l.publish(ctx, m.subject, data)
	if err != nil {
		return fmt.Errorf("facts: not written: %w", err)
	}
	l.bytes.Add(int64(len(data)) + messageOverhead)
	for i, s := range m.slots {
		s.owner.facts[s.index].Seq = factSeq(seq, i)
		if s.owner.left--; s.owner.left == 0 {
			s.owner.done <- nil
		}
	}
	return nil
}

// publish writes data to subject, synchronously. While the broker does not
// answer it tries again, for Patience: the message's id makes that harmless.
func (l *Ledger) publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	w := &l.writer
	w.messages++
	msg := &nats.Msg{Subject: subject, Data: data}
	id := w.run + "-" + strconv.FormatUint(w.messages, 10)
	end := time.Now().Add(l.opt.Patience)
	for {
		seq, err := l.publishOnce(ctx, msg, id)
		if err == nil {
			w.last[subject] = seq
			return seq, nil
		}
		if wrongLast(err) {
			err = l.findOwnEnd(ctx, subject)
		}
		if api := (*jetstream.APIError)(nil); errors.As(err, &api) {
			return 0, refusal(api)
		}
		if w.dead != nil {
			return 0, w.dead
		}
		if time.Now().After(end) || pause(ctx, 50*time.Millisecond) != nil {
			w.uncertain = true
			return 0, fmt.Errorf("%w: the broker does not answer: %w", ErrUncertain, errors.Join(err, ctx.Err()))
		}
	}
}

func (l *Ledger) publishOnce(ctx context.Context, msg *nats.Msg, id string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opt.Patience/4)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id),
		jetstream.WithExpectLastSequencePerSubject(l.writer.last[msg.Subject]))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// wrongLast reports whether the broker refused a message because another was
// written before it.
func wrongLast(err error) bool {
	api := (*jetstream.APIError)(nil)
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == codeWrongLast)
}

// findOwnEnd finds out who wrote the message that the writer did not know of.
// It may be its own: a client sends what it kept while the broker was away, and
// the answer was no longer awaited. Anyone else's ends the writing for good.
func (l *Ledger) findOwnEnd(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, l.opt.Patience/4)
	defer cancel()
	m, err := l.stream.GetLastMsgForSubject(ctx, subject)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	if err == nil && strings.HasPrefix(m.Header.Get(jetstream.MsgIDHeader), l.writer.run+"-") {
		l.writer.last[subject] = m.Sequence
		return nil
	}
	l.writer.dead = fmt.Errorf("%w, or their end is damaged: end the other core, then start this one again", ErrOtherWriter)
	return l.writer.dead
}

// Codes of JetStream's refusals that nats.go has no names for.
const (
	codeStorageExceeded jetstream.ErrorCode = 10047
	codeResources       jetstream.ErrorCode = 10023
	codeAccountExceeded jetstream.ErrorCode = 10002
	codeStoreFailed     jetstream.ErrorCode = 10077
	codeWrongLast       jetstream.ErrorCode = 10164
)

// refusal says what the broker's refusal means. Nothing was written.
func refusal(api *jetstream.APIError) error {
	const budget = "free old facts with a shorter retention, or raise the budget"
	switch {
	case api.ErrorCode == codeStorageExceeded, api.ErrorCode == codeAccountExceeded,
		api.ErrorCode == codeStoreFailed && api.Description == "maximum bytes exceeded":
		return fmt.Errorf("%w: %s; %s", ErrBudget, api.Description, budget)
	case api.ErrorCode == codeStoreFailed, api.ErrorCode == codeResources:
		return fmt.Errorf("%w or fails: %s; free space, then start the core again", ErrDiskFull, api.Description)
	}
	return api
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
