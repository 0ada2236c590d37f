package views

import (
	"github.com/charmbracelet/x/ansi"

	"mesh30k/meshcore/wire"
)

// ink is what a piece of text means; a theme says how that looks.
type ink uint8

const (
	plain    ink = iota
	muted        // what may be overlooked: units, frames, the healthy
	strong       // headings
	accent       // where the person is; the only colour of a calm screen
	warn         // degraded, unstable, late
	bad          // offline, refused, unreachable
	cold         // frozen
	isolated     // quarantined
	selected     // the row or cell under the cursor
	alarm        // armed for the emergency freeze
	inks
)

// theme holds for each ink the sequence that begins it. Sequences are made once:
// a style built for every cell of a heatmap costs a hundred times as much.
type theme struct{ open [inks]string }

const reset = ansi.ResetStyle

// colours uses the terminal's own sixteen, so that the person's scheme, dark or
// light, decides how they look; healthy is never told from ill by red and green.
func colours() *theme {
	fg := func(c ansi.BasicColor) string { return ansi.NewStyle().ForegroundColor(c).String() }
	t := plainTheme()
	t.open[muted] = fg(ansi.BrightBlack)
	t.open[accent] = fg(ansi.Cyan)
	t.open[warn] = fg(ansi.Yellow)
	t.open[bad] = ansi.NewStyle().Bold().ForegroundColor(ansi.Red).String()
	t.open[cold] = fg(ansi.BrightBlue)
	t.open[isolated] = fg(ansi.Magenta)
	t.open[alarm] = ansi.NewStyle().Bold().Reverse(true).ForegroundColor(ansi.Red).String()
	return t
}

// plainTheme has no colour: weight and reversal remain.
func plainTheme() *theme {
	t := &theme{}
	t.open[muted] = ansi.NewStyle().Faint().String()
	t.open[strong] = ansi.NewStyle().Bold().String()
	t.open[bad] = ansi.NewStyle().Bold().String()
	t.open[selected] = ansi.NewStyle().Reverse(true).String()
	t.open[alarm] = ansi.NewStyle().Bold().Reverse(true).String()
	return t
}

// paint writes s in ink k.
func (t *theme) paint(k ink, s string) string {
	if t.open[k] == "" {
		return s
	}
	return t.open[k] + s + reset
}

// greyed is t for a picture that is no longer live.
func (t *theme) greyed() *theme {
	g := *t
	for k := range g.open {
		if k := ink(k); k != selected && k != alarm {
			g.open[k] = t.open[muted]
		}
	}
	return &g
}

// The glyphs of states. A state is a glyph before it is a colour.
const (
	glyphActive      = "●"
	glyphDegraded    = "◐"
	glyphUnstable    = "≈"
	glyphOffline     = "○"
	glyphQuarantined = "◆"
	glyphFrozen      = "❄"
	glyphSevere      = "▲"
	glyphFailed      = "✗"
	glyphDone        = "✓"
	glyphEmpty       = "·"
)

// stateGlyph is the glyph of an operational state.
func stateGlyph(s wire.OperationalState) (string, ink) {
	switch s {
	case wire.Degraded:
		return glyphDegraded, warn
	case wire.Offline:
		return glyphOffline, bad
	case wire.Quarantined:
		return glyphQuarantined, isolated
	default:
		return glyphActive, plain
	}
}

// flagGlyph is the glyph of the flags beside the state; a blank without any.
func flagGlyph(r *wire.AgentImpedance) (string, ink) {
	switch {
	case r.Frozen:
		return glyphFrozen, cold
	case r.Unstable:
		return glyphUnstable, warn
	default:
		return " ", plain
	}
}

// groupGlyph is the glyph of a cluster or sector: what most needs attention.
func groupGlyph(c wire.ClusterSummary) (string, ink) {
	total, active := c.AgentCount, c.ActiveCount
	switch {
	case total == 0:
		return glyphEmpty, muted
	case c.FrozenCount == total:
		return glyphFrozen, cold
	case active == 0:
		return glyphOffline, bad
	case float64(active-c.DegradedCount) <= 0.95*float64(total): // 4.3's "healthy" is over 0.95
		return glyphDegraded, warn
	default:
		return glyphActive, plain
	}
}

// modeGlyph is the glyph of 6.3's mode.
func modeGlyph(mode string) (string, ink) {
	switch mode {
	case "FULL":
		return glyphActive, plain
	case "DEGRADED_LIGHT", "DEGRADED_MODERATE":
		return glyphDegraded, warn
	case "":
		return glyphEmpty, muted
	default:
		return glyphSevere, bad
	}
}
