// Package views draws the mesh on a terminal and turns keys into actions.
//
// It is one Bubble Tea model over panes that only draw. What the screen shows
// comes from a [Feed], what a person does goes to [Actions]; main fills both.
// The package promises that
//
//   - neither Update nor View waits for anything: reading, planning, sorting and
//     filtering happen in commands, and come back as messages;
//   - the feed costs at most ten messages a second, however fast it is, so that
//     no key ever waits behind it;
//   - a pane is drawn again only when its data, its size, its focus or a key
//     changed it;
//   - a change is planned, shown, and executed only after a key that is not the
//     key that asked for it. Only the emergency freeze has no card: it is two
//     different strokes instead, and works wherever one is;
//   - all text from outside passes [wire.Clean] before it is drawn, and every
//     colour is doubled by a glyph.
//
// It enforces nothing: whether a person may do what she asks is for the core to
// say. DESIGN.md tells why.
package views
