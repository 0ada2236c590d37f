package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Step is how far a DO goes.
type Step string

// The steps. A read has one. A change is planned, then executed with the hash
// of its plan. Only the emergency freeze has no plan.
const (
	StepRead      Step = "read"
	StepPlan      Step = "plan"
	StepExecute   Step = "execute"
	StepEmergency Step = "emergency"
	StepReplica   Step = "replica" // all registry blocks and the topology, for a console
)

// Do asks for an action, on m.do.<person>, with a reply subject under the
// person's own inbox prefix. Answered by any number of PLAN, RECORDS, BLOCK and
// PROGRESS, and one OUTCOME at the end.
type Do struct {
	Header
	ID     string         `json:"id"` // chosen by the client; repeated in every answer
	Step   Step           `json:"step"`
	Action jsontext.Value `json:"action,omitzero"` // {"action":NAME, …}: actions.md
	Hash   string         `json:"hash,omitempty"`  // execute: of the plan that was shown
	Typed  int            `json:"typed,omitzero"`  // execute, wide: the number that the person typed
	Unknown
}

// Check implements [Message].
func (d *Do) Check() error {
	var c checks
	c.that(d.ID != "" && len(d.ID) <= 64 && d.ID == Clean(d.ID), "id: want 1 to 64 printable bytes")
	switch d.Step {
	case StepRead, StepPlan, StepExecute, StepEmergency, StepReplica:
	default:
		c.that(false, "step %q: want read, plan, execute, emergency or replica", Clean(string(d.Step)))
	}
	c.that(len(d.Action) <= MaxBody, "action: %d bytes is over the limit of %d", len(d.Action), MaxBody)
	return c.err
}

// Plan shows what an action would do: its blast radius. Its hash binds the
// confirmation to exactly what was shown.
type Plan struct {
	Header
	ID         string         `json:"id"`
	Hash       string         `json:"hash"`
	Expires    time.Time      `json:"expires"`
	Action     jsontext.Value `json:"action"` // canonical
	Risk       string         `json:"risk"`   // change, disruptive
	Wide       bool           `json:"wide"`   // execute must carry Typed = Count
	Count      int            `json:"count"`  // agents
	Clusters   int            `json:"clusters"`
	ByClass    map[Class]int  `json:"by_class,omitempty"`
	BySector   map[int]int    `json:"by_sector,omitempty"`
	Sample     []string       `json:"sample,omitempty"`   // addresses, at most 10
	Excluded   map[string]int `json:"excluded,omitempty"` // why: how many
	WorkingNow int            `json:"working_now"`
	Queued     int            `json:"queued"`
	Reversible string         `json:"reversible"` // how to take it back, or that it cannot be
	Text       string         `json:"text"`       // the same for people
	Unknown
}

// Check implements [Message].
func (*Plan) Check() error { return nil }

// Progress is provisional: what is known so far of something that goes on.
type Progress struct {
	Header
	ID        string         `json:"id"`
	Operation string         `json:"operation,omitempty"`
	Done      int            `json:"done"`
	Total     int            `json:"total"`
	States    map[string]int `json:"states,omitempty"`
	Text      string         `json:"text,omitempty"`
	Unknown
}

// Check implements [Message].
func (*Progress) Check() error { return nil }

// Records carries rows of an answer that would be too large for one message;
// a client joins them, in order, as data.rows.
type Records struct {
	Header
	ID   string           `json:"id"`
	Rows []jsontext.Value `json:"rows"`
	Text string           `json:"text,omitempty"` // the same for people: whole lines, which precede the outcome's
	Unknown
}

// TypeRecords is the type of Records.
const TypeRecords Type = "RECORDS"

// Check implements [Message].
func (*Records) Check() error { return nil }

// Outcome ends the answers to a DO.
type Outcome struct {
	Header
	ID      string         `json:"id"`
	Action  string         `json:"action"` // its name
	Verdict Verdict        `json:"verdict"`
	Exit    int            `json:"exit"`
	Data    jsontext.Value `json:"data,omitzero"`
	Text    string         `json:"text,omitempty"` // the same for people
	Err     *Error         `json:"error,omitzero"`
	Unknown
}

