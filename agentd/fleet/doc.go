// Package fleet emulates agents: agentd's own code hosts them, queues, journals,
// freezes and beats for them, and this package says how they behave: how long
// their trips and their work take, what they do of their own accord, when they
// die.
//
// It promises that
//
//   - an emulated agent is a pure function of the fleet's seed, its id, the
//     profile and the instants at which it is asked: the same seed shows the
//     same agent again, in another process too;
//   - an agent costs about 100 bytes here, and neither goroutine nor timer; what
//     drifts and wears off is caught up when somebody asks;
//   - everything measured of an emulated agent is labelled SIM by its JOIN;
//   - every behaviour can be switched off alone in the profile, and is then
//     gone.
//
// [Profile] is the YAML fleet file; fleet.example.yaml documents every key and
// is at the same time the default. [Fleet] runs one [agentd.Host] a sector.
package fleet
