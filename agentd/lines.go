package agentd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Reply is what a program that works by lines may answer, as one line: the exit
// code that it would have ended with, and the answer. A line that has neither
// member, or is no JSON object, is itself the answer, with exit code 0.
type Reply struct {
	Exit   int            `json:"exit,omitempty"`
	Answer jsontext.Value `json:"answer,omitempty"`
}

// Lines is a [Handler] that keeps one process alive for its agent: an [Order] a
// line on stdin, an answer a line on stdout (see [Reply]). A process that dies
// is started again, at growing intervals; the message that it worked is then a
// task error.
type Lines struct {
	words []string
	agent string
	log   *slog.Logger
	work  chan lineWork
	waits *lineWork // came while there was no process
	stop  context.CancelFunc
	ended chan struct{}
}

type lineWork struct {
	ctx context.Context
	w   Work
	end func(Result)
}

// NewLines starts the command for an agent.
func NewLines(words []string, agent string, log *slog.Logger) *Lines {
	ctx, stop := context.WithCancel(context.Background())
	p := &Lines{words: words, agent: agent, log: log, work: make(chan lineWork, 1), stop: stop, ended: make(chan struct{})}
	go p.keep(ctx)
	return p
}

// Begin implements [Handler]. While the process is being started again, the
// message waits.
func (p *Lines) Begin(ctx context.Context, w Work, end func(Result)) {
	p.work <- lineWork{ctx, w, end} // one at a time: there is room
}

// Close kills the process and waits until it is gone.
func (p *Lines) Close() error {
	p.stop()
	<-p.ended
	return nil
}

// keep keeps a process alive until ctx ends.
func (p *Lines) keep(ctx context.Context) {
	defer close(p.ended)
	runtime.LockOSThread() // see Program.run
	defer runtime.UnlockOSThread()
	for deaths := 0; ctx.Err() == nil; deaths++ {
		if deaths > 0 && !p.pause(ctx, auth.ReconnectDelay(deaths, 1)) {
			break
		}
		if p.serve(ctx) {
			deaths = 0
		}
	}
	select {
	case x := <-p.work:
		p.waits = &x
	default:
	}
	if p.waits != nil {
		p.waits.end(Result{State: wire.Refused, Code: wire.CodeDraining})
	}
}

// pause waits before a new start; work that comes meanwhile waits too, until
// its own time is over. False: ctx has ended.
func (p *Lines) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		var over <-chan struct{}
		work := p.work
		if p.waits != nil {
			over, work = p.waits.ctx.Done(), nil
		}
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		case x := <-work:
			p.waits = &x
		case <-over:
			p.waits.end(brokenOff(p.waits.ctx))
			p.waits = nil
		}
	}
}

// serve runs one process until it dies or is killed; true: it answered.
func (p *Lines) serve(ctx context.Context) (answered bool) {
	life, kill := context.WithCancel(ctx)
	defer kill()
	said := &tail{log: p.log, agent: p.agent}
	cmd := command(life, p.words)
	cmd.Stderr = said
	in, out, err := startPiped(cmd)
	if err != nil {
		p.log.Error("program cannot be started", "agent", p.agent, "why", err)
		return false
	}
	lines := make(chan []byte)
	go readLines(life, out, lines)
	for p.next(life, in, lines, said, &answered) {
	}
	kill()
	killGroup(cmd)
	err = out.Close()
	for range lines { // until its reader has ended
	}
	err = errors.Join(cmd.Wait(), err)
	if ctx.Err() == nil {
		p.log.Warn("program ended; starting it again", "agent", p.agent, "how", err)
	}
	return answered
}

func startPiped(cmd *exec.Cmd) (io.WriteCloser, io.ReadCloser, error) {
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	return in, out, cmd.Start()
}

// next works one message; false: the process is dead or has to die.
func (p *Lines) next(life context.Context, in io.Writer, lines <-chan []byte, said *tail, answered *bool) bool {
	if x := p.waits; x != nil {
		p.waits = nil
		return p.one(life, *x, in, lines, said, answered)
	}
	select {
	case <-life.Done():
		return false
	case line, ok := <-lines:
		if ok {
			p.log.Warn("program answers without having been asked", "agent", p.agent, "text", wire.Clean(string(line)))
		}
		return ok
	case x := <-p.work:
		return p.one(life, x, in, lines, said, answered)
	}
}

func (p *Lines) one(life context.Context, x lineWork, in io.Writer, lines <-chan []byte, said *tail, answered *bool) bool {
	if x.ctx.Err() != nil {
		x.end(brokenOff(x.ctx))
		return true
	}
	started := time.Now()
	end := func(r Result) { r.Started, r.Took = started, time.Since(started); x.end(r) }
	wrote := make(chan error, 1)
	go func() { // a program that does not read must not hold this up
		_, err := in.Write(append(orderOf(x.w), '\n'))
		wrote <- err
	}()
	select {
	case line, ok := <-lines:
		if !ok {
			end(verdictOf(-1, nil, said.String()))
			return false
		}
		*answered = true
		end(replyOf(line))
		select {
		case err := <-wrote:
			return err == nil
		case <-time.After(pipesAfter):
			return false // it does not read what it is told
		}
	case <-x.ctx.Done():
		end(brokenOff(x.ctx))
		return false // it is still at it
	case <-life.Done():
		end(Result{State: wire.Refused, Code: wire.CodeDraining})
		return false
	}
}

// replyOf reads an answer's line.
func replyOf(line []byte) Result {
	if len(line) > wire.MaxBody {
		return refusal(wire.CodeTooLarge, "the answer has more than %d bytes", wire.MaxBody)
	}
	var members map[string]jsontext.Value
	var r Reply
	if json.Unmarshal(line, &members) != nil || members["exit"] == nil && members["answer"] == nil {
		return verdictOf(ExitWorked, line, "")
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return refusal(wire.CodeInternal, "the program's reply cannot be read: %v", err)
	}
	return verdictOf(r.Exit, r.Answer, "")
}

// readLines sends each line of r until it ends. Of a line that is too long only
// so much is kept that it is seen to be.
func readLines(life context.Context, r io.Reader, lines chan<- []byte) {
	defer close(lines)
	b := bufio.NewReader(r)
	for {
		line, err := readLine(b)
		if err != nil && len(line) == 0 {
			return
		}
		select {
		case lines <- bytes.TrimSpace(line):
		case <-life.Done():
			return
		}
	}
}

func readLine(b *bufio.Reader) (line []byte, err error) {
	for {
		part, err := b.ReadSlice('\n')
		if len(line) <= wire.MaxBody {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
