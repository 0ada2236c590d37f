package store

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// past is the seam that the store must fill; console declares it too.
type past interface {
	History(ctx context.Context, q wire.HistoryQuery) ([]wire.Fact, error)
	TrendsAt(ctx context.Context, t time.Time) ([]wire.TrendRow, error)
	Trend(ctx context.Context, place wire.Address, since, until time.Time) ([]wire.TrendRow, error)
}

var _ past = (*Store)(nil)

func TestWhatACoreReadsWhenItStarts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	must(t, s.Close())

	s = opened(t, dir, Options{})
	ctx := t.Context()
	if got, want := s.Cursor(), uint64(len(y.batches)); got != want {
		t.Errorf("cursor is %d, want %d", got, want)
	}
	hosts := try[[]HostAgents](t)(s.Agents(ctx))
	if len(hosts) != 2 || hosts[0].Host != "pi" || hosts[0].Key != "UPI" || len(hosts[0].Agents) != 3 || hosts[1].Agents[0].AgentID != "elk" {
		t.Errorf("enrolled: %+v", hosts)
	}
	if got := hosts[0].Agents[0]; !reflect.DeepEqual(got, enrolled("bee", "pi", wire.ClassLocal, seat(7, 4, 1), 0)) {
		t.Errorf("bee came back as %+v", got)
	}
	tokens := try[[]TokenUse](t)(s.Tokens(ctx))
	if len(tokens) != 1 || tokens[0].ID != "t1" || tokens[0].Left() != 1 || !reflect.DeepEqual(tokens[0].By, []string{"pi"}) {
		t.Errorf("tokens: %+v: one host that joined two clusters used it once", tokens)
	}
	people := try[[]wire.Person](t)(s.People(ctx))
	if len(people) != 1 || people[0] != (wire.Person{Name: "ada", Role: wire.Operator, Key: "UADA", Token: "t0"}) {
		t.Errorf("people: %+v", people)
	}
	orders := try[[]wire.FreezeOrder](t)(s.FreezeOrders(ctx))
	if len(orders) != 2 || orders[0].Seq != 5000 || orders[0].Thaw || orders[1].Seq != 6000 || !orders[1].Thaw {
		t.Errorf("freeze orders: %+v", orders)
	}
	open := try[[]OpenOperation](t)(s.OpenOperations(ctx))
	if len(open) != 1 || open[0].ID != "op2" || len(open[0].Final) != 1 || open[0].Final[0].State != wire.Refused || !open[0].Targets.Sector(7).Has(2) {
		t.Errorf("open operations: %+v", open)
	}
	if head := try[string](t)(s.AuditHead(ctx)); head != y.audit {
		t.Errorf("audit head %q, want %q", head, y.audit)
	}
}

func TestAnEmptyStoreAnswersToo(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	ctx := t.Context()
	if s.Cursor() != 0 {
		t.Errorf("cursor of an empty store: %d", s.Cursor())
	}
	if facts := try[[]wire.Fact](t)(s.History(ctx, wire.HistoryQuery{})); len(facts) != 0 {
		t.Errorf("facts: %v", facts)
	}
	if _, ok, err := s.LastRun(ctx); ok || err != nil {
		t.Errorf("last run: %v %v", ok, err)
	}
	if seq := try[uint64](t)(s.OldestNeeded(ctx)); seq != 1 {
		t.Errorf("oldest needed is %d, want 1: all of the stream is still to come", seq)
	}
	if _, err := s.Operation(ctx, "x"); codeOf(err) != wire.CodeNothingMatched {
		t.Errorf("an operation that is not there: %v", err)
	}
	if broken := try[uint64](t)(s.VerifyAudit(ctx)); broken != 0 {
		t.Errorf("an empty audit is broken at %d", broken)
	}
}

func codeOf(err error) wire.Code {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestAFactComesBackAsItWas(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	f := wire.Fact{
		ID: "pi/7.4/1/2/0", At: noon.Add(123456789), Kind: "of-a-later-version", Actor: "ada", Address: seat(7, 4, 12),
		AgentID: "bee", Host: "pi", Operation: "op", Text: "a line", Data: jsontext.Value(`{"a":[1,2]}`),
		Unknown: wire.Unknown{Members: jsontext.Value(`{"later":true}`)},
	}
	apply(t, s, Batch{3, []wire.Fact{{At: noon, Kind: wire.FactDoubt}, f}})
	f.Seq = 3001
	got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Kind: f.Kind}))
	if len(got) != 1 || !reflect.DeepEqual(got[0], f) {
		t.Errorf("got  %+v\nwant %+v", got, f)
	}
}

