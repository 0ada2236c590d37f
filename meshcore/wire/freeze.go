package wire

import (
	"slices"
	"time"
)

// FrozenState says which of a cluster's agents are frozen. It is absolute, not
// a change: the latest Seq is the truth, so that a message lost, repeated or
// late does no harm.
type FrozenState struct {
	// Seq is the sequence of the latest freeze or thaw fact that the state
	// includes; 0: never any.
	Seq uint64 `json:"seq"`
	// All is set when every agent is frozen, those that come later included.
	All bool `json:"all,omitzero"`
	// Agents are the frozen ones when not all are.
	Agents []string `json:"agents,omitempty"`
}

// Frozen reports whether the agent is frozen.
func (f *FrozenState) Frozen(agentID string) bool {
	return f.All || slices.Contains(f.Agents, agentID)
}

// Freeze tells the hosts of a cluster who is frozen from now on; as THAW, who
// no longer is. Both carry the whole state after it. Answered by an ACK with
// Frozen set.
type Freeze struct {
	Header              // FREEZE or THAW
	Scope   FreezeScope `json:"scope"`
	Target  string      `json:"target_id,omitempty"` // selector of the action, for the host's log
	Keep    string      `json:"preserve_state_to"`   // the fact that preserves the state
	Cluster Address     `json:"cluster"`
	Frozen  FrozenState `json:"frozen"`
	SentAt  time.Time   `json:"sent_at"` // core's clock
	Unknown
}

// FreezeScope is Appendix B's scope, and selector beside it (rulings).
type FreezeScope string

// The scopes.
const (
	ScopeCluster  FreezeScope = "cluster"
	ScopeSector   FreezeScope = "sector"
	ScopeGlobal   FreezeScope = "global"
	ScopeSelector FreezeScope = "selector"
)

// Check implements [Message].
func (f *Freeze) Check() error {
	var c checks
	c.place("cluster", f.Cluster, LevelCluster)
	c.agents("frozen: agents", f.Frozen.Agents)
	c.word("scope", string(f.Scope))
	c.word("preserve_state_to", f.Keep)
	f.Target = Clean(f.Target)
	return c.err
}
