// Package registry is the impedance registry of 2.3 with the profiling of part
// 4: who is enrolled where, what is known of each agent, and the pictures that
// are made of it.
//
// It has four parts that meet only in wire types:
//
//   - [Seating] gives seats, names and ordinals to those who join;
//   - [Sector] holds the rows of one sector's agents and is folded from
//     heartbeats; its shard's goroutine is its only user and its only writer;
//   - [FreezeLog] decides who is frozen;
//   - [Replica] is made of the blocks that sectors publish, and hands out
//     [View]s: immutable pictures of the whole mesh that any goroutine may read.
//
// All of it is mechanism: `now` is a parameter, there is no lock, no goroutine
// and no clock. Times must not run backwards between calls; nothing breaks if
// they do, but silence is then noticed late.
package registry
