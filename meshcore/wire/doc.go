// Package wire spells every message of a mesh, and nothing else spells one.
//
// It promises that
//
//   - a message decoded and encoded again loses nothing: members that this
//     version does not know are kept ([Unknown]) and sent on;
//   - a decoded message is valid: sizes, ranges, names and UTF-8 have been
//     checked, so that no other room has to ask again;
//   - text that came from an agent has been made safe for a terminal
//     ([Clean]) by the time it is shown;
//   - neighbouring minor versions understand each other ([Version.Speaks]).
//
// It decides nothing, sends nothing and keeps no state. PROTOCOL.md in this
// folder says the same for programs in other languages: an agent can be
// written from that page alone.
package wire
