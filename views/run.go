package views

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// SignalError tells that a signal ended the console. The terminal has been
// restored.
type SignalError struct{ Signal syscall.Signal }

func (e *SignalError) Error() string { return "the console was ended by " + e.Signal.String() }

// ExitCode is what a shell expects of a program that a signal ended: 128 and
// the signal's number.
func (e *SignalError) ExitCode() int { return 128 + int(e.Signal) }

// Run shows the console until the person leaves (nil), a signal comes
// (*SignalError), ctx ends (its cause) or the terminal fails. In every case,
// after a panic too, the terminal is restored first.
func Run(ctx context.Context, o Options) error {
	if o.Feed == nil || o.Actions == nil {
		return errors.New("console: Options want a Feed and Actions")
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	o.NoColor = o.NoColor || lookup(o.Environ, "NO_COLOR") != ""

	inner, stop := context.WithCancel(ctx)
	defer stop()
	m := newModel(inner, o)
	p := &pump{feed: o.Feed.Next(), scene: m.scene}
	m.listen = func() tea.Msg { return p.next(inner) }

	program := tea.NewProgram(start{m, syncForced(o.Environ)}, programOptions(o)...)
	ended := watchSignals(inner, program)
	_, err := program.Run()
	stop()
	if s := <-ended; s != nil {
		return s
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

func programOptions(o Options) []tea.ProgramOption {
	options := []tea.ProgramOption{tea.WithFPS(30), tea.WithoutSignalHandler(), tea.WithEnvironment(o.Environ)}
	if o.NoColor {
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	}
	if o.Input != nil {
		options = append(options, tea.WithInput(o.Input))
	}
	if o.Output != nil {
		options = append(options, tea.WithOutput(o.Output))
	}
	return options
}

// watchSignals asks the program to leave on SIGTERM, SIGHUP and SIGINT, and when
// ctx ends; what it yields at last is the signal, or nil. Bubble Tea's own
// handler knows neither SIGHUP nor an exit code.
func watchSignals(ctx context.Context, program *tea.Program) <-chan *SignalError {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	ended := make(chan *SignalError, 1)
	go func() {
		defer close(ended)
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			ended <- &SignalError{s.(syscall.Signal)}
		case <-ctx.Done():
			select {
			case s := <-signals: // main's context ends with the same signal
				ended <- &SignalError{s.(syscall.Signal)}
			default:
			}
		}
		program.Quit()
	}()
	return ended
}

// start is the model with what has to be said to Bubble Tea at the beginning.
type start struct {
	*model
	sync bool
}

// Init implements [tea.Model]. Over SSH Bubble Tea does not ask the terminal
// whether it can take a frame as a whole, and without that every frame
// flickers. Terminals that do not know the mode ignore it.
func (s start) Init() tea.Cmd {
	if !s.sync {
		return s.model.Init()
	}
	return tea.Batch(s.model.Init(), func() tea.Msg {
		return tea.ModeReportMsg{Mode: ansi.ModeSynchronizedOutput, Value: ansi.ModeReset}
	})
}

// syncForced tells whether frames are sent synchronised without asking first.
// MESH30K_NO_SYNC turns it off, for a terminal that stumbles over it.
func syncForced(environ []string) bool {
	return lookup(environ, "SSH_TTY") != "" && lookup(environ, "MESH30K_NO_SYNC") == ""
}

// lookup is the last value of a variable, as the process would see it.
func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
