package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

func retained(t *testing.T, s *Store, now time.Time, o RetentionOptions) Retention {
	t.Helper()
	return try[Retention](t)(s.Retain(t.Context(), now, o))
}

func TestOldFactsAreDeletedAndWhatLastsStays(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	r := retained(t, s, y.now.Add(48*time.Hour), RetentionOptions{Age: 24 * time.Hour})
	got := kinds(try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{})))
	// op2 is open: its facts stay, however old.
	const want = "audit delivery operation.start audit thaw audit freeze host.joined host.joined host.joined token.issued person.added"
	if got != want {
		t.Errorf("left  %s\nwant  %s", got, want)
	}
	if r.Deleted == 0 || r.OldestNeeded != 14 || r.HeldBy != "op2" || r.Over {
		t.Errorf("retention: %+v", r)
	}
	if ops := try[[]OperationRecord](t)(s.Operations(t.Context(), 0)); len(ops) != 1 || ops[0].ID != "op2" {
		t.Errorf("operations left: %+v", ops)
	}
	if gone := try[[]wire.DeliveryRecord](t)(s.AgentDeliveries(t.Context(), 7, 0)); len(gone) != 0 {
		t.Errorf("deliveries of an operation that is gone: %+v", gone)
	}
	if broken := try[uint64](t)(s.VerifyAudit(t.Context())); broken != 0 {
		t.Errorf("audit broken at %d", broken)
	}
}

func TestAnOperationIsAsOldAsItsEnd(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := newStory().tell(started("long", nil)).tell(wire.Fact{Kind: wire.FactDoubt})
	y.now = y.now.Add(48 * time.Hour)
	y.tell(ended("long"))
	apply(t, s, y.batches...)
	retained(t, s, y.now.Add(time.Hour), RetentionOptions{Age: 24 * time.Hour})
	if got := kinds(try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{}))); got != "operation.end operation.start" {
		t.Errorf("left %s", got)
	}
	r := retained(t, s, y.now.Add(25*time.Hour), RetentionOptions{Age: 24 * time.Hour})
	if r.OldestNeeded != s.Cursor()+1 || r.HeldBy != "" {
		t.Errorf("all old facts are gone, but the oldest needed is %+v", r)
	}
}

func TestABoundOnSizeDeletesTheOldest(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	for i := range 20 {
		var facts []wire.Fact
		for j := range 1000 {
			facts = append(facts, wire.Fact{Kind: wire.FactReturn, AgentID: fmt.Sprint("a", i, "-", j), Text: strings.Repeat("x", 100)})
		}
		y.tell(facts...)
	}
	apply(t, s, y.batches...)
	before := try[[]FileUsage](t)(s.Usage(t.Context()))[0]
	full := retained(t, s, y.now, RetentionOptions{}).Used
	r := retained(t, s, y.now, RetentionOptions{MaxBytes: full / 2})
	if r.Used > full/2 || r.Used < full/4 || r.Over {
		t.Errorf("of %d bytes %d are left for a bound of %d: %+v", full, r.Used, full/2, r)
	}
	facts := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Kind: wire.FactReturn, Limit: 100_000}))
	if len(facts) == 0 || facts[0].Seq != 35999 {
		t.Errorf("%d facts left, the newest is not there", len(facts))
	}
	must(t, s.Close())
	s = opened(t, strings.TrimSuffix(s.history.path, "/history.db"), Options{})
	if after := try[[]FileUsage](t)(s.Usage(t.Context()))[0]; after.Bytes >= before.Bytes*3/4 || after.Free*10 > after.Bytes {
		t.Errorf("the file went from %+v to %+v: the space was not given back", before, after)
	}
	if r := retained(t, s, y.now, RetentionOptions{MaxBytes: 1}); !r.Over || r.HeldBy != "op2" {
		t.Errorf("a bound that cannot be met: %+v", r)
	}
}

func TestWithoutBoundsNothingIsDeleted(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	want := dump(t, s)
	r := retained(t, s, y.now.AddDate(10, 0, 0), RetentionOptions{})
	if r.Deleted != 0 || r.OldestNeeded != 1 || dump(t, s) != want {
		t.Errorf("retention: %+v", r)
	}
}

// A rebuild after a retention covers what the stream still holds.
func TestWhatIsRebuiltAfterTheStreamWasPurged(t *testing.T) {
	y := aMesh()
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	apply(t, s, y.batches...)
	now := y.now.Add(48 * time.Hour)
	r := retained(t, s, now, RetentionOptions{Age: 24 * time.Hour})
	rebuilt := opened(t, t.TempDir(), Options{})
	for _, b := range y.batches {
		var left []wire.Fact
		for i, f := range b.Facts {
			f.Seq = b.Seq*wire.FactsPerMessage + uint64(i)
			if f.Kind.Keep() || b.Seq >= r.OldestNeeded {
				left = append(left, f)
			}
		}
		apply(t, rebuilt, Batch{b.Seq, left})
	}
	if got, want := dump(t, rebuilt), dump(t, s); got != want {
		t.Errorf("rebuilt:\n%s\nretained:\n%s", got, want)
	}
}
