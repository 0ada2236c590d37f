package meshcore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

func TestFollowGoesOn(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, logFact("before"))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan wire.Fact, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 0, func(_ uint64, facts []wire.Fact) error {
			for _, f := range facts {
				got <- f
			}
			return nil
		})
	}()
	want := func(text string) {
		t.Helper()
		select {
		case f := <-got:
			if f.Text != text {
				t.Fatalf("the follower was given %q, want %q", f.Text, text)
			}
		case <-time.After(testWait):
			t.Fatalf("the follower was not given %q", text)
		case err := <-ended:
			t.Fatalf("the follower ended: %v", err)
		}
	}
	want("before")
	for i := range 20 {
		text := fmt.Sprint("live ", i)
		mustAppend(t, l, logFact(text))
		want(text)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v", err)
		}
	case <-time.After(testWait):
		t.Error("Follow does not end with its context")
	}
}

func TestFollowOutlivesTheBroker(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	mustAppend(t, l, keepFact("before"))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 0, func(_ uint64, facts []wire.Fact) error {
			got <- facts[0].Text
			return nil
		})
	}()
	next := func(want string) {
		t.Helper()
		select {
		case text := <-got:
			if text != want {
				t.Fatalf("the follower was given %q, want %q", text, want)
			}
		case err := <-ended:
			t.Fatalf("before %q the follower ended: %v", want, err)
		case <-time.After(3 * testWait):
			t.Fatalf("the follower was not given %q", want)
		}
	}
	next("before")
	port := portOf(t, b)
	b.Close()
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Port: port, Log: b.log.log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	mustAppend(t, l, keepFact("after"))
	next("after")
	cancel()
	<-ended
}

func TestFollowPassesOnTheErrorOfItsReader(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, logFact("one"))
	mine := errors.New("mine")
	if err := l.Follow(t.Context(), 0, func(uint64, []wire.Fact) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("Follow gives %v", err)
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

// A broker that is away for a while costs time, not facts; one that stays away
// is an error, and nothing is told twice when it returns.
func TestAppendWaitsForTheBroker(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{Patience: 200 * time.Millisecond})
	mustAppend(t, l, keepFact("before"))
	port := portOf(t, b)
	b.Close()
	if _, err := l.Append(t.Context(), keepFact("lost")); !errors.Is(err, ErrUncertain) {
		t.Fatalf("without a broker an Append gives %v", err)
	}
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Port: port, Log: b.log.log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "an Append succeeds again", func() bool {
		_, err := l.Append(t.Context(), keepFact("after"))
		return err == nil
	})
	read, _ := replayAll(t, l, 0)
	seen := map[string]int{}
	for _, f := range read {
		seen[f.Text]++
	}
	if seen["before"] != 1 || seen["after"] != 1 || seen["lost"] > 1 {
		t.Errorf("the facts are %v", seen)
	}
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	end := time.After(testWait)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("in %v it did not come to be that %s", testWait, what)
		}
	}
}

func TestBudgetIsKeptAndLeavesRoomForFreezes(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{MaxBytes: 200_000})
	text := strings.Repeat("x", 5_000)
	var err error
	for range 100 {
		if _, err = l.Append(t.Context(), logFact(text)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrBudget) {
		t.Fatalf("a full budget gives %v", err)
	}
	mustAppend(t, l, keepFact("emergency"))
	if _, err := l.Append(t.Context(), keepFact("x"), logFact(text)); !errors.Is(err, ErrBudget) {
		t.Errorf("an Append with one fact too many gives %v", err)
	}
	for range 100 {
		if _, err = l.Append(t.Context(), keepFact(text)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrBudget) {
		t.Errorf("past the last tenth it gives %v", err)
	}
	if state, err := l.State(t.Context()); err != nil || state.Bytes > 200_000 {
		t.Errorf("the facts take %d bytes (%v)", state.Bytes, err)
	}
}

// A broker that meets a full disk takes nothing more until it is started again:
// the ledger must stop before, and go on when there is space.
func TestFullDiskIsSaidBeforeItIsMet(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{Dir: "the disk"})
	var free atomic.Int64
	l.free = free.Load
	for _, c := range []struct {
		free      int64
		log, keep error
	}{
		{1 << 30, nil, nil},
		{10 << 20, ErrDiskFull, nil},
		{1 << 20, ErrDiskFull, ErrDiskFull},
		{1 << 30, nil, nil},
	} {
		free.Store(c.free)
		if _, err := l.Append(t.Context(), logFact("log")); !errors.Is(err, c.log) {
			t.Errorf("with %d bytes free a log gives %v, want %v", c.free, err, c.log)
		}
		if _, err := l.Append(t.Context(), keepFact("keep")); !errors.Is(err, c.keep) {
			t.Errorf("with %d bytes free a keep gives %v, want %v", c.free, err, c.keep)
		}
	}
	if free := freeOf(t.TempDir())(); free <= 0 || free >= 1<<62 {
		t.Errorf("of the disk here %d bytes seem free", free)
	}
}

