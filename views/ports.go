package views

import (
	"context"
	"io"
	"time"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// Feed is what the screen shows.
type Feed interface {
	// Next yields updates, coalesced by the producer to at most ten a second;
	// when it is closed the screen keeps what it has and says so.
	Next() <-chan Update
}

// Update is the state of the mesh at one instant.
type Update struct {
	Picture console.Picture  // nil: not there yet, or unchanged
	Stats   wire.GlobalStats // of the header
	Facts   []wire.Fact      // that became durable since the last update, oldest first
	Dropped int              // facts that were let go because they came too fast
	Conn    ConnState
	At      time.Time // of the picture, this machine's clock
}

// ConnState is the console's own link to the core.
type ConnState struct {
	Up    bool
	Since time.Time // of Up, or when the core was last heard
	URL   string
	Why   string // one line: what is waited for, or why the link is down
}

// Actions carries what a person does to the core. Every method may be called
// from its own goroutine, and ends when ctx does. Errors are *wire.Error where
// the person can act on them.
type Actions interface {
	// Plan asks what a change would do. It changes nothing.
	Plan(ctx context.Context, action console.Action) (wire.Plan, error)
	// Execute does what plan showed; typed is the number that the person typed
	// where plan is wide. progress may be called from another goroutine.
	Execute(ctx context.Context, plan wire.Plan, typed int, progress func(wire.Progress)) (wire.Outcome, error)
	// Emergency freezes the whole mesh without a plan.
	Emergency(ctx context.Context, reason string) (wire.Outcome, error)
	// Read asks for a read action's answer.
	Read(ctx context.Context, action console.Action) (wire.Outcome, error)
}

// Options tell [Run] what to show and where.
type Options struct {
	Feed    Feed
	Actions Actions

	NoColor  bool   // also set by a NO_COLOR that is not empty
	ReadOnly bool   // keys that change the mesh are not offered
	Welcome  string // shown until the first key, in place of the mesh
	Waiting  string // what is waited for until the first update; one line

	Input   io.Reader // nil: the terminal
	Output  io.Writer // nil: standard output
	Environ []string  // nil: the process's environment
}
