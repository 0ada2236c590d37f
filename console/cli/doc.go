// Package cli makes the command line of the catalog: a cobra command for each
// action, the envelope of --json, and exit codes by verdict.
//
// Its voice: results go to stdout, talk to stderr. With --json stdout is one
// line, whatever happens. Nothing asks a question unless a person sits at a
// terminal, and the answer to an empty line is always no.
package cli
