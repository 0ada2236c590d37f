package console

import (
	"fmt"
	"strings"

	"mesh30k/meshcore/wire"
)

func (c *call) help(a Help) (wire.Outcome, error) {
	rows, text, err := a.Answer()
	if err != nil {
		return wire.Outcome{}, err
	}
	for _, r := range rows {
		if err := c.tell.row(r, ""); err != nil {
			return wire.Outcome{}, err
		}
	}
	return c.outcome(wire.Done, map[string]int{"shown": len(rows)}, text), nil
}

// Answer is what help says; it needs no core. An unknown topic is an error as of
// [Lookup].
func (a Help) Answer() (rows []any, text string, err error) {
	list, text := catalog, HelpText()
	if a.Topic != "" {
		e, err := Lookup(a.Topic)
		if err != nil {
			return nil, "", err
		}
		list, text = []Entry{*e}, e.HelpText()
	}
	for i := range list {
		rows = append(rows, helpRow(&list[i]))
	}
	return rows, text, nil
}

// helpRow is what programs see of an entry.
func helpRow(e *Entry) any {
	return map[string]any{
		"action": e.Name, "summary": e.Summary, "help": e.Help, "risk": e.Risk,
		"reversible": e.Reversible, "usage": e.Usage(), "examples": e.Examples, "schema": e.Schema(),
	}
}

// HelpText lists the actions.
func HelpText() string {
	t := table{head: []string{"ACTION", "KEY", "RISK", "WHAT IT DOES"}}
	for i := range catalog {
		e := &catalog[i]
		t.add(e.Name, e.Key, string(e.Risk), e.Summary)
	}
	return strings.Join(t.lines(), "\n") + "\n\nhelp ACTION explains one.\n\n" + TargetHelp
}

// TargetHelp explains targets to a person, shell quotes included.
const TargetHelp = `A target is mesh, a place (7, 7.4, 7.4.12) or conditions that must all hold:
  sector=3-9   cluster=7.4   agent=7.4.12   host=NAME   class=D   label.NAME=VALUE
  state=active (degraded unstable offline quarantined frozen)
  capability=NAME   'impedance>500'   'sector=3|9'   sector!=7   sector=3-9,class=E
In a shell, | > < need quotes.
`

// HelpText explains the action: usage, arguments, risk, examples.
func (e *Entry) HelpText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)\n\nUsage: %s [flags]\n\n%s\n", e.Name, e.Summary, e.Risk, e.Usage(), e.Help)
	if len(e.Args) > 0 {
		b.WriteString("\nArguments:\n")
		t := table{head: []string{"", "", ""}}
		positional := e.Positional()
		for _, a := range positional {
			t.add("  "+strings.ToUpper(a.Name), a.Help, defaultNote(a))
		}
		for _, a := range e.Flags() {
			t.add("  --"+a.Flag(), a.Help, defaultNote(a))
		}
		b.WriteString(strings.Join(t.lines()[1:], "\n") + "\n")
	}
	if e.Reversible != "" {
		fmt.Fprintf(&b, "\nTo take it back: %s\n", e.Reversible)
	}
	b.WriteString("\nExamples:\n")
	for _, x := range e.Examples {
		fmt.Fprintf(&b, "  %s\n", x)
	}
	if e.Arg("target") != nil {
		b.WriteString("\n" + TargetHelp)
	}
	return b.String()
}

func defaultNote(a *Arg) string {
	note := ""
	if a.Enum != nil && a.Kind != KindFact {
		note = strings.Join(a.Enum, "|")
	}
	switch {
	case a.Required:
		note += " (required)"
	case a.Default != "":
		note += " (" + a.Default + ")"
	}
	return strings.TrimSpace(note)
}