// Check implements [Message].
func (*Outcome) Check() error { return nil }

// Verdict is how an action ended; each has its exit code.
type Verdict string

// The verdicts of rulings.md.
const (
	Done           Verdict = "done"
	Internal       Verdict = "internal"
	Usage          Verdict = "usage"
	Partial        Verdict = "partial"
	BelowQuorum    Verdict = "below_quorum"
	NothingMatched Verdict = "nothing_matched"
	WasRefused     Verdict = "refused"
	Unreachable    Verdict = "unreachable"

	// Begun stands in the audit only: of a change that is about to be carried
	// out. Another entry of the same DO tells how it ended.
	Begun Verdict = "begun"
)

// Verdicts lists the verdicts by exit code, which is the index.
var Verdicts = [...]Verdict{Done, Internal, Usage, Partial, BelowQuorum, NothingMatched, WasRefused, Unreachable}

// Exit is the exit code of a verdict.
func (v Verdict) Exit() int {
	for code, x := range Verdicts {
		if x == v {
			return code
		}
	}
	return 1
}

// Verdict is the verdict that an error of this code leads to.
func (c Code) Verdict() Verdict {
	switch c {
	case CodeBadMessage, CodeVersion, CodeUnknownTarget, CodeTooLarge:
		return Usage
	case CodeNothingMatched:
		return NothingMatched
	case CodeInternal:
		return Internal
	case CodeUnreachable:
		return Unreachable
	default:
		return WasRefused
	}
}

// Envelope is what --json prints: one line.
type Envelope struct {
	V       int            `json:"v"` // 1
	Action  string         `json:"action"`
	Verdict Verdict        `json:"verdict"`
	Exit    int            `json:"exit"`
	Data    jsontext.Value `json:"data"`
}

// FreezeResult is what a freeze or thaw came to; data of its OUTCOME.
type FreezeResult struct {
	Thaw       bool      `json:"thaw,omitzero"`
	Seq        uint64    `json:"fact"`              // of the fact that preserves the state
	Target     string    `json:"target"`            //
	Covered    int       `json:"covered"`           // agents whose flag the order set
	Stopped    int       `json:"stopped"`           // of these, whose host obeys it
	Silent     []string  `json:"silent,omitempty"`  // hosts that have not answered, by name
	SilentN    int       `json:"silent_agents"`     // agents on them: they are frozen when they come back
	InHand     int       `json:"in_hand"`           // work begun before, that goes on
	LastStopMS float64   `json:"last_stop_ms"`      // order to last stop, core's time by the hosts' estimates
	At         time.Time `json:"at"`                //
	Thawing    int       `json:"released,omitzero"` // messages that were kept and are now sent
}

// BroadcastResult is what a broadcast came to; data of its OUTCOME.
type BroadcastResult struct {
	Operation    string         `json:"operation"`
	Selected     int            `json:"selected"`
	Addressed    int            `json:"addressed"` // without class F and the frozen
	Received     int            `json:"received"`  // RECEIVED or beyond
	Acknowledged int            `json:"acknowledged"`
	States       map[string]int `json:"states"`
	Pending      map[string]int `json:"pending,omitempty"` // not addressed: class F, frozen: how many
	Missing      []string       `json:"missing,omitempty"` // agents of the addressed without what was asked
	WorkedAgain  int            `json:"worked_again,omitzero"`
	Why          string         `json:"why"` // why it ended
	DurationMS   float64        `json:"duration_ms"`
	Settled      bool           `json:"settled"` // final states are facts
}

// HistoryQuery asks for facts, newest first.
type HistoryQuery struct {
	Selector  Selector
	Kind      FactKind // empty: all
	AgentID   string
	Operation string
	Since     time.Time
	Until     time.Time
	Limit     int // 0: 1,000
}

// DeliveryRecord is one message to one agent, for inspect.
type DeliveryRecord struct {
	MessageID string        `json:"message_id"`
	Action    string        `json:"action"`
	State     DeliveryState `json:"state"`
	Code      Code          `json:"code,omitempty"`
	Started   time.Time     `json:"started"`
}
