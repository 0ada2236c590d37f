package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

// stories draws a stream in which ids recur and anything may follow anything.
func stories(t *rapid.T) *story {
	y := newStory()
	id := func(kind string) string { return fmt.Sprint(kind, rapid.IntRange(0, 4).Draw(t, kind)) }
	place := func() wire.Address {
		return seat(rapid.IntRange(1, 3).Draw(t, "sector"), rapid.IntRange(1, 2).Draw(t, "cluster"), rapid.IntRange(1, 3).Draw(t, "seat"))
	}
	set := func() wire.Bits { return bits(rapid.SliceOfN(rapid.IntRange(0, 99), 0, 5).Draw(t, "agents")...) }
	for range rapid.IntRange(1, 30).Draw(t, "messages") {
		var facts []wire.Fact
		for range rapid.IntRange(1, 5).Draw(t, "facts") {
			at := place()
			fact := map[string]func() wire.Fact{
				"joined": func() wire.Fact {
					return joined(id("host"), id("token"), at.InCluster(), enrolled(id("agent"), "h", wire.ClassGPU, at, 3))
				},
				"token":     func() wire.Fact { return token(id("token"), 2) },
				"crash":     func() wire.Fact { f := crash(id("agent"), "h", at); f.ID = id("report"); return f },
				"started":   func() wire.Fact { return started(id("op"), wire.Targets{{Sector: at.Sector, Agents: set()}}) },
				"delivered": func() wire.Fact { return delivered(id("op"), at.Sector, wire.Worked, set()) },
				"ended":     func() wire.Fact { return ended(id("op")) },
				"freeze":    func() wire.Fact { return frozen(wire.FactFreeze, "mesh") },
				"audit":     func() wire.Fact { return y.audited("ada") },
				"garbage":   func() wire.Fact { return wire.Fact{Kind: wire.FactOpEnded, Data: data("no object")} },
			}
			names := []string{"joined", "token", "crash", "started", "delivered", "ended", "freeze", "audit", "garbage"}
			facts = append(facts, fact[rapid.SampledFrom(names).Draw(t, "kind")]())
		}
		y.tell(facts...)
	}
	return y
}

// However the same stream is cut into transactions, repeated and interrupted
// by restarts, the projection is the same.
func TestAnySplitOfAStreamGivesTheSameProjection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y := stories(t)
		dir, err := os.MkdirTemp("", "store") //nolint:usetesting // one for each draw, not for all of them
		must(t, err)
		defer os.RemoveAll(dir)

		whole := open(t, filepath.Join(dir, "whole"), Options{})
		defer whole.Close()
		apply(t, whole, y.batches...)
		want := dump(t, whole)

		split := open(t, filepath.Join(dir, "split"), Options{})
		defer func() { split.Close() }()
		for at := 0; at < len(y.batches); {
			from := max(0, at-rapid.IntRange(0, 3).Draw(t, "repeated"))
			at = min(len(y.batches), at+rapid.IntRange(1, 10).Draw(t, "size"))
			apply(t, split, y.batches[from:at]...)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				must(t, split.Close())
				split = open(t, filepath.Join(dir, "split"), Options{})
			}
		}
		if got := dump(t, split); got != want {
			t.Fatalf("split:\n%s\nwhole:\n%s", got, want)
		}
		if broken := try[uint64](t)(split.VerifyAudit(t.Context())); broken != 0 {
			t.Fatalf("audit broken at %d", broken)
		}
	})
}

// A log that was cut anywhere, as a crash of the machine may leave it, opens to
// the state after some message: cursor and facts belong together.
func TestALogCutAnywhereOpensToAWholeState(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	_, err := s.history.conn.ExecContext(t.Context(), "PRAGMA wal_autocheckpoint = 0")
	must(t, err)
	y := longStory()
	want := map[uint64]string{0: dump(t, s)}
	for i, b := range y.batches[:60] {
		apply(t, s, b)
		want[uint64(i+1)] = dump(t, s)
	}
	file, err := os.ReadFile(historyFile(dir))
	must(t, err)
	log, err := os.ReadFile(historyFile(dir) + "-wal")
	must(t, err)
	must(t, s.Close())

	seen := map[uint64]bool{}
	const cuts = 60
	for i := range cuts + 1 {
		cut := len(log) * i / cuts // hardly ever where a page or a transaction ends
		copied := t.TempDir()
		must(t, os.WriteFile(historyFile(copied), file, 0o600))
		must(t, os.WriteFile(historyFile(copied)+"-wal", log[:cut], 0o600))
		s := open(t, copied, Options{Notice: func(text string) { t.Fatalf("said %q", text) }})
		cursor := s.Cursor()
		seen[cursor] = true
		if dump(t, s) != want[cursor] {
			t.Fatalf("cut at %d of %d: cursor %d does not belong to what is there", cut, len(log), cursor)
		}
		apply(t, s, y.batches[:60]...)
		if dump(t, s) != want[60] {
			t.Fatalf("cut at %d of %d: the projection cannot be continued", cut, len(log))
		}
		must(t, s.Close())
	}
	if len(seen) < 10 {
		t.Errorf("only %d different states were seen: the test cuts nothing", len(seen))
	}
}
