package console

import (
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// Decode reads the JSON form of an action, {"action": NAME, …}. It is strict: an
// unknown or repeated argument and a wrong type are errors that say what is
// wanted. Errors are *wire.Error.
func Decode(data []byte) (Action, error) {
	if len(data) > wire.MaxBody {
		return nil, wire.Errorf(wire.CodeTooLarge, "the action has %d bytes; the limit is %d", len(data), wire.MaxBody)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, badJSON(err)
	}
	var name string
	if err := json.Unmarshal(members["action"], &name); err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "the action has no name").WithHint(`want {"action": NAME, …}`)
	}
	e, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	delete(members, "action")
	return e.decode(members)
}

func badJSON(err error) error {
	if err == nil {
		return wire.Errorf(wire.CodeBadMessage, "the action is null").WithHint(`want {"action": NAME, …}`)
	}
	return wire.Errorf(wire.CodeBadMessage, "the action is not a JSON object: %s", wire.Clean(err.Error())).
		WithHint(`want {"action": NAME, …}`)
}

func (e *Entry) decode(members map[string]jsontext.Value) (Action, error) {
	for name := range members {
		if e.Arg(name) == nil {
			return nil, e.unknownArg(name)
		}
	}
	b := e.builder()
	for i := range e.Args {
		a := &e.Args[i]
		raw, ok := members[a.Name]
		if !ok {
			continue
		}
		v, err := a.decode(raw)
		if err != nil {
			return nil, err
		}
		if err := b.put(a, v); err != nil {
			return nil, err
		}
	}
	return b.action()
}

// jsonKind is the JSON type that spells an argument.
func (a *Arg) jsonKind() jsontext.Kind {
	switch a.Kind {
	case KindInt, KindNumber:
		return '0'
	case KindBool:
		return 't'
	default:
		return '"'
	}
}

func (a *Arg) decode(raw jsontext.Value) (any, error) {
	kind := raw.Kind()
	if kind == 'f' {
		kind = 't'
	}
	if kind != a.jsonKind() {
		return nil, wire.Errorf(wire.CodeBadMessage, "%s: got %s: want %s%s", a.Name, clip(string(raw)), a.Wants(), a.quoted())
	}
	text := string(raw)
	if kind == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, badJSON(err)
		}
	}
	return a.parse(text)
}

func (a *Arg) quoted() string {
	if a.jsonKind() == '"' {
		return ", as a JSON string"
	}
	return ", without quotes"
}

// Encode is the canonical JSON form: the arguments that differ from their
// default, in the order of their definition.
func Encode(a Action) jsontext.Value {
	e := EntryOf(a)
	v := reflect.ValueOf(a)
	out := append(jsontext.Value(`{"action":`), quote(e.Name)...)
	for i := range e.Args {
		arg := &e.Args[i]
		text := spell(v.Field(arg.field).Interface())
		if !arg.Required && text == arg.Default {
			continue
		}
		out = append(out, ',')
		out = append(out, quote(arg.Name)...)
		out = append(out, ':')
		if arg.jsonKind() == '"' {
			text = string(quote(text))
		}
		out = append(out, text...)
	}
	return append(out, '}')
}

func quote(s string) []byte {
	q, err := jsontext.AppendQuote(nil, s)
	if err != nil { // invalid UTF-8, which Build and Decode have refused
		return strconv.AppendQuote(nil, wire.Clean(s))
	}
	return q
}
