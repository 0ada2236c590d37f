package views

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

type channelFeed chan Update

func (f channelFeed) Next() <-chan Update { return f }

// terminal is a pseudo-terminal with a console running on it.
type terminal struct {
	t      *testing.T
	master *os.File
	ended  chan error

	mu      sync.Mutex
	written bytes.Buffer
	grew    chan struct{}
}

func runOnTerminal(t *testing.T, o Options) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal here: ", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	if o.Environ == nil {
		o.Environ = []string{"TERM=xterm-256color"}
	}
	o.Input, o.Output = slave, slave
	x := &terminal{t: t, master: master, ended: make(chan error, 1), grew: make(chan struct{}, 1)}
	go func() {
		x.ended <- Run(t.Context(), o)
		slave.Close()
	}()
	go x.read()
	return x
}

func (x *terminal) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := x.master.Read(buffer)
		x.mu.Lock()
		x.written.Write(buffer[:n])
		x.mu.Unlock()
		select {
		case x.grew <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Shows waits until text has been written.
func (x *terminal) Shows(text string) {
	x.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if strings.Contains(x.Got(), text) {
			return
		}
		select {
		case <-x.grew:
		case <-deadline:
			x.t.Fatalf("the terminal never showed %q; it got %q", text, x.Got())
		}
	}
}

// Got is all that has been written.
func (x *terminal) Got() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.written.String()
}

func (x *terminal) Types(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, keys); err != nil {
		x.t.Fatal(err)
	}
}

// Ends waits for Run and demands that the terminal was restored.
func (x *terminal) Ends() error {
	x.t.Helper()
	select {
	case err := <-x.ended:
		x.Shows("\x1b[?1049l") // alternate screen left
		x.Shows("\x1b[?25h")   // cursor shown
		x.master.Close()
		return err
	case <-time.After(20 * time.Second):
		x.t.Fatal("the console does not end")
		return nil
	}
}

func TestTheFirstFrameComesBeforeTheFirstUpdate(t *testing.T) {
	defer goleak.VerifyNone(t)
	x := runOnTerminal(t, Options{Feed: make(channelFeed), Actions: &fakeActions{picture: meshOf100}, Waiting: "starting core"})
	x.Shows("starting core")
	x.Types("q")
	if err := x.Ends(); err != nil {
		t.Errorf("leaving: %v", err)
	}
}

func TestASignalRestoresTheTerminalAndIsTold(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		x := runOnTerminal(t, Options{Feed: make(channelFeed), Actions: &fakeActions{picture: meshOf100}, Waiting: "starting core"})
		x.Shows("starting core")
		if err := syscall.Kill(os.Getpid(), signal); err != nil {
			t.Fatal(err)
		}
		err := x.Ends()
		if ended, ok := errors.AsType[*SignalError](err); !ok || ended.ExitCode() != 128+int(signal) {
			t.Errorf("after %v: %v", signal, err)
		}
	}
}

// brokenPicture panics when a pane looks an agent up.
type brokenPicture struct{ *fakePicture }

func (brokenPicture) Agent(string) *wire.AgentImpedance { panic("a bug in a pane") }

func TestAPanicRestoresTheTerminal(t *testing.T) {
	feed := make(channelFeed, 1)
	feed <- Update{Picture: brokenPicture{meshOf100}, Stats: meshOf100.Stats(), Conn: ConnState{Up: true}, At: time.Now()}
	x := runOnTerminal(t, Options{Feed: feed, Actions: &fakeActions{picture: meshOf100}})
	x.Shows("sectors by impedance")
	x.Types("a")
	x.Shows("a12-1-1")
	x.Types("\r")
	if err := x.Ends(); err == nil {
		t.Error("a panic ended the console without an error")
	}
}

func TestTheEndOfTheContextEndsTheConsole(t *testing.T) {
	cause := errors.New("the demo is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := Run(ctx, Options{Feed: make(channelFeed), Actions: &fakeActions{}, Input: strings.NewReader(""), Output: io.Discard})
	if !errors.Is(err, cause) {
		t.Errorf("Run = %v", err)
	}
}

// countedActions counts reads, from whatever goroutine.
type countedActions struct {
	fakeActions
	reads chan string
}

func (c *countedActions) Read(_ context.Context, a console.Action) (wire.Outcome, error) {
	c.reads <- console.Line(a)
	return wire.Outcome{Verdict: wire.Done, Text: "as it should be"}, nil
}

func TestNoKeyIsLostInAStormOfUpdates(t *testing.T) {
	const commands = 20
	feed, over := make(channelFeed), make(chan struct{})
	go func() {
		for {
			u := Update{Picture: meshOf100, Stats: meshOf100.Stats(), Facts: fakeFacts(), Conn: ConnState{Up: true}, At: time.Now()}
			select {
			case feed <- u:
			case <-over:
				return
			}
		}
	}()
	defer close(over)
	actions := &countedActions{reads: make(chan string, 2*commands)}
	x := runOnTerminal(t, Options{Feed: feed, Actions: actions})
	x.Shows("sectors by impedance")
	for range commands {
		x.Types(":status\r")
	}
	for range commands {
		select {
		case line := <-actions.reads:
			if line != "status" {
				t.Fatalf("a command came as %q", line)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a key was lost")
		}
	}
	x.Types("q")
	if err := x.Ends(); err != nil {
		t.Error(err)
	}
}

func TestNoColourIsAnyValue(t *testing.T) {
	for _, value := range []string{"1", "yes", "0"} {
		x := runOnTerminal(t, Options{Feed: make(channelFeed), Actions: &fakeActions{}, Waiting: "starting core", Environ: []string{"TERM=xterm-256color", "NO_COLOR=" + value}})
		x.Shows("starting core")
		x.Types("q")
		_ = x.Ends()
		for _, colour := range []string{"\x1b[36m", "\x1b[90m", ";36m"} {
			if strings.Contains(x.Got(), colour) {
				t.Errorf("NO_COLOR=%s: the terminal got %q", value, colour)
			}
		}
	}
}

func TestOverSSHFramesAreSynchronised(t *testing.T) {
	for environ, want := range map[string]bool{"SSH_TTY=/dev/pts/3": true, "SSH_TTY=/dev/pts/3 MESH30K_NO_SYNC=1": false} {
		x := runOnTerminal(t, Options{Feed: make(channelFeed), Actions: &fakeActions{}, Waiting: "starting core", Environ: append(strings.Fields(environ), "TERM=xterm-256color")})
		x.Shows("starting core")
		x.Types("?")
		x.Shows("this page")
		x.Types("q")
		_ = x.Ends()
		if got := strings.Contains(x.Got(), "\x1b[?2026h"); got != want {
			t.Errorf("%s: synchronised %v, want %v", environ, got, want)
		}
	}
}
