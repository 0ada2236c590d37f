package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Process is a child that lives no longer than this process: it holds the
// reading end of a pipe as its standard input and ends when that closes,
// however this process ends.
type Process struct {
	Name string
	cmd  *exec.Cmd
	pipe io.WriteCloser
	tail *tail

	mu     sync.Mutex
	latest map[bool]jsontext.Value // last status line, and the final one
	seen   chan struct{}           // closed and renewed at each status line

	done chan struct{} // closed when it has ended
	err  error
}

// Guard is the environment variable that tells a child to end with its
// standard input.
const Guard = "MESH30K_END_WITH_STDIN"

// Start runs exe with args. Its standard output is read as status lines, one
// JSON object a line, the last with a member "final"; the end of what it says on
// standard error is kept for errors. secret is NAME=VALUE for its environment.
func Start(name, secret, exe string, args ...string) (*Process, error) {
	p := &Process{Name: name, tail: &tail{}, latest: map[bool]jsontext.Value{}, seen: make(chan struct{}), done: make(chan struct{})}
	p.cmd = exec.Command(exe, args...) //nolint:noctx // it ends with its pipe, whoever started it
	p.cmd.Env = append(os.Environ(), Guard+"=1", secret)
	p.cmd.Stderr = p.tail
	// A signal to the terminal's group is for the console, which ends its
	// children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.pipe, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go p.read(out)
	return p, nil
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

func (p *Process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Final bool `json:"final"`
		}
		data := jsontext.Value(lines.Bytes()).Clone()
		if json.Unmarshal(data, &line) != nil {
			continue // talk that has strayed
		}
		p.mu.Lock()
		p.latest[line.Final] = data
		close(p.seen)
		p.seen = make(chan struct{})
		p.mu.Unlock()
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.done)
}

// Status waits for a status line and decodes the latest into v.
func (p *Process) Status(ctx context.Context, v any) error { return p.await(ctx, false, v) }

// Final waits for the status line that a process leaves when it ends in order.
func (p *Process) Final(ctx context.Context, v any) error { return p.await(ctx, true, v) }

func (p *Process) await(ctx context.Context, final bool, v any) error {
	for {
		p.mu.Lock()
		data, seen := p.latest[final], p.seen
		p.mu.Unlock()
		if data != nil {
			return json.Unmarshal(data, v)
		}
		select {
		case <-seen:
		case <-p.done:
			p.mu.Lock()
			data := p.latest[final]
			p.mu.Unlock()
			if data == nil {
				return p.failure("ended")
			}
		case <-ctx.Done():
			return fmt.Errorf("the %s has not said how it is: %w", p.Name, ctx.Err())
		}
	}
}

// Next waits for a status line that comes after this call.
func (p *Process) Next(ctx context.Context, v any) error {
	p.mu.Lock()
	delete(p.latest, false)
	p.mu.Unlock()
	return p.Status(ctx, v)
}

// errKilled is that of a process which did not end by itself.
var errKilled = errors.New("signal")

// failure says how the process ended, with the last of what it said.
func (p *Process) failure(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.tail.String()
	if said != "" {
		said = ": " + said
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return fmt.Errorf("%s %s (%w: %v)%s", p.Name, what, errKilled, status.Signal(), said)
		}
	}
	if p.err != nil {
		return fmt.Errorf("%s %s (%w)%s", p.Name, what, p.err, said)
	}
	return fmt.Errorf("%s %s%s", p.Name, what, said)
}

// End asks the process to end by closing its standard input, and kills it after
// patience. It returns how it ended, unless that was in order or before it was
// asked.
func (p *Process) End(patience time.Duration) error {
	select {
	case <-p.done:
		return nil // whoever waited for it knows how
	default:
	}
	_ = p.pipe.Close()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("%s did not end within %v of being asked and was killed", p.Name, patience)
	}
	p.mu.Lock()
	failed := p.err != nil
	p.mu.Unlock()
	if failed {
		return p.failure("ended")
	}
	return nil
}

// Kill ends the process at once, as kill -9 does, and waits for it.
func (p *Process) Kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return
	}
	<-p.done
}

// tail keeps the last of what a process said.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 2 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if n := len(t.kept); n > tailSize {
		t.kept = t.kept[n-tailSize:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
