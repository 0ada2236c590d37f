// Package mode tells how much of a mesh still works and what should be
// restrained meanwhile: 6.3's operational mode, as a pure function of two
// numbers. It enforces nothing.
package mode

// The names of 6.3's modes, from the best to the worst, as GLOBAL_STATS carries
// them.
const (
	Full             = "FULL"
	DegradedLight    = "DEGRADED_LIGHT"
	DegradedModerate = "DEGRADED_MODERATE"
	DegradedSevere   = "DEGRADED_SEVERE"
	Emergency        = "EMERGENCY"
)

// Mode is 6.3's OperationalMode.
type Mode struct {
	Name        string
	Description string
	// Restrictions say what to restrain, for people. They are shared by all
	// callers and must not be changed.
	Restrictions []string
}

// step is one mode and the share of active agents, in percent, from which on
// it holds.
type step struct {
	percent int
	mode    Mode
}

// steps descend by percent; the last holds for any share.
var steps = [...]step{
	{95, Mode{Full, "All systems nominal", nil}},
	{80, Mode{DegradedLight, "Minor capacity reduction", []string{
		"Disable non-critical background tasks",
		"Increase retry timeouts",
	}}},
	{60, Mode{DegradedModerate, "Significant capacity reduction", []string{
		"Route to healthy sectors only",
		"Disable scatter operations over 1000 agents",
		"Queue non-urgent operations",
	}}},
	{30, Mode{DegradedSevere, "Major outage in progress", []string{
		"Critical operations only",
		"Human approval for all mesh-wide operations",
		"Prepare for potential full shutdown",
	}}},
	{0, Mode{Emergency, "Mesh critically impaired", []string{
		"Halt all automated operations",
		"Preserve state to persistent storage",
		"Alert all human operators",
		"Investigate root cause before any action",
	}}},
}

// Of is the mode of a mesh of total agents, active of which have been heard
// from, degraded ones included. ok is false for a mesh without agents: it has
// no rate and so no mode. The thresholds are compared in whole numbers, so that
// 95 of 100 is FULL on every machine.
func Of(active, total int) (m Mode, ok bool) {
	if total <= 0 {
		return Mode{}, false
	}
	for _, s := range steps[:len(steps)-1] {
		if 100*active >= s.percent*total {
			return s.mode, true
		}
	}
	return steps[len(steps)-1].mode, true
}