func TestStreamHasAnIDOfItsOwn(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{MaxAge: time.Hour})
	appendMixed(t, l, 3, 1)
	if _, err := l.Retain(t.Context(), time.Now().Add(2*time.Hour), 0); err != nil { // it writes beside the id
		t.Fatal(err)
	}
	id := l.ID()
	l.Close()
	b.Close()
	again := openTestLedger(t, connectTestCore(t, startTestBroker(t, keys, dir)), LedgerOptions{})
	if other := newTestLedger(t, LedgerOptions{}); id == "" || again.ID() != id || other.ID() == id {
		t.Errorf("the stream's id is %q, after a restart %q, that of another stream %q", id, again.ID(), other.ID())
	}
}

// appendMixed appends n messages of kind log, each followed by one to keep.
func appendMixed(t *testing.T, l *Ledger, n int, size int) {
	t.Helper()
	for i := range n {
		mustAppend(t, l, logFact(fmt.Sprint("log ", i, strings.Repeat("x", size))))
		mustAppend(t, l, keepFact(fmt.Sprint("keep ", i)))
	}
}

func count(facts []wire.Fact) (keep, log int) {
	for _, f := range facts {
		if f.Kind.Keep() {
			keep++
		} else {
			log++
		}
	}
	return keep, log
}

func TestRetentionByAge(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{MaxAge: time.Hour})
	appendMixed(t, l, 10, 10)
	now := time.Now()

	retained, err := l.Retain(t.Context(), now, 0)
	if err != nil || retained.Messages != 0 {
		t.Fatalf("of fresh facts %d were taken away (%v)", retained.Messages, err)
	}
	later := now.Add(2 * time.Hour)
	retained, err = l.Retain(t.Context(), later, 7)
	if err != nil || retained.Messages != 3 || !retained.Held {
		t.Fatalf("with sequence 7 needed %+v was taken away (%v), want the 3 logs before it", retained, err)
	}
	if _, err = l.Retain(t.Context(), later, 0); err != nil {
		t.Fatal(err)
	}
	read, last := replayAll(t, l, 0)
	keep, log := count(read)
	if keep != 10 || log != 1 {
		t.Errorf("%d keeps and %d logs are left, want all 10 and the last one", keep, log)
	}
	mustAppend(t, l, logFact("next"), keepFact("next"))
	if read, _ := replayAll(t, l, last); len(read) != 2 {
		t.Errorf("after retention %d facts can be read on, want 2", len(read))
	}
	if read, _ := replayAll(t, l, 3); len(read) == 0 { // a reader that is behind
		t.Error("a reader behind the retention reads nothing")
	}
}

func TestRetentionByBudget(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{MaxBytes: 200_000})
	appendMixed(t, l, 31, 5_000)
	before, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	retained, err := l.Retain(t.Context(), time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	after, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if float64(before.Bytes) < retainHigh*200_000 || float64(after.Bytes) > retainLow*200_000+6_000 || retained.Messages == 0 {
		t.Errorf("from %d bytes it went to %d (%+v)", before.Bytes, after.Bytes, retained)
	}
	read, _ := replayAll(t, l, 0)
	if keep, log := count(read); keep != 31 || log == 0 {
		t.Errorf("%d of 31 keeps and %d logs are left", keep, log)
	}
}

