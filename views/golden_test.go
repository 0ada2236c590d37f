package views

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"
)

func splitRows(s string) []string { return strings.Split(s, "\n") }

// Every pane at four sizes, with and without colour. `go test ./views -update`
// writes them anew; read the difference before committing it.
func TestScreens(t *testing.T) {
	panes := []struct {
		name string
		keys []string
	}{
		{"mesh", []string{"right", "right", "right", "right", "right", "right"}},
		{"states", []string{"s"}},
		{"sector", []string{"right", "right", "right", "right", "right", "right", "enter"}},
		{"cluster", []string{"right", "right", "right", "right", "right", "right", "enter", "down", "down", "down", "enter"}},
		{"agent", []string{"a", "I", "enter"}},
		{"agents", []string{"a", "down", "down"}},
		{"events", []string{"e"}},
		{"help", []string{"?"}},
		{"card-wide", []string{"f"}},
		{"card-small", []string{"b", "h", "i", " ", "cluster=7.4", "enter"}},
		{"command", []string{":", "s", "t"}},
	}
	sizes := [][2]int{{60, 15}, {80, 24}, {120, 40}, {200, 60}}
	for _, p := range panes {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s/%dx%d", p.name, size[0], size[1]), func(t *testing.T) {
				golden.RequireEqual(t, openScreen(t, size[0], size[1]).Press(p.keys...).m.View().Content)
			})
			t.Run(fmt.Sprintf("%s/%dx%d-plain", p.name, size[0], size[1]), func(t *testing.T) {
				plain := openScreen(t, size[0], size[1], noColor).Press(p.keys...).m.View().Content
				if strings.Contains(plain, "\x1b[3") || strings.Contains(plain, "\x1b[9") || strings.Contains(plain, ";3") {
					t.Error("there is colour on a screen without colour")
				}
				golden.RequireEqual(t, plain)
			})
		}
	}
}

func TestOtherScreens(t *testing.T) {
	for name, s := range map[string]*screen{
		"too-small":   openScreen(t, 50, 12),
		"waiting":     blankScreen(t, 80, 24, waitingForIt),
		"unreachable": openScreen(t, 80, 24).Lose("connection refused"),
		"armed":       openScreen(t, 80, 24).Press("ctrl+x"),
		"tiny-mesh":   blankScreen(t, 120, 40).Show(Update{Picture: newPicture(3), Stats: newPicture(3).Stats()}),
	} {
		t.Run(name, func(t *testing.T) { golden.RequireEqual(t, s.m.View().Content) })
	}
}
