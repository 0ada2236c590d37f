package agentd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

func TestAcksOfManyAgentsShareAnItemUnlessTheyHaveTheirOwnAnswer(t *testing.T) {
	var x acks
	for i := range 30 {
		x.add(wire.AckItem{MessageID: "m1", State: wire.Worked, Agents: []string{agentName(i)}, ProcessingMS: float64(i)})
	}
	x.add(wire.AckItem{MessageID: "m1", State: wire.Received, Agents: []string{"a-40"}})
	x.add(wire.AckItem{MessageID: "m1", State: wire.Worked, Agents: []string{"a-41"}, Again: true})
	x.add(wire.AckItem{MessageID: "m1", State: wire.Worked, Agents: []string{"a-42"}, Answer: jsontext.Value("1")})
	portions := x.take()
	if len(portions) != 1 || len(portions[0]) != 4 {
		t.Fatalf("%d portions, the first of %d items", len(portions), len(portions[0]))
	}
	if it := portions[0][0]; len(it.Agents) != 30 || it.ProcessingMS != 29 {
		t.Errorf("the shared item: %d agents, the slowest %v ms", len(it.Agents), it.ProcessingMS)
	}
	if len(x.take()) != 0 {
		t.Error("what was taken is there again")
	}
}

func TestWhatEndsBeforeItsAckIsSentIsSaidOnce(t *testing.T) {
	l := &loop{Host: &Host{}}
	c := &cluster{}
	early, late := &delivery{deliveryKey: deliveryKey{"m1", "a-01"}}, &delivery{deliveryKey: deliveryKey{"m1", "a-02"}}
	for _, d := range []*delivery{early, late} {
		d.state = wire.Received
		l.ack(c, d)
	}
	early.state = wire.Worked
	l.ack(c, early)
	said := l.takeUnsaid(c)
	if len(said) != 1 || len(said[0]) != 2 || said[0][0].State != wire.Worked || said[0][1].State != wire.Received {
		t.Errorf("said %+v; want WORKED of the first and RECEIVED of the second, no more", said)
	}
	late.state = wire.Worked
	l.ack(c, late)
	if said = l.takeUnsaid(c); len(said) != 1 || len(said[0]) != 1 || said[0][0].State != wire.Worked {
		t.Errorf("then said %+v; want WORKED of the second", said)
	}
}

func TestNoAckIsTooLargeToBeSent(t *testing.T) {
	var x acks
	answer := jsontext.Value(`"` + strings.Repeat("x", wire.MaxBody-2) + `"`)
	for i := range 40 {
		x.add(wire.AckItem{MessageID: fmt.Sprint(i), State: wire.Worked, Agents: []string{"a-01"}, Answer: answer})
	}
	items := 0
	for _, portion := range x.take() {
		items += len(portion)
		data := wire.Encode(&wire.Ack{Header: wire.Head(wire.TypeAck), Host: "pi", Cluster: testCluster, Items: portion})
		var back wire.Ack
		if err := wire.Decode(data, wire.TypeAck, &back); err != nil {
			t.Error(err)
		}
	}
	if items != 40 {
		t.Errorf("%d of 40 items were sent", items)
	}
}

func TestAnyResultOfAHandlerCanBeSent(t *testing.T) {
	huge := TextAnswer(strings.Repeat("x", wire.MaxBody))
	for name, c := range map[string]struct {
		in    Result
		state wire.DeliveryState
		code  wire.Code
	}{
		"no state":        {Result{}, wire.Refused, wire.CodeInternal},
		"not final":       {Result{State: wire.Received}, wire.Refused, wire.CodeInternal},
		"no code":         {Result{State: wire.Refused}, wire.Refused, wire.CodeHandler},
		"out of time":     {Result{State: wire.Refused, Code: wire.CodeExpired}, wire.Expired, wire.CodeExpired},
		"too large":       {Result{State: wire.Worked, Answer: huge}, wire.Refused, wire.CodeTooLarge},
		"no JSON":         {Result{State: wire.Worked, Answer: jsontext.Value("{\xff")}, wire.Worked, ""},
		"detail too big":  {Result{State: wire.InConflict, Detail: &wire.ConflictDetail{Data: huge}}, wire.Refused, wire.CodeTooLarge},
		"detail no UTF-8": {Result{State: wire.InConflict, Detail: &wire.ConflictDetail{Type: "\xff"}}, wire.InConflict, ""},
		"detail no JSON":  {Result{State: wire.InConflict, Detail: &wire.ConflictDetail{Data: jsontext.Value("{")}}, wire.InConflict, ""},
	} {
		r := c.in.tidy()
		if r.State != c.state || r.Code != c.code {
			t.Errorf("%s: %s %s, want %s %s", name, r.State, r.Code, c.state, c.code)
		}
		wire.Encode(&wire.Ack{Items: []wire.AckItem{{MessageID: "m", Answer: r.Answer, Detail: r.Detail}}}) // panics if it cannot be spelled
	}
}
