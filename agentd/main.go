package agentd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"mesh30k/meshcore/wire"
)

const usage = `Usage: %[1]s run [flags] -- PROGRAM [ARGUMENT...]

Hosts agents of a mesh: each message to one of them starts PROGRAM, with the
message as one JSON object on stdin. What it writes to stdout is the answer. Exit code 0
is worked, 65 a conflict (stdout is its detail), 69 a refusal, any other a
failed task.

The first time it needs a join token (mesh30k invite host):
  %[1]s run --join TOKEN --class E -- ./my-program
Afterwards it knows who it is:
  %[1]s run -- ./my-program

Each flag can be given in the environment too: --drain-timeout is
MESH30K_AGENTD_DRAIN_TIMEOUT. A flag goes before the environment.

`

// Main is the command mesh30k agentd and the program mesh-agentd; args come
// without the program's name. It returns the exit code: 0 after a drain, 1 when the host
// broke down, 2 for wrong usage (no program, no identity and no token), 6 when the
// core refuses the host, 7 when the mesh cannot be reached to join.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := runMain(ctx, args, stdin, stdout, stderr)
	if err != nil && !errors.Is(err, errHelp) {
		fmt.Fprintf(stderr, "agentd: %v\n", err)
	}
	return exitOf(err)
}

// usageError is one that the caller of the program made.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errHelp ends a run that only printed help.
var errHelp = errors.New("help")

// exitOf is the exit code of an error (rulings: Output).
func exitOf(err error) int {
	var misused usageError
	var refused *wire.Error
	switch {
	case err == nil, errors.Is(err, errHelp):
		return wire.Done.Exit()
	case errors.As(err, &misused):
		return wire.Usage.Exit()
	case errors.As(err, &refused):
		return refused.Code.Verdict().Exit()
	case errors.Is(err, ErrUnreachable):
		return wire.Unreachable.Exit()
	}
	return wire.Internal.Exit()
}

func runMain(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	f, err := parseFlags(args, stdin, stdout, stderr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: f.level}))
	id, dir, err := f.identity(ctx, log)
	if err != nil {
		return err
	}
	if f.url != "" {
		id.URL = f.url
	}
	var hosts []*Host
	for _, cfg := range id.Configs(dir) {
		cfg.Log, cfg.Sync, cfg.DrainTimeout, cfg.Program = log, f.sync, f.drain, f.version()
		cfg.Handlers = f.handlers(log)
		h, err := NewHost(cfg)
		if err != nil {
			return err
		}
		hosts = append(hosts, h)
	}
	fmt.Fprintf(stdout, "%s is host %s of mesh %s, by way of %s\n", f.program[0], id.Host, id.Mesh, id.URL)
	return RunAll(ctx, hosts)
}

// handlers make a handler for each agent.
func (f *flags) handlers(log *slog.Logger) func(wire.Enrolled) (Handler, error) {
	return func(e wire.Enrolled) (Handler, error) {
		if f.lines {
			return NewLines(f.program, e.AgentID, log), nil
		}
		return &Program{Command: f.program, Log: log}, nil
	}
}

// RunAll runs hosts together until ctx ends or one of them fails; then all
// drain. It returns all their errors.
func RunAll(ctx context.Context, hosts []*Host) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(hosts))
	var running sync.WaitGroup
	for i, h := range hosts {
		running.Go(func() {
			defer cancel()
			errs[i] = h.Run(ctx)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// findProgram checks that the command can be run before the host says so.
func findProgram(words []string) error {
	if len(words) == 0 {
		return usagef("no program: say what an agent does, as in: run -- ./my-program")
	}
	if _, err := exec.LookPath(words[0]); err != nil && !errors.Is(err, exec.ErrDot) {
		return usagef("the program cannot be run: %w", err)
	}
	return nil
}
