package agentd

import "time"

// Emulation is the behaviour of one emulated agent: what its network, its
// processor, its own affairs and its health would do. The host asks and
// carries it out; an Emulation starts nothing, sleeps never and keeps no clock.
//
// All methods of all agents of a [Host] are called by that host's one
// goroutine, with times that never go back, so that an Emulation with a seeded
// source of its own needs no lock and repeats itself.
type Emulation interface {
	// Leg draws one one-way trip between host and agent: how long it takes, or
	// that it is lost. A lost message is sent to the agent again by its host,
	// which has acknowledged it; a lost result is told when the core asks
	// again; a lost heartbeat leaves the agent out of that HEARTBEAT, and is
	// counted in it.
	Leg(now time.Time) (delay time.Duration, lost bool)

	// Serve is asked once at each begin of work: how long it takes (0 or more)
	// and how it ends. Work of the agent's own has no Message; w.Weight is set
	// for both. Queued is how many wait behind it. An injected slowness is
	// applied by the host, on top. Result.Started and Took are filled in by
	// the host.
	Serve(now time.Time, w Work, queued int) (took time.Duration, r Result)

	// NextOwn says when work of the agent's own arrives next, strictly after
	// now, and its payload weight; a zero time: never again. It is asked at the
	// start, at each arrival and at each return. While the agent is frozen its
	// own work does not arrive.
	NextOwn(now time.Time) (at time.Time, weight float64)

	// NextCrash says when the agent dies next, strictly after now, and how long
	// it stays away; a zero time: never. It is asked at the start and at each
	// return.
	NextCrash(now time.Time) (at time.Time, away time.Duration)
}
