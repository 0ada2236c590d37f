package meshcore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mesh30k/meshcore/wire"
)

// factWriter makes facts durable. *Ledger is the one that lasts.
type factWriter interface {
	Append(ctx context.Context, facts ...wire.Fact) ([]wire.Fact, error)
}

// scribe writes the facts of shards, which must not wait for a disk: it takes
// them in order, writes what has gathered together, and calls back when they
// are durable. A full disk loses nothing that was acknowledged, since nothing is
// acknowledged before its callback; what nobody is called back for (a change of
// mode, a silence) is lost then, and logged.
type scribe struct {
	facts factWriter
	log   *slog.Logger

	mu     sync.Mutex
	wake   sync.Cond
	queue  []entry
	closed bool
}

type entry struct {
	facts []wire.Fact
	done  func([]wire.Fact, error)
}

func newScribe(facts factWriter, log *slog.Logger) *scribe {
	s := &scribe{facts: facts, log: log}
	s.wake.L = &s.mu
	return s
}

// write queues facts; done is called from the scribe's goroutine when they are
// durable, or with the error that kept them from it. done may be nil.
func (s *scribe) write(facts []wire.Fact, done func([]wire.Fact, error)) {
	if len(facts) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return // who waits has ended, or begins anew with the next core
	}
	s.queue = append(s.queue, entry{facts, done})
	s.wake.Signal()
}

// insistEvery is how long insist waits after a failure.
const insistEvery = time.Second

// insist makes facts durable however often that takes, until the scribe is
// closed. They get ids: of a fact that is there twice readers take one.
func (s *scribe) insist(facts []wire.Fact, done func()) {
	for i := range facts {
		if facts[i].ID == "" {
			facts[i].ID = newID(facts[i].At)
		}
	}
	s.write(facts, func(_ []wire.Fact, err error) {
		if err == nil {
			done()
			return
		}
		time.AfterFunc(insistEvery, func() { s.insist(facts, done) })
	})
}

// run writes until close; what is queued then is still written.
func (s *scribe) run() {
	for {
		batch, ok := s.take()
		if !ok {
			return
		}
		var all []wire.Fact
		for _, e := range batch {
			all = append(all, e.facts...)
		}
		durable, err := s.facts.Append(context.Background(), all...)
		if err != nil {
			s.log.Error("facts could not be written", "facts", len(all), "err", err)
		}
		for _, e := range batch {
			if e.done != nil {
				if err != nil {
					e.done(nil, err)
				} else {
					e.done(durable[:len(e.facts)], nil)
				}
			}
			if err == nil {
				durable = durable[len(e.facts):]
			}
		}
	}
}

// take waits for something to write: at most FactsPerMessage facts, or one
// entry that has more.
func (s *scribe) take() ([]entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 {
		if s.closed {
			return nil, false
		}
		s.wake.Wait()
	}
	n, facts := 0, 0
	for n < len(s.queue) && (n == 0 || facts+len(s.queue[n].facts) <= wire.FactsPerMessage) {
		facts += len(s.queue[n].facts)
		n++
	}
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	return batch, true
}

func (s *scribe) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake.Signal()
}
