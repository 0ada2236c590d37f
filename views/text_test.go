package views

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

// Whatever an agent calls itself, a row is exactly as wide as it has to be: else
// one name would break the whole screen.
func TestARowIsExactlyAsWideAsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 120).Draw(t, "width")
		l := newLine(colours(), width)
		for range rapid.IntRange(0, 6).Draw(t, "pieces") {
			text := wire.Clean(rapid.String().Draw(t, "text"))
			k := ink(rapid.IntRange(0, int(inks)-1).Draw(t, "ink"))
			n := rapid.IntRange(0, 40).Draw(t, "field")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				l.put(k, text)
			case 1:
				l.left(k, text, n)
			case 2:
				l.right(k, text, n)
			case 3:
				l.gap(n)
			}
		}
		if got := ansi.StringWidth(l.String()); got != width {
			t.Fatalf("%d cells wide, want %d: %q", got, width, l.String())
		}
	})
}

func TestABoxIsExactlyAsLargeAsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(8, 100).Draw(t, "w"), rapid.IntRange(2, 20).Draw(t, "h")
		title, note := wire.Clean(rapid.String().Draw(t, "title")), wire.Clean(rapid.String().Draw(t, "note"))
		rows := box(plainTheme(), w, h, true, title, note, []string{newLine(plainTheme(), w-2).put(plain, title).String()})
		if len(rows) != h {
			t.Fatalf("%d rows, want %d", len(rows), h)
		}
		for _, r := range rows {
			if ansi.StringWidth(r) != w {
				t.Fatalf("%d cells wide, want %d: %q", ansi.StringWidth(r), w, r)
			}
		}
	})
}

func TestHowNumbersAreWritten(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 30_000: "30,000", 1_234_567: "1,234,567", -4321: "-4,321"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for ms, want := range map[float64][2]string{
		0: {"—", "—"}, 0.42: {"0.4", "0.4"}, 9.94: {"9.9", "9.9"}, 9.96: {"10", "10"}, 127: {"127", "127"}, 999.6: {"1,000", "1.0s"}, 1234: {"1,234", "1.2s"},
		60_000: {"60,000", "60s"}, 120_400: {"120,400", "120s"}, 1e7: {"10,000,000", ">16m"}, -1: {"—", "—"},
	} {
		if got := [2]string{millis(ms), shortMillis(ms)}; got != want {
			t.Errorf("%v ms is written %q, want %q", ms, got, want)
		}
		if cells(shortMillis(ms)) > 4 {
			t.Errorf("%q is wider than its cell", shortMillis(ms))
		}
	}
	for d, want := range map[time.Duration]string{-1: "0 s", 59 * time.Second: "59 s", 90 * time.Second: "1 min", 125 * time.Minute: "2 h 5 min"} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestALevelIsRelativeToTheMedian(t *testing.T) {
	s := &scene{median: 100}
	for ms, want := range map[float64]int{0: 0, 50: 1, 84: 1, 100: 2, 119: 3, 142: 4, 200: 6, 290: 8, 10_000: 8} {
		if got := s.level(ms); got != want {
			t.Errorf("level(%v) = %d, want %d", ms, got, want)
		}
	}
}

func TestEveryStateHasAGlyphOfItsOwn(t *testing.T) {
	seen := map[string]wire.OperationalState{}
	for _, s := range []wire.OperationalState{wire.Active, wire.Degraded, wire.Offline, wire.Quarantined} {
		g, _ := stateGlyph(s)
		if other, taken := seen[g]; taken {
			t.Errorf("%s and %s are both %s", s, other, g)
		}
		seen[g] = s
	}
	for _, r := range []wire.AgentImpedance{{Frozen: true}, {Unstable: true}} {
		if g, _ := flagGlyph(&r); seen[g] != "" || strings.TrimSpace(g) == "" {
			t.Errorf("flag %q is taken for a state", g)
		}
	}
}
