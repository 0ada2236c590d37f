package meshcore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

// lossy is a shard at the end of a way on which orders and answers get lost.
type lossy struct {
	box    *outbox
	lose   func(what string) bool
	way    []*wire.ShardOrder // sent, not arrived
	latest string
	obeyed []string // operations that it was told to forget: they name the orders
}

func newLossy(lose func(string) bool) *lossy {
	s := &lossy{lose: lose}
	s.box = &outbox{publish: func(o *wire.ShardOrder) error {
		if !s.lose("order") {
			s.way = append(s.way, o)
		}
		return nil
	}}
	return s
}

// hear takes what has arrived, like shard.obey.
func (s *lossy) hear() {
	for len(s.way) > 0 {
		o := s.way[0]
		s.way = s.way[1:]
		if o.ID != s.latest {
			s.latest = o.ID
			if o.End != nil {
				s.obeyed = append(s.obeyed, *o.End)
			}
		}
		if !s.lose("answer") {
			s.box.answered(&wire.ShardReport{ID: o.ID})
		}
	}
}

func begin() []*wire.ShardOrder { return []*wire.ShardOrder{{Begin: &wire.ShardHold{}}} }

func forget(op string) *wire.ShardOrder { return &wire.ShardOrder{End: &op} }

func TestOrdersArriveInOrderAndOnceWhateverIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lose := true
		s := newLossy(func(what string) bool { return lose && rapid.Bool().Draw(t, "lose the "+what) })
		s.box.renew("shard", begin)
		var put []string
		now := time.Now()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				put = append(put, fmt.Sprint("op", len(put)))
				s.box.put(forget(put[len(put)-1]), nil)
			case 1:
				s.hear()
			default:
				now = now.Add(2 * orderAgain)
				s.box.again(now)
			}
		}
		lose = false
		for range 2*len(put) + 4 {
			s.hear()
			now = now.Add(2 * orderAgain)
			s.box.again(now)
		}
		if !slices.Equal(s.obeyed, put) {
			t.Fatalf("ordered %v, obeyed %v", put, s.obeyed)
		}
	})
}

func TestAShardThatStartsIsToldTheStateBeforeAnythingElse(t *testing.T) {
	s := newLossy(func(string) bool { return false })
	waited := make(chan error, 1)
	s.box.put(forget("before it asked: part of the state"), func(err error) { waited <- err })
	s.box.put(&wire.ShardOrder{Inject: &wire.ShardInject{}}, nil)
	if s.hear(); s.latest != "" {
		t.Fatal("an order went before the shard had asked for its state")
	}
	s.box.renew("shard", func() []*wire.ShardOrder {
		s.box.put(forget("while the state was read"), nil)
		return append(begin(), forget("state 1"), forget("state 2"))
	})
	select {
	case <-waited:
		t.Fatal("who waits for what is part of the state was told before the shard was")
	default:
	}
	for range 8 {
		s.hear()
	}
	s.box.renew("shard", func() []*wire.ShardOrder { return append(begin(), forget("told already")) })
	s.hear()
	if want := []string{"state 1", "state 2", "while the state was read"}; !slices.Equal(s.obeyed, want) {
		t.Errorf("obeyed %q, want %q", s.obeyed, want)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestAnOrderThatIsTooLargeKeepsNoOtherBack(t *testing.T) {
	s := newLossy(func(string) bool { return false })
	publish := s.box.publish
	s.box.publish = func(o *wire.ShardOrder) error {
		if o.End != nil && *o.End == "large" {
			return nats.ErrMaxPayload
		}
		return publish(o)
	}
	s.box.renew("shard", begin)
	refused := make(chan error, 1)
	s.box.put(forget("large"), func(err error) { refused <- err })
	s.box.put(forget("next"), nil)
	for range 3 {
		s.hear()
	}
	if err := <-refused; !errors.Is(err, nats.ErrMaxPayload) || !slices.Equal(s.obeyed, []string{"next"}) {
		t.Errorf("refused with %v, obeyed %q", err, s.obeyed)
	}
}
