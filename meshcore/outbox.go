package meshcore

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// orderAgain is how long the orchestrator waits for a shard's answer before it
// sends an order again.
const orderAgain = time.Second

// outbox is the orchestrator's way to one shard. An order can be lost on the way
// (a full channel, a link that breaks), and one that is lost or overtaken would
// be a freeze that a sector never heard of. So orders go one at a time, in the
// order given, each again until the shard has answered; the shard knows a repeat
// by its ID. Until the shard has asked for its state nothing goes.
type outbox struct {
	publish func(*wire.ShardOrder) error

	mu     sync.Mutex
	open   bool   // the shard has asked for its state
	shard  string // which of the sector's shards was told last
	queue  []mail
	sent   time.Time // when the first of the queue was sent last
	resent uint64
}

// mail is an order; done, if not nil, is called once: when the shard has taken
// the order on, or with what it says against it. It must not block.
type mail struct {
	order *wire.ShardOrder
	done  func(error)
}

// put queues an order behind the others.
func (b *outbox) put(o *wire.ShardOrder, done func(error)) {
	o.Header, o.ID = wire.Head(wire.TypeShardOrder), newID(time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, mail{o, done})
	if b.open && len(b.queue) == 1 {
		b.send()
	}
}

// send publishes the first order. One that is too large to be sent would keep
// the others back for ever: it is refused.
func (b *outbox) send() {
	for len(b.queue) > 0 {
		b.sent = time.Now()
		err := b.publish(b.queue[0].order)
		if !errors.Is(err, nats.ErrMaxPayload) {
			return // sent, or sent again when the link is back
		}
		refused := b.queue[0]
		b.queue = b.queue[1:]
		refused.tell(err)
	}
}

func (m mail) tell(err error) {
	if m.done != nil {
		m.done(err)
	}
}

// answered takes a shard's answer and sends the next order. It reports false if
// the answer is to none that is under way.
func (b *outbox) answered(r *wire.ShardReport) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 || b.queue[0].order.ID != r.ID {
		return false
	}
	first := b.queue[0]
	b.queue = b.queue[1:]
	b.send()
	if r.Err != nil {
		first.tell(r.Err)
	} else {
		first.tell(nil)
	}
	return true
}

// again sends the first order once more if its answer is overdue at now.
func (b *outbox) again(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open && len(b.queue) > 0 && now.Sub(b.sent) >= orderAgain {
		b.resent++
		b.send()
	}
}

// renew tells a shard that has started all that it must know. What waited is
// part of state, which is read after it was queued, but for faults: these are
// of the moment and follow behind. Whoever waited for an order waits for the
// last of state instead. A shard that asks once more is being told already.
func (b *outbox) renew(shard string, state func() []*wire.ShardOrder) {
	b.mu.Lock()
	if b.shard == shard {
		b.mu.Unlock()
		return
	}
	b.shard = shard
	var waiters []func(error)
	var behind []mail
	for _, m := range b.queue {
		switch {
		case m.order.Inject != nil:
			behind = append(behind, m)
		case m.done != nil:
			waiters = append(waiters, m.done)
		}
	}
	b.queue, b.open = nil, false
	b.mu.Unlock()

	var brief []mail
	for _, o := range state() { // what is put meanwhile comes after it
		o.Header, o.ID = wire.Head(wire.TypeShardOrder), newID(time.Now())
		brief = append(brief, mail{order: o})
	}
	brief[len(brief)-1].done = func(err error) {
		for _, done := range waiters {
			done(err)
		}
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(append(brief, behind...), b.queue...)
	b.open = true
	b.send()
}
