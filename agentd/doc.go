// Package agentd hosts agents: one or hundreds in a process, real or emulated.
//
// A [Host] speaks the protocol of package wire for all agents of one process in
// one sector, over one connection. It keeps a journal, so that a message that
// it acknowledged is not lost and one that it finished is not worked again; it
// obeys freezes; it measures its agents and its clock. What an agent does with
// a message is up to a [Handler]: [Program] and [Lines] run any command. A host
// of a fleet is driven by an [Emulation] instead, by the same code.
//
// [Main] is the command; [Join] and [Identity] are how a host gets its place.
// DESIGN.md says why it is built so.
package agentd