func TestApplyingAgainChangesNothing(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	want := dump(t, s)
	apply(t, s, y.batches...)
	apply(t, s, y.batches[3])
	if got := dump(t, s); got != want {
		t.Errorf("after applying again:\n%s\nbefore:\n%s", got, want)
	}
}

func TestAFactAppendedTwiceUnderItsIDCountsOnce(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	f := crash("bee", "pi", seat(7, 4, 1))
	f.At, f.ID = noon, "pi/7.4/1/1/0"
	other := f
	other.ID = "pi/7.4/1/2/0"
	apply(t, s, Batch{1, []wire.Fact{f}}, Batch{2, []wire.Fact{f, other}})
	if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Kind: wire.FactCrash})); len(got) != 2 {
		t.Errorf("%d crashes, want 2", len(got))
	}
}

func TestAMessageWithAFaultIsNotHalfApplied(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	good := wire.Fact{At: noon, Kind: wire.FactDoubt}
	bad := good
	bad.Seq = 77 // of another message
	err := s.Apply(t.Context(), 5, []wire.Fact{good, bad})
	if err == nil {
		t.Fatal("a fact of another message was taken")
	}
	if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{})); len(got) != 0 || s.Cursor() != 0 {
		t.Errorf("cursor %d and facts %v after a refused message", s.Cursor(), got)
	}
	apply(t, s, Batch{6, []wire.Fact{good}})
	if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{})); len(got) != 1 || s.Cursor() != 6 {
		t.Errorf("cursor %d and facts %v after the next message", s.Cursor(), got)
	}
}

func TestAFactWithUnreadableDataIsKeptAndSaid(t *testing.T) {
	var said []string
	s := opened(t, t.TempDir(), Options{Notice: func(text string) { said = append(said, text) }})
	bad := wire.Fact{At: noon, Kind: wire.FactHostJoined, Host: "pi", Data: jsontext.Value(`{"agents":"none"}`)}
	apply(t, s, Batch{1, []wire.Fact{bad, {At: noon, Kind: wire.FactDoubt}}})
	if len(said) != 1 || s.Cursor() != 1 {
		t.Errorf("said %q, cursor %d", said, s.Cursor())
	}
	if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{})); len(got) != 2 {
		t.Errorf("%d facts, want 2", len(got))
	}
}

func TestWhetherTheLastCoreEndedInOrder(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	start, stop := wire.Fact{Kind: wire.FactCoreStarted}, wire.Fact{Kind: wire.FactCoreStopped}
	y := newStory().tell(start).tell(stop).tell(start)
	apply(t, s, y.batches[:2]...)
	if run, ok, err := s.LastRun(t.Context()); err != nil || !ok || run.Stopped.IsZero() {
		t.Errorf("after start and stop: %+v %v %v", run, ok, err)
	}
	apply(t, s, y.batches[2:]...)
	if run, ok, err := s.LastRun(t.Context()); err != nil || !ok || !run.Stopped.IsZero() || !run.Started.Equal(y.now) {
		t.Errorf("after a start without a stop: %+v %v %v", run, ok, err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, s.Close())
	if err := s.Apply(t.Context(), 1, []wire.Fact{{At: noon, Kind: wire.FactDoubt}}); !errors.Is(err, ErrClosed) {
		t.Errorf("apply after close: %v", err)
	}
	if _, err := s.History(t.Context(), wire.HistoryQuery{}); !errors.Is(err, ErrClosed) {
		t.Errorf("history after close: %v", err)
	}
}

func TestOddDirectoryNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=memory#%41ü")
	s := open(t, dir, Options{})
	apply(t, s, newStory().tell(wire.Fact{Kind: wire.FactDoubt}).batches...)
	must(t, s.Close())
	if ok, err := exists(historyFile(dir)); !ok || err != nil {
		t.Errorf("history.db is not where it should be: %v", err)
	}
	if s := opened(t, dir, Options{}); s.Cursor() != 1 {
		t.Errorf("cursor %d, want 1", s.Cursor())
	}
}
