package wire

import (
	"math/bits"
	"slices"
)

// stateNames are what state= asks for, in the order of actions.md. Each is one
// flag of a row: several can be set.
var stateNames = [...]string{"active", "degraded", "unstable", "offline", "quarantined", "frozen"}

const (
	flagActive uint8 = 1 << iota // heard from, degraded ones included
	flagDegraded
	flagUnstable
	flagOffline
	flagQuarantined
	flagFrozen
)

func stateFlags(r *AgentImpedance) (flags uint8) {
	switch r.State {
	case Active:
		flags = flagActive
	case Degraded:
		flags = flagActive | flagDegraded
	case Offline:
		flags = flagOffline
	case Quarantined:
		flags = flagQuarantined
	}
	if r.Unstable {
		flags |= flagUnstable
	}
	if r.Frozen {
		flags |= flagFrozen
	}
	return flags
}

// worlds is a set of the 16 ways an agent can be: 2.3's four operational
// states, with or without each of the flags unstable and frozen.
type worlds uint16

// worldFlags are the flags that are set in each of the worlds.
var worldFlags = func() (list [16]uint8) {
	states := [...]OperationalState{Active, Degraded, Offline, Quarantined}
	for i := range list {
		list[i] = stateFlags(&AgentImpedance{State: states[i&3], Unstable: i&4 != 0, Frozen: i&8 != 0})
	}
	return list
}()

// having are the worlds in which at least one of flags is set.
func having(flags uint8) (w worlds) {
	for i, set := range worldFlags {
		if set&flags != 0 {
			w |= 1 << i
		}
	}
	return w
}

// stateAsk is all that a target asks of the state: each of all has one of its
// flags set, and none of not.
type stateAsk struct {
	all []uint8
	not uint8
}

func (a stateAsk) worlds() worlds {
	w := ^having(a.not)
	for _, flags := range a.all {
		w &= having(flags)
	}
	return w
}

// shorten drops whatever changes nothing: first what is excluded anyway, then
// whole conditions, then single items.
func (a stateAsk) shorten() stateAsk {
	want := a.worlds()
	for f := flagFrozen; f != 0; f >>= 1 {
		if b := (stateAsk{a.all, a.not &^ f}); b.worlds() == want {
			a = b
		}
	}
	for i := range slices.Backward(a.all) {
		if b := (stateAsk{without(a.all, i), a.not}); b.worlds() == want {
			a = b
		}
	}
	for i := range a.all {
		for f := flagFrozen; f != 0; f >>= 1 {
			if a.all[i]&^f == 0 {
				continue
			}
			b := stateAsk{append(without(a.all, i), a.all[i]&^f), a.not}
			if b.worlds() == want {
				a.all[i] &^= f
			}
		}
	}
	return a.positive()
}

// positive writes a sole exclusion as what is left, where that is as short:
// neither offline nor quarantined is active.
func (a stateAsk) positive() stateAsk {
	if len(a.all) > 0 || a.not == 0 {
		return a
	}
	want := a.worlds()
	for flags := uint8(1); flags < 1<<len(stateNames); flags++ {
		if having(flags) == want && bits.OnesCount8(flags) <= bits.OnesCount8(a.not) {
			return stateAsk{all: []uint8{flags}}
		}
	}
	return a
}

func without(list []uint8, i int) []uint8 {
	return slices.Delete(slices.Clone(list), i, i+1)
}
