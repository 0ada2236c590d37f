package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mesh30k/meshcore/wire"
)

// Setting is a path or value that info shows, and where it came from: flag,
// environment, file or default.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Info prints settings, as a table or in the envelope.
func Info(cmd *cobra.Command, settings []Setting) error {
	width, value := 0, 0
	for _, s := range settings {
		width, value = max(width, len(s.Name)), max(value, len(s.Value))
	}
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", width, wire.Clean(s.Name), value, wire.Clean(s.Value), wire.Clean(s.Source))
	}
	return Say(cmd, wire.Done, map[string]any{"settings": settings}, b.String())
}

// Check is one thing that doctor looked at.
type Check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`       // what is
	Do    string `json:"do,omitzero"` // what to do about it, unless OK
}

// Doctor prints checks, as a table or in the envelope. Unless all are well the
// verdict is partial.
func Doctor(cmd *cobra.Command, checks []Check) error {
	var b strings.Builder
	verdict, width, bad := wire.Done, 0, 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	for _, c := range checks {
		mark := "ok "
		if !c.OK {
			mark, verdict = "BAD", wire.Partial
			bad++
		}
		fmt.Fprintf(&b, "%s  %-*s  %s\n", mark, width, wire.Clean(c.Name), wire.Clean(c.Found))
		if !c.OK && c.Do != "" {
			fmt.Fprintf(&b, "     %-*s  → %s\n", width, "", wire.Clean(c.Do))
		}
	}
	if bad == 0 {
		fmt.Fprintf(&b, "all %d checks are well\n", len(checks))
	} else {
		fmt.Fprintf(&b, "%d of %d checks are not well\n", bad, len(checks))
	}
	return Say(cmd, verdict, map[string]any{"checks": checks, "bad": bad}, b.String())
}
