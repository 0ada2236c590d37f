package console

import (
	"time"

	"mesh30k/meshcore/wire"
)

// Action is one thing that can be asked of a mesh. The interface is sealed: its
// implementations are the structs of this file, and each has an [Entry] in the
// catalog.
//
// A field with the tag arg is an argument. The tag default gives its default,
// in the spelling of the command line; a field without one is required. Tags
// help, enum (values with |), min and max describe it further. One with a default
// that may be given by position, as the last, has the tag last.
type Action interface{ action() }

// Status is a quick health check: the box of 7.1, or a summary of a part.
type Status struct {
	Target wire.Selector `arg:"target" default:"mesh" last:"yes" help:"which agents"`
	At     At            `arg:"at" default:"now" help:"the mesh as it was then: a duration ago, RFC 3339 or 14:03"`
}

// List shows rows: agents, clusters, sectors, hosts or operations.
type List struct {
	Target wire.Selector `arg:"target" default:"mesh" last:"yes" help:"which agents, or what holds them"`
	What   string        `arg:"what" default:"agents" enum:"agents|clusters|sectors|hosts|operations" help:"what to list"`
	Sort   string        `arg:"sort" default:"impedance" enum:"impedance|state|address|queue|latency" help:"worst first; address ascending"`
	Limit  int           `arg:"limit" default:"20" min:"1" max:"1000000" help:"at most so many rows"`
	At     At            `arg:"at" default:"now" help:"clusters and sectors as they were then: a duration ago, RFC 3339 or 14:03"`
}

// Inspect shows all that is known of a few agents.
type Inspect struct {
	Target wire.Selector `arg:"target" help:"which agents; at most 10 are shown"`
	At     At            `arg:"at" default:"now" help:"what was known then: a duration ago, RFC 3339 or 14:03"`
}

// History shows facts, newest first.
type History struct {
	Target wire.Selector `arg:"target" default:"mesh" last:"yes" help:"about which agents"`
	Kind   wire.FactKind `arg:"kind" default:"" help:"only facts of this kind, such as freeze or agent.crash"`
	Since  At            `arg:"since" default:"24h" help:"from then on: a duration ago, RFC 3339 or 14:03"`
	Until  At            `arg:"until" default:"now" help:"up to then: a duration ago, RFC 3339 or 14:03"`
	At     At            `arg:"at" default:"now" help:"as it was known then: facts after it are left out"`
}

// Broadcast sends a message to agents.
type Broadcast struct {
	Message    string        `arg:"message" help:"the text to send"`
	Target     wire.Selector `arg:"target" default:"mesh" last:"yes" help:"to which agents"`
	Priority   int           `arg:"priority" default:"2" min:"0" max:"3" help:"0 background, 1 low, 2 normal, 3 critical"`
	RequireAck bool          `arg:"require_ack" default:"false" help:"wait until every agent has worked it, not only received it"`
	TTL        time.Duration `arg:"ttl" default:"30s" min:"100ms" max:"168h" help:"time to live; what has not been worked by then expires"`
}

// Freeze stops agents: they begin nothing more until a thaw.
type Freeze struct {
	Target wire.Selector `arg:"target" default:"mesh" last:"yes" help:"which agents"`
	Reason string        `arg:"reason" default:"" help:"why, for the history"`
}

// Thaw lets frozen agents begin work again.
type Thaw struct {
	Target wire.Selector `arg:"target" default:"mesh" last:"yes" help:"which agents"`
	Reason string        `arg:"reason" default:"" help:"why, for the history"`
}

// Undo takes back the person's last freeze or thaw.
type Undo struct{}

// Invite makes a join token.
type Invite struct {
	What  string        `arg:"what" default:"host" last:"yes" enum:"host|operator|observer" help:"who is invited"`
	Class wire.Class    `arg:"class" default:"" help:"impedance class suggested to a host: A to F"`
	TTL   time.Duration `arg:"ttl" default:"1h" min:"1m" max:"168h" help:"how long the invitation holds"`
}

// Help explains the actions, or one of them.
type Help struct {
	Topic string `arg:"topic" default:"" last:"yes" help:"an action's name"`
}

// Inject provokes a fault in emulated agents.
type Inject struct {
	Fault  string        `arg:"fault" enum:"slow|stall|crash|revive|skew|cut|loss" help:"what happens to them"`
	Target wire.Selector `arg:"target" help:"which agents; all must be emulated"`
	Factor float64       `arg:"factor" default:"0" min:"0" max:"1000" help:"slow: service time times this (10 unless given); loss: share of messages (0.5 unless given)"`
	Skew   time.Duration `arg:"skew" default:"0s" min:"-24h" max:"24h" help:"skew: how far the clock of their host is off"`
	For    time.Duration `arg:"for" default:"0s" min:"0s" max:"8760h" help:"how long; 0s: until revive"`
}

func (Status) action()    {}
func (List) action()      {}
func (Inspect) action()   {}
func (History) action()   {}
func (Broadcast) action() {}
func (Freeze) action()    {}
func (Thaw) action()      {}
func (Undo) action()      {}
func (Invite) action()    {}
func (Help) action()      {}
func (Inject) action()    {}
