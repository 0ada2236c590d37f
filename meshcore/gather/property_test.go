package gather_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/wire"
)

const agents = 6

// machine drives a Set through random events beside a model of its own.
type machine struct {
	set   *gather.Set
	now   time.Time
	final map[int]wire.DeliveryState // as the model saw it become
	told  map[int]wire.DeliveryState // by TakeFacts
	facts []wire.DeliveryFact

	frozenAt map[int]time.Time     // since when, if it is
	stood    map[int]time.Duration // time frozen that has ended
}

func everyone() wire.ShardDelivery {
	all := make([]int, agents)
	for i := range all {
		all[i] = 3 * i
	}
	return order(all...)
}

func newMachine() *machine {
	return &machine{
		set: gather.NewSet(everyone(), start), now: start,
		final: map[int]wire.DeliveryState{}, told: map[int]wire.DeliveryState{},
		frozenAt: map[int]time.Time{}, stood: map[int]time.Duration{},
	}
}

func (m *machine) some(t *rapid.T) (b wire.Bits) {
	for i := range agents {
		if rapid.Bool().Draw(t, "in") {
			b.Add(3 * i)
		}
	}
	return b
}

// left is the time to live that the model counts.
func (m *machine) left(n int) time.Duration {
	until := m.now
	if since, frozen := m.frozenAt[n]; frozen {
		until = since
	}
	return ttl*time.Second - until.Sub(start) + m.stood[n]
}

func (m *machine) step(t *rapid.T) {
	switch rapid.IntRange(0, 7).Draw(t, "event") {
	case 0:
		m.now = m.now.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
	case 1:
		b := m.some(t)
		m.set.Freeze(m.now, b)
		for n := range b.All() {
			if _, frozen := m.frozenAt[n]; !frozen {
				m.frozenAt[n] = m.now
			}
		}
	case 2:
		b := m.some(t)
		m.set.Thaw(m.now, b)
		for n := range b.All() {
			if since, frozen := m.frozenAt[n]; frozen {
				m.stood[n] += m.now.Sub(since)
				delete(m.frozenAt, n)
			}
		}
	case 3:
		m.send(t)
	case 4:
		m.expire(t)
	case 5:
		m.take(t)
	default:
		said := rapid.SampledFrom(wire.DeliveryStates()).Draw(t, "state")
		code := rapid.SampledFrom([]wire.Code{"", wire.CodeTaskError}).Draw(t, "code")
		changed := m.set.Mark(m.now, said, m.some(t), code, rapid.Bool().Draw(t, "again"))
		if said.Final() {
			m.ended(t, changed, said)
		}
	}
}

func (m *machine) ended(t *rapid.T, changed wire.Bits, as wire.DeliveryState) {
	for n := range changed.All() {
		if before, over := m.final[n]; over {
			t.Fatalf("%d was %s and became %s", n, before, as)
		}
		m.final[n] = as
	}
}

func (m *machine) send(t *rapid.T) {
	due := m.set.Due(m.now)
	for n := range due.All() {
		s, _ := m.set.State(n)
		if _, frozen := m.frozenAt[n]; frozen || s.Final() || s == wire.Frozen {
			t.Fatalf("%d is to be sent to, but is %s, frozen %v", n, s, frozen)
		}
		if m.left(n) <= 0 && s < wire.Received {
			t.Fatalf("%d is to be sent to with %v to live", n, m.left(n))
		}
	}
	m.set.Sent(m.now, due)
	if again := m.set.Due(m.now); !again.Empty() {
		t.Fatalf("%v are due at once after they were sent to", list(again))
	}
}

func (m *machine) expire(t *rapid.T) {
	var want []int
	for i := range agents {
		n := 3 * i
		s, _ := m.set.State(n)
		limit := time.Duration(0)
		if s >= wire.Received {
			limit = -gather.Grace
		}
		if _, frozen := m.frozenAt[n]; !frozen && !s.Final() && m.left(n) <= limit {
			want = append(want, n)
		}
	}
	over := m.set.Expire(m.now)
	if got := list(over); !slices.Equal(got, want) {
		t.Fatalf("expired %v, want %v", got, want)
	}
	m.ended(t, over, wire.Expired)
}

