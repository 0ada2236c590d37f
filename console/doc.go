// Package console holds what an action is: the sealed types, the catalog that
// yields every way to say them, and the dispatcher through which alone they
// reach the mesh.
//
// A key, a sentence, a subcommand, a program and a model's tool call all become
// the same [Action]. An action is defined once, as a struct whose fields are
// its arguments and whose tags say all there is to say about them; the command
// line, the ":" line, the JSON form, the JSON Schema, help and completion are
// derived from that definition and so cannot disagree.
//
// [Dispatcher] stands in the core. There the target is resolved, role,
// read-only, plan hash and confirmation are checked and the audit is written.
// Clients enforce nothing.
package console
