package meshcore

import (
	"time"

	"github.com/nats-io/nats.go"
)

// overrunEvery is how often messages lost by overrun are said at most.
const overrunEvery = time.Minute

// inlet is what comes in over channels. When one is full NATS drops what comes,
// and tells only who asks.
type inlet struct {
	subs   []*nats.Subscription
	known  int // lost so far
	unsaid int
	saidAt time.Time
}

// lost are the messages dropped since it was last asked.
func (i *inlet) lost() int {
	total := 0
	for _, sub := range i.subs {
		if n, err := sub.Dropped(); err == nil {
			total += n
		}
	}
	lost := total - i.known
	i.known = total
	i.unsaid += lost
	return lost
}

// say returns how many lost messages are to be said now: 0 if there are none,
// or some have been said a short while ago.
func (i *inlet) say(now time.Time) int {
	if i.unsaid == 0 || now.Sub(i.saidAt) < overrunEvery {
		return 0
	}
	n := i.unsaid
	i.unsaid, i.saidAt = 0, now
	return n
}

func (i *inlet) close() {
	for _, sub := range i.subs {
		_ = sub.Unsubscribe() // fails only when the connection is closed
	}
}