func (m *machine) take(t *rapid.T) {
	facts := m.set.TakeFacts()
	for _, f := range facts {
		for n := range f.Agents.All() {
			if before, told := m.told[n]; told && before != f.State {
				t.Fatalf("facts say that %d is %s and %s", n, before, f.State)
			}
			m.told[n] = f.State
		}
	}
	m.facts = append(m.facts, facts...)
}

// check compares all that can be asked with the model.
func (m *machine) check(t *rapid.T) {
	p := m.set.Progress()
	seen := 0
	for s, b := range p.States {
		seen += b.Len()
		for n := range b.All() {
			if got, ok := m.set.State(n); !ok || got != s {
				t.Fatalf("%d is in the set of %s and says %s", n, s, got)
			}
			_, frozen := m.frozenAt[n]
			switch final, over := m.final[n]; {
			case over != s.Final() || over && final != s:
				t.Fatalf("%d is %s, was to be %s (%v)", n, s, final, over)
			case (s == wire.Frozen) != (frozen && s < wire.Received):
				t.Fatalf("%d is %s, its agent frozen: %v", n, s, frozen)
			case !over && m.set.Remaining(m.now, n) != max(0, m.left(n)):
				t.Fatalf("%d has %v to live, want %v", n, m.set.Remaining(m.now, n), m.left(n))
			}
		}
	}
	if seen != agents || m.set.Done() != (len(m.final) == agents) {
		t.Fatalf("%d states, done %v", seen, m.set.Done())
	}
	m.checkWake(t)
}

// checkWake: something happens at NextWake, and nothing before.
func (m *machine) checkWake(t *rapid.T) {
	wake := m.set.NextWake(m.now)
	if wake.IsZero() || !wake.After(m.now) {
		return
	}
	just := wake.Add(-time.Nanosecond)
	if due := m.set.Due(just); !due.Empty() {
		t.Fatalf("%v are due before the wake", list(due))
	}
	early := false
	for i := range agents {
		s, _ := m.set.State(3 * i)
		early = early || !s.Final() && m.set.Due(wake).Has(3*i) || m.set.Remaining(wake, 3*i) == 0
	}
	if !early {
		t.Fatal("woken for nothing")
	}
}

// In any order of events there are never two final states, time to live never
// counts frozen time, and only who may be sent to is.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			m.step(t)
			m.check(t)
		}
		m.take(t)
		if len(m.told) != len(m.final) {
			t.Fatalf("%d are final, facts tell of %d", len(m.final), len(m.told))
		}
	})
}

// A core that is killed at any moment and started again from what is durable
// ends like one that was not.
func TestARestartChangesNothingInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			m.step(t)
		}
		m.take(t)

		again := everyone()
		again.Resumed, again.Final, again.FrozenMS = true, m.facts, map[string]float64{}
		for n, d := range m.stood {
			again.FrozenMS[strconv.Itoa(n)] = float64(d) / float64(time.Millisecond)
		}
		set := gather.NewSet(again, m.now)
		for n, since := range m.frozenAt {
			set.Freeze(since, of(n))
		}

		for i := range agents {
			n := 3 * i
			before, _ := m.set.State(n)
			after, _ := set.State(n)
			if before.Final() && before != after {
				t.Fatalf("%d was %s, is %s after the restart", n, before, after)
			}
			if a, b := m.set.Remaining(m.now, n), set.Remaining(m.now, n); a != b {
				t.Fatalf("%d had %v to live, has %v after the restart", n, a, b)
			}
		}
		// The hosts are sent everything again that may be sent, and answer from
		// their journals.
		for _, s := range []*gather.Set{m.set, set} {
			s.Thaw(m.now, everyone().Targets)
			s.Sent(m.now, s.Due(m.now))
			s.Mark(m.now.Add(time.Millisecond), wire.Worked, everyone().Targets, "", false)
		}
		for i := range agents {
			a, _ := m.set.State(3 * i)
			b, _ := set.State(3 * i)
			if a != b {
				t.Fatalf("%d ends %s, and after a restart %s", 3*i, a, b)
			}
		}
		if !set.Done() || !slices.Equal(list(m.set.Progress().Again), list(set.Progress().Again)) {
			t.Fatal("repeats were forgotten")
		}
	})
}
