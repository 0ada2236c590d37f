package meshcore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

func openTestLedger(t testing.TB, nc *nats.Conn, o LedgerOptions) *Ledger {
	t.Helper()
	l, err := OpenLedger(t.Context(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// newTestLedger is a ledger on a broker of its own.
func newTestLedger(t testing.TB, o LedgerOptions) *Ledger {
	t.Helper()
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	return openTestLedger(t, connectTestCore(t, b), o)
}

func logFact(text string) wire.Fact {
	return wire.Fact{At: time.Now().UTC(), Kind: wire.FactCrash, Text: text}
}

func keepFact(text string) wire.Fact {
	return wire.Fact{At: time.Now().UTC(), Kind: wire.FactFreeze, Text: text}
}

func mustAppend(t testing.TB, l *Ledger, facts ...wire.Fact) []wire.Fact {
	t.Helper()
	durable, err := l.Append(t.Context(), facts...)
	if err != nil {
		t.Fatal(err)
	}
	return durable
}

// replayAll reads everything after a sequence.
func replayAll(t testing.TB, l *Ledger, after uint64) (facts []wire.Fact, last uint64) {
	t.Helper()
	last, err := l.Replay(t.Context(), after, func(_ uint64, f []wire.Fact) error {
		facts = append(facts, f...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts, last
}

func texts(facts []wire.Fact) (s []string) {
	for _, f := range facts {
		s = append(s, f.Text)
	}
	return s
}

func TestFactsSurviveTheBrokersRestart(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	told := mustAppend(t, l, keepFact("one"), logFact("two"), keepFact("three"))
	l.Close()
	b.Close()

	b = startTestBroker(t, keys, dir)
	l = openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	read, last := replayAll(t, l, 0)
	if got, want := texts(read), []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("after the restart the facts are %v, want %v", got, want)
	}
	for i := range read {
		if read[i].Seq != told[i].Seq {
			t.Errorf("fact %d has seq %d, but was told to have %d", i, read[i].Seq, told[i].Seq)
		}
	}
	mustAppend(t, l, logFact("four"))
	read, _ = replayAll(t, l, last)
	if got := texts(read); !slices.Equal(got, []string{"four"}) {
		t.Errorf("after sequence %d the facts are %v, want the one appended since", last, got)
	}
}

// Many callers at once: every fact is there once, each caller's in its order,
// with the Seq that it was told, and far fewer messages than appends.
func TestConcurrentAppendersAreGrouped(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	const callers, each = 64, 50
	var mu sync.Mutex
	told := map[uint64]string{}
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				f := logFact(fmt.Sprintf("%02d-%02d", c, i))
				if i%5 == 0 {
					f.Kind = wire.FactAudit
				}
				durable, err := l.Append(t.Context(), f)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				told[durable[0].Seq] = durable[0].Text
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(told) != callers*each {
		t.Fatalf("%d different sequences were told for %d facts", len(told), callers*each)
	}
	read, _ := replayAll(t, l, 0)
	if len(read) != callers*each {
		t.Fatalf("%d facts were read, %d appended", len(read), callers*each)
	}
	lastOf := map[string]string{}
	for i, f := range read {
		if told[f.Seq] != f.Text {
			t.Errorf("seq %d is %s, but was told to be %s", f.Seq, f.Text, told[f.Seq])
		}
		if i > 0 && f.Seq <= read[i-1].Seq {
			t.Errorf("seq %d was read after %d", f.Seq, read[i-1].Seq)
		}
		caller, _, _ := strings.Cut(f.Text, "-")
		if f.Text <= lastOf[caller] {
			t.Errorf("%s was read after %s", f.Text, lastOf[caller])
		}
		lastOf[caller] = f.Text
	}
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state.Messages*2 > callers*each {
		t.Errorf("%d facts of %d callers at once took %d messages: they were not grouped", callers*each, callers, state.Messages)
	}
}

// However Appends come together, pack keeps the order within each, mixes no
// subjects, and loses or doubles nothing.
func TestPackKeepsEachCallersOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var group []*pending
		for range rapid.IntRange(1, 20).Draw(t, "appends") {
			p := &pending{}
			for range rapid.IntRange(1, 30).Draw(t, "facts") {
				f := logFact("")
				if rapid.Bool().Draw(t, "keep") {
					f = keepFact("")
				}
				p.facts = append(p.facts, f)
				p.sizes = append(p.sizes, rapid.IntRange(1, 40_000).Draw(t, "size"))
			}
			group = append(group, p)
		}
		next := map[*pending]int{}
		for _, m := range pack(group) {
			size := 0
			for _, s := range m.slots {
				if s.index != next[s.owner] {
					t.Fatalf("fact %d of an Append is placed where its fact %d should be", s.index, next[s.owner])
				}
				next[s.owner]++
				size += s.owner.sizes[s.index]
				if keep := s.owner.facts[s.index].Kind.Keep(); keep != (m.subject == wire.SubjectFactKeep) {
					t.Fatalf("a fact of keep %v is in a message of %s", keep, m.subject)
				}
			}
			if len(m.slots) > 1 && size > batchBytes || len(m.slots) > wire.FactsPerMessage {
				t.Fatalf("a message holds %d facts of %d bytes", len(m.slots), size)
			}
		}
		for _, p := range group {
			if next[p] != len(p.facts) {
				t.Fatalf("%d of %d facts are placed", next[p], len(p.facts))
			}
		}
	})
}

func TestAppendRefusesWhatCannotBeKept(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	now := time.Now()
	for name, f := range map[string]wire.Fact{
		"no kind":       {At: now},
		"no time":       {Kind: wire.FactCrash},
		"broken data":   {At: now, Kind: wire.FactCrash, Data: jsontext.Value(`{"a":`)},
		"invalid UTF-8": {At: now, Kind: wire.FactCrash, Text: "\xff"},
		"huge":          {At: now, Kind: wire.FactCrash, Text: strings.Repeat("x", wire.MaxPayload)},
	} {
		if _, err := l.Append(t.Context(), logFact("good"), f); err == nil {
			t.Errorf("%s: it was appended", name)
		}
	}
	if state, err := l.State(t.Context()); err != nil || state.Messages != 0 {
		t.Errorf("%d messages were written (%v), want none: an Append is refused as a whole", state.Messages, err)
	}
	big := logFact(strings.Repeat("x", 900_000))
	mustAppend(t, l, big, big)
	if read, _ := replayAll(t, l, 0); len(read) != 2 || read[1].Text != big.Text {
		t.Errorf("two facts of 900 kB: %d were read", len(read))
	}
}

func TestClosedLedgerHasWrittenAllAndTakesNoMore(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{})
	var all sync.WaitGroup
	var mu sync.Mutex
	written := 0
	for range 100 {
		all.Go(func() {
			_, err := l.Append(t.Context(), logFact("x"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				written++
			case !errors.Is(err, ErrClosed):
				t.Error(err)
			}
		})
	}
	l.Close()
	all.Wait()
	if _, err := l.Append(t.Context(), logFact("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("appending to a closed ledger gives %v", err)
	}
	again := openTestLedger(t, nc, LedgerOptions{})
	if read, _ := replayAll(t, again, 0); len(read) != written {
		t.Errorf("%d facts were acknowledged, %d are there", written, len(read))
	}
}

// Two cores on the same facts would each believe in its own order.
func TestSecondWriterIsRefused(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	one, two := openTestLedger(t, nc, LedgerOptions{}), openTestLedger(t, nc, LedgerOptions{})
	mustAppend(t, one, keepFact("mine"))
	for range 2 {
		if _, err := two.Append(t.Context(), keepFact("mine too")); !errors.Is(err, ErrOtherWriter) {
			t.Errorf("the second writer gets %v", err)
		}
	}
	mustAppend(t, one, keepFact("still mine"))
}
