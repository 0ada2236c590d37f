// Package meshcore is the core of a mesh: the embedded broker, the durable
// facts, the shards that own the registry, and the orchestrator over them. It
// is the room that sends.
//
// It promises that
//
//   - a fact is durable before it is acted on or told: a freeze before the
//     first host hears of it, a message's targets before its first send, a
//     crash before the host that reports it is answered;
//   - a shard's state has one writer, its goroutine; between shard and
//     orchestrator there is always NATS, even in one process;
//   - a message that its time to live allows reaches every addressed agent that
//     lives, however often hosts, links or the core itself die meanwhile, and a
//     repeat is the same message under the same id;
//   - when a large share of heartbeats vanishes at once the core doubts itself
//     first: it holds state and says so, for 30 s at most.
//
// It decides little itself: who is slow, who sits where, who is frozen, what is
// due to be sent again is decided by the mechanisms (registry, gather, mode),
// which take the time as a parameter. See DESIGN.md.
package meshcore
