package gather_test

import (
	"slices"
	"testing"
	"time"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/wire"
)

// start is when the operations of these tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is start and so many seconds.
func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// of is a set of ordinals.
func of(ordinals ...int) (b wire.Bits) {
	for _, n := range ordinals {
		b.Add(n)
	}
	return b
}

// list is a set's members.
func list(b wire.Bits) []int { return slices.Collect(b.All()) }

const ttl = 30 // seconds

// order is an operation to agents of the sector, with 30 s to live.
func order(targets ...int) wire.ShardDelivery {
	return wire.ShardDelivery{
		Operation: "op", Message: wire.MeshMessage{MessageID: "op", TTLMS: ttl * 1000},
		Targets: of(targets...), Started: start, Deadline: at(ttl),
	}
}

func state(t *testing.T, s *gather.Set, n int) wire.DeliveryState {
	t.Helper()
	got, ok := s.State(n)
	if !ok {
		t.Fatalf("%d is no target", n)
	}
	return got
}

// reach brings the delivery to agent 1 into a state.
func reach(t *testing.T, want wire.DeliveryState) *gather.Set {
	t.Helper()
	s := gather.NewSet(order(1), start)
	switch want {
	case wire.Unsent:
	case wire.Sent:
		s.Sent(start, of(1))
	case wire.Frozen:
		s.Freeze(start, of(1))
	default:
		s.Mark(start, want, of(1), "", false)
	}
	if got := state(t, s, 1); got != want {
		t.Fatalf("the delivery is %s, want %s", got, want)
	}
	return s
}

// Whatever a host says in whatever state, deliveries only go forward and a final
// state is never left.
func TestEveryWordInEveryState(t *testing.T) {
	for _, from := range wire.DeliveryStates() {
		for _, said := range wire.DeliveryStates() {
			s := reach(t, from)
			want := from
			if said >= wire.Received && !from.Final() && said > from {
				want = said
			}
			changed := s.Mark(at(1), said, of(1, 99), "", false)
			if got := state(t, s, 1); got != want {
				t.Errorf("%s, host says %s: became %s, want %s", from, said, got, want)
			}
			if changed.Has(1) != (want != from) || changed.Has(99) {
				t.Errorf("%s, host says %s: changed %v", from, said, list(changed))
			}
			if late := s.Late().Has(1); late != (from.Final() && said.Final() && from != said) {
				t.Errorf("%s, host says %s: late is %v", from, said, late)
			}
		}
	}
}

func TestSentFreezeAndThawInEveryState(t *testing.T) {
	type step func(*gather.Set)
	sent := func(s *gather.Set) { s.Sent(at(1), of(1)) }
	freeze := func(s *gather.Set) { s.Freeze(at(1), of(1)) }
	thaw := func(s *gather.Set) { s.Thaw(at(2), of(1)) }
	same := func(s wire.DeliveryState) wire.DeliveryState { return s }
	for _, c := range []struct {
		name  string
		steps []step
		want  func(wire.DeliveryState) wire.DeliveryState
	}{
		{"sent", []step{sent}, func(s wire.DeliveryState) wire.DeliveryState {
			if s == wire.Unsent {
				return wire.Sent
			}
			return s
		}},
		{"frozen", []step{freeze}, func(s wire.DeliveryState) wire.DeliveryState {
			if s < wire.Received {
				return wire.Frozen
			}
			return s
		}},
		{"frozen and thawed", []step{freeze, thaw}, func(s wire.DeliveryState) wire.DeliveryState {
			if s == wire.Frozen {
				return wire.Unsent
			}
			return s
		}},
		{"frozen while it was being sent, and thawed", []step{freeze, sent, thaw}, func(s wire.DeliveryState) wire.DeliveryState {
			if s < wire.Received {
				return wire.Sent
			}
			return s
		}},
		{"thawed without a freeze", []step{thaw}, func(s wire.DeliveryState) wire.DeliveryState {
			if s == wire.Frozen {
				return wire.Unsent
			}
			return s
		}},
		{"expired too early", []step{func(s *gather.Set) { s.Expire(at(1)) }}, same},
	} {
		for _, from := range wire.DeliveryStates() {
			s := reach(t, from)
			for _, do := range c.steps {
				do(s)
			}
			if got := state(t, s, 1); got != c.want(from) {
				t.Errorf("%s, %s: became %s, want %s", from, c.name, got, c.want(from))
			}
		}
	}
}

