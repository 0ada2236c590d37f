package console

import (
	"reflect"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// Named is an argument given by name on a line; the dashes are gone and "-" and
// "_" are the same.
type Named struct{ Name, Value string }

// Build makes an action of what a line gives: arguments by name, and the others
// by position, in the spelling of the command line. Errors are *wire.Error.
func (e *Entry) Build(positional []string, named []Named) (Action, error) {
	b := e.builder()
	for _, n := range named {
		a := e.Arg(strings.ReplaceAll(n.Name, "-", "_"))
		if a == nil {
			return nil, e.unknownArg(n.Name)
		}
		if err := b.set(a, n.Value); err != nil {
			return nil, err
		}
	}
	places := slices.DeleteFunc(e.Positional(), func(a *Arg) bool { return b.given[a.Name] })
	if len(positional) > len(places) {
		return nil, wire.Errorf(wire.CodeBadMessage, "%s: %q is one argument too many", e.Name, clip(positional[len(places)])).
			WithHint("usage: %s; words that belong together need quotes", e.Usage())
	}
	for i, s := range positional {
		if err := b.set(places[i], s); err != nil {
			return nil, err
		}
	}
	return b.action()
}

func (e *Entry) unknownArg(name string) error {
	if len(e.Args) == 0 {
		return wire.Errorf(wire.CodeBadMessage, "%s: there is no argument %q", e.Name, clip(name)).WithHint("it takes none")
	}
	names := make([]string, len(e.Args))
	for i := range e.Args {
		names[i] = e.Args[i].Name
	}
	return wire.Errorf(wire.CodeBadMessage, "%s: there is no argument %q", e.Name, clip(name)).
		WithHint("it takes %s", strings.Join(names, ", "))
}

// builder fills in the struct of an action.
type builder struct {
	entry *Entry
	value reflect.Value
	given map[string]bool
}

// builder starts with every default in place.
func (e *Entry) builder() *builder {
	b := &builder{e, reflect.New(e.typ).Elem(), map[string]bool{}}
	for i := range e.Args {
		a := &e.Args[i]
		if a.Required {
			continue
		}
		v, err := a.value(a.Default)
		if err != nil {
			panic("console: default of " + e.Name + "." + a.Name + ": " + err.Error())
		}
		b.value.Field(a.field).Set(reflect.ValueOf(v))
	}
	return b
}

func (b *builder) set(a *Arg, s string) error {
	v, err := a.parse(s)
	if err != nil {
		return err
	}
	return b.put(a, v)
}

func (b *builder) put(a *Arg, v any) error {
	if b.given[a.Name] {
		return wire.Errorf(wire.CodeBadMessage, "%s: %s is given twice", b.entry.Name, a.Name).WithHint("give it once")
	}
	b.given[a.Name] = true
	b.value.Field(a.field).Set(reflect.ValueOf(v))
	return nil
}

// action is the finished action, unless a required argument is missing.
func (b *builder) action() (Action, error) {
	for i := range b.entry.Args {
		a := &b.entry.Args[i]
		if a.Required && !b.given[a.Name] {
			return nil, wire.Errorf(wire.CodeBadMessage, "%s: %s is missing: want %s", b.entry.Name, a.Name, a.Wants()).
				WithHint("usage: %s", b.entry.Usage())
		}
	}
	a := b.value.Interface().(Action)
	if c, ok := a.(interface{ check() error }); ok {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func placeholder(a *Arg) string {
	s := strings.ToUpper(a.Name)
	if a.Required {
		return s
	}
	return "[" + s + "]"
}
