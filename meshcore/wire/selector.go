package wire

import "strconv"

// Limits of a target, so that hostile input stays cheap.
const (
	MaxSelector   = 64 << 10 // bytes, as written and in canonical form
	maxConditions = 256
	maxPlaces     = 8192 // clusters and agents by address, ranges counted out
)

// Selector is a target: a canonical conjunction of conditions (actions.md).
// The zero Selector is the mesh. A Selector does not change; copies may be used
// by several goroutines.
//
// Two targets that mean the same by their conditions alone have the same
// canonical form. A contradiction ("class=A,class=B") is a target too: it keeps
// the conditions as they were asked, so that who reads "nothing matched" sees
// why, and selects nothing.
type Selector struct{ conds []condition }

// String is the canonical form; the mesh is "mesh".
func (s Selector) String() string { return render(s.conds) }

// IsMesh reports whether s selects every agent.
func (s Selector) IsMesh() bool { return len(s.conds) == 0 }

// Standing reports whether s holds for newcomers: it has conditions on sector,
// cluster, agent, host, class and label only.
func (s Selector) Standing() bool {
	for i := range s.conds {
		switch s.conds[i].field {
		case onState, onCapability, onImpedance:
			return false
		default:
		}
	}
	return true
}

// NamesClass reports whether s asks for class c expressly: by a positive
// condition on the class, or by naming agents (rulings: Addressed). The
// canonical form decides: "class!=A|B|C" is "class=D|E|F" and names F.
func (s Selector) NamesClass(c Class) bool {
	for i := range s.conds {
		switch d := &s.conds[i]; {
		case d.op != equal:
		case d.field == onAgent, d.field == onClass && d.flags&classFlag(c) != 0:
			return true
		}
	}
	return false
}

// Resolve replaces names of sectors and clusters by numbers and returns an
// error of code unknown_target if s names a place that cannot exist in t.
// Knowing the number of sectors, it also writes conditions on them the shorter
// way round and drops those that hold for all. Ids of agents and names of hosts
// stay: a topology does not know them.
func (s Selector) Resolve(t *Topology) (Selector, error) {
	conds := make([]condition, len(s.conds))
	for i, c := range s.conds {
		if err := c.resolve(t); err != nil {
			return Selector{}, err
		}
		conds[i] = c
	}
	return Selector{canonical(conds, len(t.Sectors))}, nil
}

func (c *condition) resolve(t *Topology) error {
	names := c.names
	switch c.field {
	case onSector:
		c.names = nil
		for _, name := range names {
			n := t.SectorNamed(name)
			if n == 0 {
				return Errorf(CodeUnknownTarget, "no sector is named %q", name).
					WithHint("sectors are 1 to %d; a name is given in the topology", len(t.Sectors))
			}
			c.spans = c.spans.union(spans{{n, n}})
		}
	case onCluster:
		c.names = nil
		for _, name := range names {
			at, err := t.ClusterNamed(name)
			if err != nil {
				return Errorf(CodeUnknownTarget, "no cluster is named %q", name).
					WithHint("a cluster's address is sector.cluster, such as 7.4")
			}
			c.places = unionSorted(c.places, []Address{at}, Address.Compare)
		}
	default:
	}
	for _, r := range c.spans {
		if err := t.Require(Address{Sector: r.low}); err != nil {
			return err
		}
		if r.high > len(t.Sectors) { // name the first that is missing
			return t.Require(Address{Sector: max(r.low, len(t.Sectors)+1)})
		}
	}
	for _, at := range c.places {
		if err := t.Require(at); err != nil {
			return err
		}
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler] with the canonical form.
func (s Selector) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it takes what
// [ParseSelector] takes.
func (s *Selector) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSelector(string(text))
	return err
}

// field is what a condition asks about, in the order of actions.md's table.
type field uint8

const (
	onSector field = iota
	onCluster
	onAgent
	onHost
	onClass
	onState
	onCapability
	onImpedance
	onLabel
)

var fieldNames = [...]string{"sector", "cluster", "agent", "host", "class", "state", "capability", "impedance", "label"}

func (f field) String() string { return fieldNames[f] }

// operator orders conditions on one field: = before !=, > before <.
type operator uint8

const (
	equal operator = iota
	unequal
	above
	below
)

var operatorNames = [...]string{"=", "!=", ">", "<"}

func (o operator) String() string { return operatorNames[o] }

// condition is one "field op value|value".
type condition struct {
	field field
	label string // with onLabel: which
	op    operator
	values
	bound float64 // with above and below, in ms
}

func (c *condition) key() string {
	if c.field == onLabel {
		return "label." + c.label
	}
	return c.field.String()
}

func (c *condition) String() string {
	if c.field == onImpedance {
		return c.key() + c.op.String() + strconv.FormatFloat(c.bound, 'f', -1, 64)
	}
	return c.key() + c.op.String() + c.render(c.field)
}
