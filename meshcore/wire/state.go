package wire

import "fmt"

// OperationalState is 2.3's state of an agent. Frozen and unstable are flags
// beside it: a frozen agent can be active too.
type OperationalState string

// The operational states of 2.3.
const (
	Active      OperationalState = "active"
	Degraded    OperationalState = "degraded" // heard from, but its impedance_score is over 800
	Offline     OperationalState = "offline"  // silent for 30 s, or its host says so
	Quarantined OperationalState = "quarantined"
)

// Heard reports whether an agent of this state counts as active in the sense
// of 7.1 and 6.3: heard from, degraded ones included.
func (s OperationalState) Heard() bool { return s == Active || s == Degraded }

// Trinary is 1.4's state of an agent relative to one coordination event.
type Trinary int8

// The three states of 1.4. Conflict is information, not failure.
const (
	Ready    Trinary = +1
	Transit  Trinary = 0
	Conflict Trinary = -1
)

// DeliveryState is the state of one message to one agent.
type DeliveryState uint8

// The states of a delivery, in the order in which they may be passed through.
const (
	Unsent     DeliveryState = iota
	Sent                     // on its way
	Frozen                   // kept by the core: its agent is frozen
	Received                 // in the host's journal
	Prepared                 // READY: prepared, waits for T
	Worked                   // final
	InConflict               // final: CONFLICT
	Refused                  // final, with a code
	Expired                  // final: its time to live ran out
)

var deliveryNames = [...]string{"UNSENT", "SENT", "FROZEN", "RECEIVED", "READY", "WORKED", "CONFLICT", "REFUSED", "EXPIRED"}

func (s DeliveryState) String() string {
	if int(s) < len(deliveryNames) {
		return deliveryNames[s]
	}
	return fmt.Sprintf("DeliveryState(%d)", uint8(s))
}

// Final reports whether s is never left again.
func (s DeliveryState) Final() bool { return s >= Worked }

// Miss reports whether s counts as a miss: over, and nothing was worked.
func (s DeliveryState) Miss() bool { return s == Refused || s == Expired }

// Trinary is s as 1.4 sees it. A miss is none of the three; it reports false.
func (s DeliveryState) Trinary() (t Trinary, ok bool) {
	switch s {
	case Prepared, Worked:
		return Ready, true
	case InConflict:
		return Conflict, true
	case Refused, Expired:
		return Transit, false
	default:
		return Transit, true
	}
}

// MarshalText implements [encoding.TextMarshaler].
func (s DeliveryState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *DeliveryState) UnmarshalText(text []byte) error {
	for i, name := range deliveryNames {
		if name == string(text) {
			*s = DeliveryState(i)
			return nil
		}
	}
	return fmt.Errorf("delivery state %q: want one of %v", Clean(string(text)), deliveryNames)
}

// DeliveryStates lists all states in order.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{Unsent, Sent, Frozen, Received, Prepared, Worked, InConflict, Refused, Expired}
}