func TestWhatIsNotAcknowledgedIsSentAgainLaterAndLater(t *testing.T) {
	s := gather.NewSet(order(1), start)
	var times []float64
	for tenth := range ttl * 10 {
		now := at(float64(tenth) / 10)
		if due := s.Due(now); due.Has(1) {
			s.Sent(now, due)
			times = append(times, float64(tenth)/10)
		}
	}
	if want := []float64{0, 1, 3, 7, 15}; !slices.Equal(times, want) {
		t.Errorf("sent at %v, want %v", times, want)
	}
	if got := s.Attempt(1); got != 5 {
		t.Errorf("%d attempts", got)
	}
}

func TestAnAcknowledgedMessageIsAskedForSlower(t *testing.T) {
	s := gather.NewSet(order(1), start)
	s.Sent(start, of(1))
	s.Mark(at(0.5), wire.Received, of(1), "", false)
	if due := s.Due(at(5.4)); !due.Empty() {
		t.Error("sent again after 4.9 s")
	}
	if due := s.Due(at(5.5)); !due.Has(1) {
		t.Error("its answer may be lost, but it is not asked for after 5 s")
	}
	s.Mark(at(6), wire.Worked, of(1), "", false)
	if due := s.Due(at(20)); !due.Empty() {
		t.Error("sent again although it is final")
	}
}

func TestAHostThatComesBackIsNotKeptWaiting(t *testing.T) {
	s := gather.NewSet(order(1, 2), start)
	s.Sent(start, of(1, 2))
	s.Hurry(of(1))
	if due := s.Due(at(0.1)); !slices.Equal(list(due), []int{1}) {
		t.Errorf("due: %v", list(due))
	}
}

func TestTimeToLiveStandsStillWhileFrozen(t *testing.T) {
	s := gather.NewSet(order(1, 2, 3), start)
	s.Sent(start, of(1, 2, 3))
	s.Mark(at(1), wire.Received, of(2), "", false)
	s.Freeze(at(10), of(1, 2))
	s.Freeze(at(12), of(1)) // again: changes nothing

	if due := s.Due(at(25)); !slices.Equal(list(due), []int{3}) {
		t.Errorf("due while frozen: %v", list(due))
	}
	if over := s.Expire(at(1000)); !slices.Equal(list(over), []int{3}) {
		t.Errorf("expired while frozen: %v", list(over))
	}
	if got := s.Remaining(at(1000), 1); got != 20*time.Second {
		t.Errorf("%v remain while frozen, want 20s", got)
	}
	s.Thaw(at(1000), of(1, 2, 3))
	if due := s.Due(at(1000)); !slices.Equal(list(due), []int{1, 2}) {
		t.Errorf("due after the thaw: %v", list(due))
	}
	if got := s.Remaining(at(1005), 1); got != 15*time.Second {
		t.Errorf("%v remain 5 s after the thaw, want 15s", got)
	}
	if over := s.Expire(at(1019.9)); !over.Empty() {
		t.Errorf("expired early: %v", list(over))
	}
	if over := s.Expire(at(1020)); !slices.Equal(list(over), []int{1}) {
		t.Errorf("expired: %v", list(over))
	}
	if over := s.Expire(at(1020).Add(gather.Grace)); !slices.Equal(list(over), []int{2}) || !s.Done() {
		t.Errorf("what a host has, after the grace: %v", list(over))
	}
}

func TestAFreezeFromBeforeTheOperationCountsFromItsStart(t *testing.T) {
	s := gather.NewSet(order(1), start)
	s.Freeze(at(-100), of(1))
	s.Thaw(at(10), of(1))
	if got := s.Remaining(at(10), 1); got != ttl*time.Second {
		t.Errorf("%v remain, want all", got)
	}
}

