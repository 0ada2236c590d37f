// Package gather follows the deliveries of one operation: what has become of
// one message at each of its agents.
//
// A [Set] is one sector's part; it decides who is sent to, when again, and who
// has run out of time. A [Tally] is the orchestrator's: it adds the sectors'
// progress up and says who is missing and when all is over.
//
// Both are mechanism: `now` is a parameter, there is no lock, no goroutine and
// no clock, and nothing is sent.
package gather
