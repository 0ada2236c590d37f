package console

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mesh30k/meshcore/wire"
)

// Kind is the type of an argument.
type Kind string

// The kinds, and what each is spelled as in JSON.
const (
	KindTarget   Kind = "target"   // string: a selector
	KindTime     Kind = "time"     // string: see [ParseAt]
	KindDuration Kind = "duration" // string: a Go duration
	KindClass    Kind = "class"    // string: A to F
	KindFact     Kind = "fact"     // string: a kind of fact
	KindText     Kind = "text"     // string
	KindInt      Kind = "integer"  // number
	KindNumber   Kind = "number"   // number
	KindBool     Kind = "boolean"  // boolean
)

// Arg describes one argument of an action.
type Arg struct {
	Name     string
	Help     string
	Kind     Kind
	Default  string // canonical; meaningless if Required
	Required bool
	Enum     []string // the values there are, beside the default; nil: any
	Min, Max string   // KindInt, KindNumber, KindDuration: bounds, both included; empty: none

	last  bool // may be given by position, as the last
	field int  // index in the struct
}

// Flag is the argument's name on the command line, without the dashes.
func (a *Arg) Flag() string { return strings.ReplaceAll(a.Name, "_", "-") }

// Wants says what a value of the argument looks like.
func (a *Arg) Wants() string {
	switch {
	case len(a.Enum) > 0:
		return "one of " + strings.Join(a.Enum, ", ")
	case a.Kind == KindTarget:
		return "a target such as mesh, sector=7 or class=E"
	case a.Kind == KindTime:
		return "now, a duration ago (90m), a time of day (14:03) or RFC 3339"
	case a.Kind == KindDuration:
		return "a duration such as 30s" + a.bounds()
	case a.Kind == KindClass:
		return "a class, A to F"
	case a.Kind == KindInt:
		return "a whole number" + a.bounds()
	case a.Kind == KindNumber:
		return "a number" + a.bounds()
	case a.Kind == KindBool:
		return "true or false"
	default:
		return "text"
	}
}

func (a *Arg) bounds() string {
	if a.Min == "" && a.Max == "" {
		return ""
	}
	return ", " + a.Min + " to " + a.Max
}

// kindOf finds the kind of a field by its Go type: the field is the definition.
func kindOf(t reflect.Type) Kind {
	switch t {
	case reflect.TypeFor[wire.Selector]():
		return KindTarget
	case reflect.TypeFor[At]():
		return KindTime
	case reflect.TypeFor[time.Duration]():
		return KindDuration
	case reflect.TypeFor[wire.Class]():
		return KindClass
	case reflect.TypeFor[wire.FactKind]():
		return KindFact
	case reflect.TypeFor[string]():
		return KindText
	case reflect.TypeFor[int]():
		return KindInt
	case reflect.TypeFor[float64]():
		return KindNumber
	case reflect.TypeFor[bool]():
		return KindBool
	}
	panic("console: no argument can be of type " + t.String())
}

// argsOf derives the arguments from the fields of an action's struct.
func argsOf(t reflect.Type) []Arg {
	args := make([]Arg, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		a := Arg{
			Name: f.Tag.Get("arg"), Help: f.Tag.Get("help"), Kind: kindOf(f.Type),
			Min: f.Tag.Get("min"), Max: f.Tag.Get("max"),
			last: f.Tag.Get("last") != "", field: i,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			a.Enum = strings.Split(enum, "|")
		}
		if a.Kind == KindFact {
			a.Enum = factKinds()
		}
		def, ok := f.Tag.Lookup("default")
		a.Default, a.Required = def, !ok
		args = append(args, a)
	}
	return args
}

// parse reads a value as the command line spells it.
func (a *Arg) parse(s string) (any, error) {
	v, err := a.value(s)
	if err != nil {
		return nil, a.wrong(s, err)
	}
	return v, nil
}

func (a *Arg) wrong(got string, err error) error {
	e := wire.Errorf(wire.CodeBadMessage, "%s: %q: want %s", a.Name, clip(got), a.Wants())
	if errors.Is(err, errKind) {
		return e
	}
	if refusal, ok := errors.AsType[*wire.Error](err); ok {
		return refusal
	}
	e.Message = fmt.Sprintf("%s: %v", a.Name, err)
	return e.WithHint("want %s", a.Wants())
}

// errKind stands for "not of this kind", where Wants says all there is to say.
var errKind = fmt.Errorf("of another kind")

func (a *Arg) value(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("the text is not valid UTF-8")
	}
	switch a.Kind {
	case KindTarget:
		return wire.ParseSelector(s)
	case KindTime:
		return ParseAt(s)
	case KindClass:
		if s == "" {
			return wire.Class(0), nil
		}
		return wire.ParseClass(s)
	case KindDuration:
		return a.duration(s)
	case KindInt:
		return a.integer(s)
	case KindNumber:
		return a.number(s)
	case KindBool:
		return boolean(s)
	case KindFact:
		if !a.allows(s) {
			return nil, errKind
		}
		return wire.FactKind(s), nil
	default:
		return a.text(s)
	}
}

func (a *Arg) text(s string) (any, error) {
	if len(s) > wire.MaxText {
		return nil, fmt.Errorf("%d bytes are over the limit of %d", len(s), wire.MaxText)
	}
	if !a.allows(s) {
		return nil, errKind
	}
	if a.Required && strings.TrimSpace(s) == "" {
		return nil, fmt.Errorf("is empty")
	}
	return s, nil
}

// allows reports whether s is one of the values there are.
func (a *Arg) allows(s string) bool {
	return a.Enum == nil || slices.Contains(a.Enum, s) || !a.Required && s == a.Default
}

func factKinds() []string {
	list := make([]string, len(wire.FactKinds))
	for i, k := range wire.FactKinds {
		list[i] = string(k)
	}
	return list
}

func boolean(s string) (any, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, errKind
}

func (a *Arg) integer(s string) (any, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, errKind
	}
	return n, a.within(float64(n), number)
}

func (a *Arg) number(s string) (any, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return nil, errKind
	}
	return x, a.within(x, number)
}

func (a *Arg) duration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, errKind
	}
	return d, a.within(float64(d), nanoseconds)
}

// within compares x with the bounds, which read turns into x's unit.
func (a *Arg) within(x float64, read func(string) float64) error {
	if a.Min != "" && x < read(a.Min) || a.Max != "" && x > read(a.Max) {
		return errKind
	}
	return nil
}

// number and nanoseconds read a tag of this package; a test reads them all.
func number(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("console: " + s + " is no number")
	}
	return x
}

func nanoseconds(s string) float64 {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic("console: " + s + " is no duration")
	}
	return float64(d)
}

// spell is the canonical spelling of a value, as the command line has it.
func spell(v any) string {
	switch v := v.(type) {
	case wire.Selector:
		return v.String()
	case At:
		return v.String()
	case time.Duration:
		return durationText(v)
	case wire.Class:
		if v == 0 {
			return ""
		}
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// clip makes a piece of input fit for an error message.
func clip(s string) string {
	s = wire.Clean(s)
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return s
}
