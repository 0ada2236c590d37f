package meshcore

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

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

// A crowd of facts must not reach the end of the budget before somebody thinks
// of making room.
func TestALedgerThatRunsShortSaysSoWhileThereIsRoom(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{MaxBytes: 200_000})
	text := strings.Repeat("x", 5_000)
	for !l.Short() {
		mustAppend(t, l, logFact(text))
	}
	mustAppend(t, l, logFact(text))
	if _, err := l.Retain(t.Context(), time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	if l.Short() {
		t.Error("still short after room was made")
	}
}
