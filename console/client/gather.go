package client

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// gatherer puts the answers to one DO together.
type gatherer struct {
	id string
	answers
	rows []jsontext.Value
	text strings.Builder // that came with the rows
}

// take handles one answer; an outcome ends the gathering. A message of a type
// that this version does not know is ignored: a newer core may send more.
func (g *gatherer) take(msg *nats.Msg) *wire.Outcome {
	t, err := wire.PeekType(msg.Data)
	if err != nil {
		return broken(err)
	}
	switch t {
	case wire.TypePlan:
		err = deliver(msg.Data, t, g.Plan)
	case wire.TypeProgress:
		err = deliver(msg.Data, t, g.Progress)
	case wire.TypeRecords:
		err = deliver(msg.Data, t, g.keep)
	case wire.TypeBlock:
		err = g.takeBlock(msg.Data)
	case wire.TypeOutcome:
		return g.end(msg.Data)
	case wire.TypeError:
		return refused(msg.Data)
	default:
	}
	if err != nil {
		return broken(err)
	}
	return nil
}

// deliver decodes a message and hands it to f; f may be nil.
func deliver[T any, P interface {
	*T
	wire.Message
}](data []byte, t wire.Type, f func(T)) error {
	var m T
	if err := wire.Decode(data, t, P(&m)); err != nil {
		return err
	}
	if f != nil {
		f(m)
	}
	return nil
}

func (g *gatherer) keep(r wire.Records) {
	if g.Rows != nil {
		g.Rows(r.Rows)
		return
	}
	g.text.WriteString(r.Text)
	g.rows = append(g.rows, r.Rows...)
}

func (g *gatherer) takeBlock(data []byte) error {
	if g.block == nil {
		return nil
	}
	b := new(wire.Block)
	if err := wire.Decode(data, wire.TypeBlock, b); err != nil {
		return err
	}
	g.block(b)
	return nil
}

func (g *gatherer) end(data []byte) *wire.Outcome {
	out := new(wire.Outcome)
	if err := wire.Decode(data, wire.TypeOutcome, out); err != nil {
		return broken(err)
	}
	if out.ID != g.id {
		return nil // the late end of something else
	}
	out.Text = g.text.String() + out.Text
	if g.Rows == nil && g.rows != nil {
		joined, err := join(out.Data, g.rows)
		if err != nil {
			return broken(err)
		}
		out.Data = joined
	}
	return out
}

// join adds the rows to the outcome's data as its last member.
func join(data jsontext.Value, rows []jsontext.Value) (jsontext.Value, error) {
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	head := jsontext.Value("{")
	if len(data) > 0 {
		object := data.Clone()
		if err := object.Compact(); err != nil || object.Kind() != '{' {
			return nil, err
		}
		head = object[:len(object)-1]
	}
	if len(head) > 1 {
		head = append(head, ',')
	}
	head = append(head, `"rows":`...)
	head = append(head, list...)
	return append(head, '}'), nil
}

func refused(data []byte) *wire.Outcome {
	e := new(wire.Error)
	if err := wire.Decode(data, wire.TypeError, e); err != nil {
		return broken(err)
	}
	out := failed("", e.Code.Verdict(), e)
	return &out
}

func broken(err error) *wire.Outcome {
	out := failed("", wire.Internal, wire.Errorf(wire.CodeVersion, "the core's answer cannot be read: %s", wire.Clean(err.Error())).
		WithHint("core and console may be of different versions: see doctor"))
	return &out
}