func TestAfterARestartHostsAreAskedBeforeAnythingExpires(t *testing.T) {
	resumed := order(1, 2, 3)
	resumed.Resumed = true
	resumed.Final = []wire.DeliveryFact{{State: wire.Worked, Code: wire.CodeTaskError, Agents: of(3), Again: of(3)}}
	resumed.FrozenMS = map[string]float64{"2": 25_000}
	s := gather.NewSet(resumed, at(50)) // the core was down when the time ran out

	if due := s.Due(at(50)); !slices.Equal(list(due), []int{1, 2}) {
		t.Fatalf("due: %v", list(due))
	}
	if a, b := s.Remaining(at(50), 1), s.Remaining(at(50), 2); a != 0 || b != 5*time.Second {
		t.Errorf("%v and %v remain", a, b)
	}
	if over := s.Expire(at(50)); !over.Empty() {
		t.Errorf("expired unasked: %v", list(over))
	}
	s.Mark(at(51), wire.Worked, of(1), "", false) // from its host's journal
	if over := s.Expire(at(50).Add(gather.Grace)); !slices.Equal(list(over), []int{2}) {
		t.Errorf("expired: %v", list(over))
	}
	p := s.Progress()
	if !slices.Equal(list(p.States[wire.Worked]), []int{1, 3}) || !slices.Equal(list(p.Again), []int{3}) || !p.Codes[wire.CodeTaskError].Has(3) {
		t.Errorf("progress %+v", p)
	}
	if facts := s.TakeFacts(); len(facts) != 2 || facts[0].Agents.Has(3) {
		t.Errorf("what is a fact was told again: %+v", facts)
	}
}

func TestFactsAreGroupedAndTakenOnce(t *testing.T) {
	s := gather.NewSet(order(1, 2, 3, 4, 5, 6), start)
	s.Mark(start, wire.Worked, of(1, 2), "", false)
	s.Mark(start, wire.Refused, of(3), wire.CodeQueueFull, false)
	s.Mark(start, wire.Refused, of(4), wire.CodeCapability, false)
	s.Mark(start, wire.Worked, of(5), wire.CodeTaskError, true)
	if s.Progress().Settled {
		t.Error("settled before anything was taken")
	}
	type group struct {
		state wire.DeliveryState
		code  wire.Code
		n     int
		again int
	}
	var got []group
	for _, f := range s.TakeFacts() {
		got = append(got, group{f.State, f.Code, f.Agents.Len(), f.Again.Len()})
	}
	want := []group{
		{wire.Worked, "", 2, 0},
		{wire.Worked, wire.CodeTaskError, 1, 1},
		{wire.Refused, wire.CodeCapability, 1, 0},
		{wire.Refused, wire.CodeQueueFull, 1, 0},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if facts := s.TakeFacts(); len(facts) != 0 || !s.Progress().Settled {
		t.Errorf("taken twice: %v", facts)
	}
	if s.Done() {
		t.Error("done, but 6 has not answered")
	}
}

func TestARepeatAfterItsFactBecomesAFactToo(t *testing.T) {
	s := gather.NewSet(order(1), start)
	s.Mark(start, wire.Worked, of(1), "", false)
	s.TakeFacts()
	s.Mark(at(1), wire.Worked, of(1), "", false) // from the journal: not worked again
	if facts := s.TakeFacts(); len(facts) != 0 {
		t.Fatalf("an answer repeated became %v", facts)
	}
	for range 2 {
		s.Mark(at(2), wire.Worked, of(1), "", true)
	}
	facts := s.TakeFacts()
	if len(facts) != 1 || facts[0].State != wire.Worked || !facts[0].Agents.Has(1) || !facts[0].Again.Has(1) {
		t.Fatalf("got %+v", facts)
	}
	if facts := s.TakeFacts(); len(facts) != 0 {
		t.Errorf("told twice: %+v", facts)
	}
}
