package wire

// Selector is a target: a canonical conjunction of conditions (actions.md).
// The zero Selector is the mesh.
type Selector struct{ conds []condition }

type condition struct{}

// ParseSelector reads a target, in the grammar of actions.md and in every
// spelling of the specification.
func ParseSelector(s string) (Selector, error) { panic("being written") }

// String is the canonical form; the mesh is "mesh".
func (s Selector) String() string { panic("being written") }

// IsMesh reports whether s selects every agent.
func (s Selector) IsMesh() bool { return len(s.conds) == 0 }

// Standing reports whether s holds for newcomers: it has conditions on sector,
// cluster, agent, host, class and label only.
func (s Selector) Standing() bool { panic("being written") }

// Resolve replaces names of sectors and clusters by numbers and returns an
// error of code unknown_target if s names a place that cannot exist in t.
func (s Selector) Resolve(t *Topology) (Selector, error) { panic("being written") }

// Match reports whether s selects the agent of row r. s must be resolved.
func (s Selector) Match(r *AgentImpedance) bool { panic("being written") }

// Places narrows the search: the sectors that can have matches, nil for all.
func (s Selector) Places(t *Topology) (sectors []int) { panic("being written") }

// NamesClassF reports whether s asks for class F expressly (rulings: Addressed).
func (s Selector) NamesClass(c Class) bool { panic("being written") }
