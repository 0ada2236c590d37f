package console

import (
	"reflect"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// Risk of an action: what it may cost to do it by mistake.
type Risk string

// The risks of actions.md.
const (
	Read       Risk = "read"
	Change     Risk = "change"
	Disruptive Risk = "disruptive"
)

// Entry is all there is to know about an action beside its code.
type Entry struct {
	Name       string
	Summary    string // one line
	Help       string // some lines
	Risk       Risk
	Reversible string // how to take it back; empty for reads
	Examples   []string
	Key        string // what the console binds it to; empty: nothing
	Group      string // command that it hangs under on the command line; empty: the top
	Args       []Arg

	typ reflect.Type
}

// catalog is the one list; names are in the order in which help shows them.
var catalog = []Entry{
	entry[Status](Entry{
		Name: "status", Risk: Read, Key: "s",
		Summary:  "how the mesh is",
		Help:     "Shows agents, sectors, impedance and mode of the whole mesh, or a summary of a part.\nImpedance is the predicted time from send to READY, in ms; means leave class F out.",
		Examples: []string{"status", "status sector=7", "status --at 30m"},
	}),
	entry[List](Entry{
		Name: "list", Risk: Read, Key: "l",
		Summary:  "rows of agents, clusters, sectors, hosts or operations",
		Help:     "Lists what the target selects, worst first unless sorted by address.\nOperations are the last broadcasts, newest first.",
		Examples: []string{"list", "list sector=7 --sort queue", "list --what clusters sector=7", "list 'impedance>500' --limit 100", "list --what operations"},
	}),
	entry[Inspect](Entry{
		Name: "inspect", Risk: Read, Key: "i",
		Summary:  "all that is known of a few agents",
		Help:     "Shows the registry's fields, the queue, the deliveries that are known and the last facts.",
		Examples: []string{"inspect 7.4.12", "inspect agent=a7-4-12"},
	}),
	entry[History](Entry{
		Name: "history", Risk: Read, Key: "h",
		Summary:  "what happened, newest first",
		Help:     "Shows the facts of an interval. since and until take a duration, a time of day or RFC 3339.\nAt most 1,000 facts are shown; the answer says so when there are more.",
		Examples: []string{"history", "history --kind freeze --since 1h", "history sector=7 --since 14:03"},
	}),
	entry[Broadcast](Entry{
		Name: "broadcast", Risk: Change, Key: "b",
		Summary:    "send a message to agents",
		Help:       "Sends the text to every agent of the target. Class F is addressed only if the target names it;\nfrozen agents are left out and counted. Over when all have received it, or with --require-ack when\nall have worked it; who is missing is named.",
		Reversible: "cannot be undone: what was received stays received",
		Examples:   []string{`broadcast "Context update: market closed early"`, `broadcast "reload" class=E --require-ack --ttl 10s`},
	}),
	entry[Freeze](Entry{
		Name: "freeze", Risk: Disruptive, Key: "f",
		Summary:    "stop agents: they begin nothing more",
		Help:       "Every agent of the target begins nothing more until a thaw; work in hand ends by itself and is\ncounted. New messages are kept. A target of sectors, clusters, agents, hosts, classes and labels holds\nfor newcomers too; state, capability and impedance are resolved once, now.",
		Reversible: "thaw, or undo",
		Examples:   []string{"freeze", "freeze sector=7 --reason 'bad rollout'", "freeze class=D"},
	}),
	entry[Thaw](Entry{
		Name: "thaw", Risk: Disruptive, Key: "t",
		Summary:    "let frozen agents work again",
		Help:       "Frozen agents of the target begin work again; messages that were kept are sent in order.",
		Reversible: "freeze, or undo",
		Examples:   []string{"thaw", "thaw sector=7"},
	}),
	entry[Undo](Entry{
		Name: "undo", Risk: Disruptive, Key: "u",
		Summary:    "take back your last freeze or thaw",
		Help:       "Puts back what those agents were before, except where a later freeze or thaw covers them.\nThe plan shows what is taken back. Used again, it takes back the one before.",
		Reversible: "freeze or thaw the same target again",
		Examples:   []string{"undo"},
	}),
	entry[Invite](Entry{
		Name: "invite", Risk: Change,
		Summary:    "make a join token for a host or a person",
		Help:       "Prints the line to paste: on the host, or where the person sits. A token counts once and holds for\n--ttl. An operator may do all, an observer only reads.",
		Reversible: "cannot be undone; it expires by itself",
		Examples:   []string{"invite", "invite --class E --ttl 10m", "invite observer"},
	}),
	entry[Help](Entry{
		Name: "help", Risk: Read, Key: "?",
		Summary:  "what can be asked",
		Help:     "Lists the actions, or explains one.",
		Examples: []string{"help", "help freeze"},
	}),
	entry[Inject](Entry{
		Name: "inject", Risk: Disruptive, Group: "fleet",
		Summary:    "provoke a fault in emulated agents",
		Help:       "Slows, stalls, crashes, cuts off or skews agents of a fleet, or loses their messages; revive ends it.\nAgents that are not emulated are never touched: a target that has one is refused.",
		Reversible: "inject revive with the same target",
		Examples:   []string{"inject slow class=E --for 30s", "inject crash sector=7 --for 1m", "inject revive sector=7"},
	}),
}

// entry completes e from the struct of its action.
func entry[T Action](e Entry) Entry {
	e.typ = reflect.TypeFor[T]()
	e.Args = argsOf(e.typ)
	return e
}

// later names actions of the contract that this version refuses.
var later = []string{
	"conflicts", "kpis", "health", "predict", "ask", "cascade", "delegate", "reassign",
	"cancel_task", "route_around", "restore_routes", "quarantine", "release", "resolve",
	"set_capability", "breaker", "weights", "heal", "promote", "scale", "rotate",
	"approve", "deny", "cancel_operation", "move", "revoke", "incident",
}

// Catalog lists the actions in the order in which help shows them. The entries
// must not be changed.
func Catalog() []Entry { return slices.Clone(catalog) }

// Later lists the names that are known but refused by this version.
func Later() []string { return slices.Clone(later) }

// Lookup finds an entry by the action's name. The error of a name that a later
// version has is of code not_in_this_version; of any other name bad_message,
// with the nearest name as hint.
func Lookup(name string) (*Entry, error) {
	for i := range catalog {
		if catalog[i].Name == name {
			return &catalog[i], nil
		}
	}
	if slices.Contains(later, name) {
		return nil, wire.Errorf(wire.CodeNotYet, "%s is not in this version", name).WithHint("help lists what is")
	}
	err := wire.Errorf(wire.CodeBadMessage, "there is no action %q", clip(name))
	if near := Nearest(name, names()); near != "" {
		return nil, err.WithHint("did you mean %s?", near)
	}
	return nil, err.WithHint("help lists the actions")
}

func names() []string {
	list := make([]string, len(catalog))
	for i := range catalog {
		list[i] = catalog[i].Name
	}
	return list
}

// EntryOf is the entry of an action.
func EntryOf(a Action) *Entry {
	t := reflect.TypeOf(a)
	for i := range catalog {
		if catalog[i].typ == t {
			return &catalog[i]
		}
	}
	panic("console: " + t.String() + " is not in the catalog")
}

// Arg finds an argument by name; nil if there is none.
func (e *Entry) Arg(name string) *Arg {
	for i := range e.Args {
		if e.Args[i].Name == name {
			return &e.Args[i]
		}
	}
	return nil
}

// Positional lists the arguments that may be given by position: those without a
// default, in order, and at the end the target that has one (of help the topic, of invite
// what).
func (e *Entry) Positional() []*Arg {
	var list, last []*Arg
	for i := range e.Args {
		switch a := &e.Args[i]; {
		case a.Required:
			list = append(list, a)
		case a.last:
			last = append(last, a)
		}
	}
	return append(list, last...)
}

// Flags lists the arguments that are given by name only.
func (e *Entry) Flags() []*Arg {
	by := e.Positional()
	var list []*Arg
	for i := range e.Args {
		if !slices.Contains(by, &e.Args[i]) {
			list = append(list, &e.Args[i])
		}
	}
	return list
}

// Usage is the form of the action on a line, such as
// "broadcast MESSAGE [TARGET]".
func (e *Entry) Usage() string {
	var s strings.Builder
	s.WriteString(e.Name)
	for _, a := range e.Positional() {
		s.WriteString(" " + placeholder(a))
	}
	return s.String()
}
