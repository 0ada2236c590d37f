// Package lab runs whole meshes of real processes and measures them: the demo,
// and the benches behind `mesh30k bench`.
//
// It judges from outside what it measures: CPU and memory from /proc of the
// processes, counts from what the fleet says it sent and what the core says it
// folded. A figure that cannot be had is left out, never zero.
package lab