// Retention that was killed between the note and the purge, or after it, is no
// damage; the same purge without a note is.
func TestOnlyNotedRetentionIsNoDamage(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{MaxAge: time.Hour})
	appendMixed(t, l, 5, 10)
	if _, err := l.Retain(t.Context(), time.Now().Add(2*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openTestLedger(t, nc, LedgerOptions{})
	replayAll(t, l, 0)

	info, err := l.stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := info.Config
	delete(config.Metadata, metaPurged)
	if _, err := l.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openTestLedger(t, nc, LedgerOptions{})
	_, err = l.Replay(t.Context(), 0, func(uint64, []wire.Fact) error { return nil })
	if damage := (*CorruptError)(nil); !errors.As(err, &damage) {
		t.Errorf("logs that nobody took away are missing, and Replay gives %v", err)
	}
}

// Bytes of the stream's file that change on the disk are said, with the
// sequence; what lies before is given, and what lies behind can be had.
func TestDamageOnTheDiskIsSaid(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	for i := range 20 {
		mustAppend(t, l, keepFact(fmt.Sprintf("fact-%02d", i)))
	}
	l.Close()
	b.Close()
	spoil(t, dir, "fact-09")

	b = startTestBroker(t, keys, dir)
	l = openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	var read []string
	collect := func(_ uint64, facts []wire.Fact) error {
		read = append(read, texts(facts)...)
		return nil
	}
	_, err := l.Replay(t.Context(), 0, collect)
	damage := (*CorruptError)(nil)
	if !errors.As(err, &damage) || damage.Seq != 10 {
		t.Fatalf("Replay gives %v, want damage at sequence 10", err)
	}
	if len(read) != 9 {
		t.Errorf("%d facts lie before the damage, %d were given", 9, len(read))
	}
	if _, err := l.Replay(t.Context(), damage.Resume, collect); err != nil {
		t.Errorf("behind the damage Replay gives %v", err)
	}
	if len(read) != 19 || read[18] != "fact-19" {
		t.Errorf("with the rest %d facts can be read: %v", len(read), read)
	}
}

// spoil changes bytes of the stream's files where text stands.
func spoil(t *testing.T, dir, text string) {
	t.Helper()
	done := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".blk" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if i := strings.Index(string(data), text); i >= 0 {
			data[i] = '!'
			done = true
			return os.WriteFile(path, data, 0o600)
		}
		return nil
	})
	if err != nil || !done {
		t.Fatalf("%s is not on the disk (%v)", text, err)
	}
}

// A reader whose place lies behind the stream's end has seen facts that are
// gone, such as after a backup was put back.
func TestReaderAheadOfTheStreamIsSaid(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, keepFact("one"))
	_, err := l.Replay(t.Context(), 5, func(uint64, []wire.Fact) error { return nil })
	if damage := (*CorruptError)(nil); !errors.As(err, &damage) || damage.Seq != 2 {
		t.Errorf("Replay after 5 of a stream that ends at 1 gives %v", err)
	}
}

func TestForeignMessagesAreSaid(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{})
	if _, err := nc.Request(wire.SubjectFactLog, []byte("not a batch"), testWait); err != nil {
		t.Fatal(err)
	}
	_, err := l.Replay(t.Context(), 0, func(uint64, []wire.Fact) error { return nil })
	if damage := (*CorruptError)(nil); !errors.As(err, &damage) || damage.Seq != 1 {
		t.Errorf("Replay of a message that no ledger wrote gives %v", err)
	}
}

func TestNewerFactsAreNotTouched(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{})
	config := l.stream.CachedInfo().Config
	config.Metadata[metaFormat] = "2"
	if _, err := l.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(t.Context(), nc, LedgerOptions{}); !errors.Is(err, ErrNewer) {
		t.Errorf("opening facts of a newer version gives %v", err)
	}
}

func BenchmarkAppendOne(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	for b.Loop() {
		mustAppend(b, l, logFact("agent crashed"))
	}
}

// Each iteration is one fact of one of 256 callers.
func BenchmarkAppendGrouped(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(context.Background(), logFact("agent crashed")); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Each iteration is one Append of 1,000 facts.
func BenchmarkAppendThousand(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	facts := make([]wire.Fact, 1000)
	for i := range facts {
		facts[i] = logFact("agent crashed")
	}
	for b.Loop() {
		mustAppend(b, l, facts...)
	}
}

func portOf(t *testing.T, b *Broker) int {
	t.Helper()
	var port int
	if _, err := fmt.Sscanf(b.URL(), "nats://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}
