package gather

import "mesh30k/meshcore/wire"

// Tally adds up the progress of an operation's sectors. The orchestrator is its
// only user. Whether all is over is asked after each of a sector's reports; so it
// is kept, by counting the sectors that are not there yet.
type Tally struct {
	targets   wire.Targets
	addressed wire.Targets
	sectors   map[int]wire.DeliveryProgress

	undelivered, unfinished, unsettled int // sectors
}

// NewTally makes the tally of an operation. Verdicts are about the addressed,
// who are some or all of the targets (rulings).
func NewTally(targets, addressed wire.Targets) *Tally {
	t := &Tally{targets: targets, addressed: addressed, sectors: map[int]wire.DeliveryProgress{}}
	for _, set := range targets {
		t.count(set.Sector, 1)
	}
	return t
}

// Fold takes in the progress of a sector, in place of what it said before.
func (t *Tally) Fold(sector int, p wire.DeliveryProgress) {
	t.count(sector, -1)
	t.sectors[sector] = p
	t.count(sector, 1)
}

// count adds n to the sectors that are not there yet, if this is one of them.
func (t *Tally) count(sector, n int) {
	targets := t.targets.Sector(sector)
	if targets.Empty() {
		return
	}
	p, told := t.sectors[sector]
	if !told || !p.Settled {
		t.unsettled += n
	}
	addressed := t.addressed.Sector(sector)
	if !covered(addressed, p, wire.Frozen, wire.Worked, wire.InConflict, wire.Refused, wire.Expired) {
		t.unfinished += n
		if !covered(addressed, p, wire.Frozen, wire.Received, wire.Prepared, wire.Worked, wire.InConflict, wire.Refused, wire.Expired) {
			t.undelivered += n
		}
	}
}

// covered reports whether all of agents are in one of the states.
func covered(agents wire.Bits, p wire.DeliveryProgress, states ...wire.DeliveryState) bool {
	for i, left := range agents {
		for _, state := range states {
			if in := p.States[state]; left != 0 && i < len(in) {
				left &^= in[i]
			}
		}
		if left != 0 {
			return false
		}
	}
	return true
}

// States counts the targets by the name of their state; a sector that has not
// said anything has sent nothing.
func (t *Tally) States() map[string]int {
	counts := map[string]int{}
	for _, set := range t.targets {
		p, told := t.sectors[set.Sector]
		if !told {
			counts[wire.Unsent.String()] += set.Agents.Len()
			continue
		}
		for state, agents := range p.States {
			counts[state.String()] += agents.Len()
		}
	}
	return counts
}

// Codes counts the targets by the code of their final state.
func (t *Tally) Codes() map[wire.Code]int {
	counts := map[wire.Code]int{}
	for _, p := range t.sectors {
		for code, agents := range p.Codes {
			counts[code] += agents.Len()
		}
	}
	return counts
}

// Received is how many of the addressed have the message: RECEIVED or beyond.
// A host that refused it had it; what EXPIRED may never have arrived.
func (t *Tally) Received() int { return t.Addressed() - t.Missing(false).Len() }

// Addressed is how many deliveries a verdict is about: those of the addressed,
// without the ones that are FROZEN now. Who is frozen while an operation goes on
// is not waited for and not a miss (rulings: Addressed); the message is kept.
func (t *Tally) Addressed() int { return t.addressedBut().Len() }

// Acknowledged is how many of the addressed have answered with a result, WORKED
// or CONFLICT: a refusal is a miss (rulings).
func (t *Tally) Acknowledged() int { return t.Addressed() - t.Missing(true).Len() }

// WorkedAgain is how many of the targets worked the message once more, after a kill.
func (t *Tally) WorkedAgain() (n int) {
	for _, p := range t.sectors {
		n += p.Again.Len()
	}
	return n
}

// Missing are the addressed who have not done what was asked: acknowledged with
// requireAck, else received.
func (t *Tally) Missing(requireAck bool) wire.Targets {
	if requireAck {
		return t.addressedBut(wire.Worked, wire.InConflict)
	}
	return t.addressedBut(wire.Received, wire.Prepared, wire.Worked, wire.InConflict, wire.Refused)
}

// Done reports whether nothing more is to be waited for: every sector has told of
// its deliveries (until then nobody knows who of them is FROZEN), and with
// requireAck every addressed one is final, without it RECEIVED or beyond.
func (t *Tally) Done(requireAck bool) bool {
	if len(t.sectors) < len(t.targets) {
		return false
	}
	if requireAck {
		return t.unfinished == 0
	}
	return t.undelivered == 0
}

// Settled reports whether every sector has told of its deliveries and all final
// states are facts.
func (t *Tally) Settled() bool { return t.unsettled == 0 }

// addressedBut are the addressed who are in none of the given states, and not
// FROZEN.
func (t *Tally) addressedBut(in ...wire.DeliveryState) (rest wire.Targets) {
	for _, set := range t.addressed {
		left := set.Agents.Clone()
		left.AndNot(t.sectors[set.Sector].States[wire.Frozen])
		for _, state := range in {
			left.AndNot(t.sectors[set.Sector].States[state])
		}
		if !left.Empty() {
			rest = append(rest, wire.SectorSet{Sector: set.Sector, Agents: left})
		}
	}
	return rest
}
