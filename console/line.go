package console

import (
	"reflect"
	"strings"

	"mesh30k/meshcore/wire"
)

// ParseLine reads an action as one types it after ":": its name, then arguments
// as on the command line. A leading ":" is ignored. Errors are *wire.Error.
func ParseLine(line string) (Action, error) {
	line = strings.TrimSpace(line)
	line = strings.TrimPrefix(line, ":")
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, wire.Errorf(wire.CodeBadMessage, "nothing was asked").WithHint("help lists the actions")
	}
	e, err := Lookup(strings.ReplaceAll(words[0], "-", "_"))
	if err != nil {
		return nil, err
	}
	positional, named, err := e.sort(words[1:])
	if err != nil {
		return nil, err
	}
	return e.Build(positional, named)
}

// sort tells positional words from flags: --name VALUE, --name=VALUE, and
// --name alone where the argument is a boolean. After "--" all is positional.
func (e *Entry) sort(words []string) (positional []string, named []Named, err error) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			return append(positional, words[i+1:]...), named, nil
		}
		if !strings.HasPrefix(w, "-") || w == "-" {
			positional = append(positional, w)
			continue
		}
		name, isLong := strings.CutPrefix(w, "--")
		if !isLong {
			return nil, nil, e.unknownArg(w)
		}
		name, value, hasValue := strings.Cut(name, "=")
		a := e.Arg(strings.ReplaceAll(name, "-", "_"))
		switch {
		case a == nil:
			return nil, nil, e.unknownArg(name)
		case hasValue:
		case a.Kind == KindBool:
			value = "true"
		case i+1 < len(words):
			i++
			value = words[i]
		default:
			return nil, nil, wire.Errorf(wire.CodeBadMessage, "%s: --%s has no value", e.Name, a.Flag()).WithHint("want %s", a.Wants())
		}
		named = append(named, Named{a.Name, value})
	}
	return positional, named, nil
}

// Line is the action as one types it after ":" or on the command line: the
// arguments that differ from their default. ParseLine reads it back.
func Line(a Action) string {
	e := EntryOf(a)
	v := reflect.ValueOf(a)
	given := func(arg *Arg) (string, bool) {
		s := spell(v.Field(arg.field).Interface())
		return s, arg.Required || s != arg.Default
	}
	line := e.Name
	for _, arg := range e.Flags() {
		if s, ok := given(arg); ok && arg.Kind == KindBool && s == "true" {
			line += " --" + arg.Flag()
		} else if ok {
			line += " --" + arg.Flag() + "=" + quoteWord(s)
		}
	}
	for _, arg := range e.Positional() {
		s, ok := given(arg)
		if ok && strings.HasPrefix(s, "-") && !strings.Contains(line, " -- ") {
			line += " --"
		}
		if ok {
			line += " " + quoteWord(s)
		}
	}
	return line
}
