package console

import (
	"context"
	"fmt"
	"time"

	"mesh30k/meshcore/wire"
)

// What a fault is given when the action says nothing.
const (
	slowFactor = 10  // times the service time
	lossFactor = 0.5 // share of messages
)

// check is what the tags cannot say: which arguments belong to which fault.
func (a Inject) check() error {
	switch {
	case a.Factor != 0 && a.Fault != string(wire.FaultSlow) && a.Fault != string(wire.FaultLoss):
		return wire.Errorf(wire.CodeBadMessage, "factor: %s has none", a.Fault).WithHint("only slow and loss have a factor")
	case a.Fault == string(wire.FaultLoss) && a.Factor > 1:
		return wire.Errorf(wire.CodeBadMessage, "factor: %v is no share", a.Factor).WithHint("loss wants a factor from 0 to 1")
	case a.Fault == string(wire.FaultSlow) && a.Factor != 0 && a.Factor < 0.01:
		return wire.Errorf(wire.CodeBadMessage, "factor: %v is too small", a.Factor).WithHint("slow wants a factor from 0.01 to 1000")
	case (a.Skew != 0) != (a.Fault == string(wire.FaultSkew)):
		return wire.Errorf(wire.CodeBadMessage, "skew: belongs to the fault skew, which needs it").WithHint("such as: inject skew sector=7 --skew=2s")
	case a.For != 0 && a.Fault == string(wire.FaultRevive):
		return wire.Errorf(wire.CodeBadMessage, "for: revive is over at once").WithHint("leave --for out")
	}
	return nil
}

// Injected is the data of inject's outcome.
type Injected struct {
	Fault    string `json:"fault"`
	Target   string `json:"target"`
	Injected int    `json:"injected"` // agents
}

func (c *call) inject(p Picture, a Inject) (*change, error) {
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return nil, err
	}
	rows := rowsOf(p, sel)
	if len(rows) == 0 {
		return nil, noneMatched(sel)
	}
	for _, r := range rows {
		if !r.Sim {
			return nil, wire.Errorf(wire.CodeForbidden, "agent %s is not emulated: faults are for emulated agents only", r.Address).
				WithHint("narrow the target, for example by the fleet's host")
		}
	}
	fault := wire.Inject{Fault: wire.Fault(a.Fault), Factor: a.Factor, SkewMS: ms(a.Skew), ForMS: ms(a.For)}
	switch {
	case fault.Factor != 0:
	case fault.Fault == wire.FaultSlow:
		fault.Factor = slowFactor
	case fault.Fault == wire.FaultLoss:
		fault.Factor = lossFactor
	}
	ch := &change{rows: rows, does: fmt.Sprintf("inject %s into %s", a.Fault, sel)}
	ch.run = func(ctx context.Context, _ func(wire.Progress)) (wire.Outcome, error) {
		n, err := c.Mesh.Inject(ctx, setOf(rows), fault)
		if err != nil {
			return wire.Outcome{}, err
		}
		v := wire.Done
		if n < len(rows) {
			v = wire.Partial
		}
		text := fmt.Sprintf("%s: %s of %s\n", a.Fault, thousands(n), plural(len(rows), "agent"))
		return c.outcome(v, Injected{a.Fault, sel.String(), n}, text), nil
	}
	return ch, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
