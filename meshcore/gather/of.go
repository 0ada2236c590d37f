package gather

import "mesh30k/meshcore/wire"

// Of is the state of the delivery to one agent, and its code if it has one:
// UNSENT while its sector has not told of it.
func (t *Tally) Of(sector, ordinal int) (state wire.DeliveryState, code wire.Code) {
	p := t.sectors[sector]
	for s, agents := range p.States {
		if agents.Has(ordinal) {
			state = s
		}
	}
	for c, agents := range p.Codes {
		if agents.Has(ordinal) {
			code = c
		}
	}
	return state, code
}
