package agentd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// The exit codes of an agent's program, after sysexits.h. Any other but 0 is an
// error of the task: a result, not a failure of the agent.
const (
	ExitWorked   = 0
	ExitConflict = 65 // EX_DATAERR: stdout is a wire.ConflictDetail
	ExitRefused  = 69 // EX_UNAVAILABLE: the program does not want to; stdout may say why
)

// pipesAfter is how long what the program's own children still write is waited
// for once the program has ended.
const pipesAfter = 2 * time.Second

// Order is what a program reads from stdin: one JSON object.
type Order struct {
	MessageID     string         `json:"message_id"`
	CorrelationID string         `json:"correlation_id"`
	AgentID       string         `json:"agent_id"`
	Source        string         `json:"source_agent_id"`
	Verb          wire.Verb      `json:"verb"`
	Payload       jsontext.Value `json:"payload"`
	PayloadWeight float64        `json:"payload_weight"`
	Priority      int            `json:"priority"`
	TTLMS         float64        `json:"ttl_ms"` // that remains; the program is killed when it is over
	Again         bool           `json:"again"`  // may have been worked before: make it no harm
}

func orderOf(w Work) []byte {
	payload := w.Message.Payload
	if len(payload) == 0 {
		payload = jsontext.Value("null")
	}
	data, err := json.Marshal(Order{
		MessageID: w.Message.MessageID, CorrelationID: w.Message.CorrelationID, AgentID: w.AgentID,
		Source: w.Message.Source, Verb: w.Message.Verb, Payload: payload, PayloadWeight: w.Weight,
		Priority: w.Message.Priority, TTLMS: max(0, ms(time.Until(w.Deadline))), Again: w.Again,
	})
	if err != nil {
		panic("agentd: a decoded message cannot be spelled again: " + err.Error())
	}
	return data
}

// Program is a [Handler] that starts a command once for every message: the
// message as an [Order] and end of file on stdin, the answer on stdout, the
// verdict as exit code. The command runs in a process group of its own, which
// is killed when the time to live is over and, on Linux, when agentd dies.
type Program struct {
	Command []string // name and arguments
	Log     *slog.Logger

	running sync.WaitGroup
}

// Begin implements [Handler].
func (p *Program) Begin(ctx context.Context, w Work, end func(Result)) {
	p.running.Go(func() { end(p.run(ctx, w)) })
}

// Close waits for what runs.
func (p *Program) Close() error {
	p.running.Wait()
	return nil
}

func (p *Program) run(ctx context.Context, w Work) Result {
	// The kernel ends the program when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, said := &capped{limit: wire.MaxBody}, &tail{log: p.Log, agent: w.AgentID}
	cmd := command(ctx, p.Command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(orderOf(w), '\n')), out, said
	started := time.Now()
	err := cmd.Run()
	killGroup(cmd) // what it left behind
	r := endOf(ctx, cmd, err, out, said)
	r.Started, r.Took = started, time.Since(started)
	return r
}

// command prepares a command in a process group of its own.
func command(ctx context.Context, words []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	cmd.WaitDelay = pipesAfter
	return cmd
}

// endOf is what the end of a command that ran for one message comes to.
func endOf(ctx context.Context, cmd *exec.Cmd, err error, out *capped, said *tail) Result {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return brokenOff(ctx)
	case out.over:
		return refusal(wire.CodeTooLarge, "the answer has more than %d bytes", wire.MaxBody)
	case cmd.ProcessState == nil || err != nil && !errors.As(err, &exit) && !harmless(err):
		return refusal(wire.CodeInternal, "the program cannot be run: %v", err)
	}
	return verdictOf(cmd.ProcessState.ExitCode(), out.buf.Bytes(), said.String())
}

// harmless errors say that the program did not read its stdin, or that its
// children kept its stdout.
func harmless(err error) bool {
	return errors.Is(err, exec.ErrWaitDelay) || errors.Is(err, io.ErrClosedPipe)
}

// brokenOff is the result of work that was killed because ctx ended.
func brokenOff(ctx context.Context) Result {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return Result{State: wire.Refused, Code: wire.CodeExpired}
	}
	return Result{State: wire.Refused, Code: wire.CodeDraining}
}

// verdictOf is what an exit code (−1: killed by a signal) and an output come
// to. A program that fails and says nothing on stdout is quoted from stderr.
func verdictOf(exit int, out []byte, said string) Result {
	switch exit {
	case ExitWorked:
		return Result{State: wire.Worked, Answer: answerOf(out)}
	case ExitConflict:
		return Result{State: wire.InConflict, Detail: conflictOf(out)}
	case ExitRefused:
		return Result{State: wire.Refused, Code: wire.CodeHandler, Answer: answerOf(out)}
	}
	if len(bytes.TrimSpace(out)) == 0 {
		out = []byte(said)
	}
	return Result{State: wire.Worked, Code: wire.CodeTaskError, Answer: answerOf(out)}
}

// answerOf makes an answer of what a program wrote: JSON as it is, anything
// else as a string, without the last line feed; nothing: no answer.
func answerOf(out []byte) jsontext.Value {
	out = bytes.TrimSpace(out)
	switch v := jsontext.Value(out); {
	case len(out) == 0:
		return nil
	case v.IsValid():
		return v.Clone()
	default:
		return TextAnswer(string(out))
	}
}

// conflictOf reads a conflict's detail; what is none becomes its data.
func conflictOf(out []byte) *wire.ConflictDetail {
	d := new(wire.ConflictDetail)
	if err := json.Unmarshal(out, d); err != nil {
		d = &wire.ConflictDetail{Data: answerOf(out)}
	}
	if d.Type == "" {
		d.Type = "unspecified"
	}
	d.Type = wire.Clean(d.Type)
	return d
}

// capped keeps the first bytes of an output and swallows the rest, so that the
// program is not held up.
type capped struct {
	buf   bytes.Buffer // not embedded: its ReadFrom would pass Write by
	limit int
	over  bool
}

func (c *capped) Write(p []byte) (int, error) {
	kept := p[:min(len(p), c.limit-c.buf.Len())]
	c.over = c.over || len(kept) < len(p)
	c.buf.Write(kept)
	return len(p), nil
}

// tail logs the lines of a stderr and keeps its end.
type tail struct {
	log   *slog.Logger
	agent string

	mu   sync.Mutex
	line []byte
	last []byte
}

const maxTail = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if n := len(t.last) - maxTail; n > 0 {
		t.last = append(t.last[:0], t.last[n:]...)
	}
	t.line = append(t.line, p...)
	for {
		line, rest, ok := bytes.Cut(t.line, []byte{'\n'})
		if !ok && len(t.line) <= wire.MaxText {
			return len(p), nil
		}
		t.log.Info("program says", "agent", t.agent, "text", wire.Clean(string(line)))
		t.line = append(t.line[:0], rest...)
	}
}

// String is the end of what was written.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return wire.CleanBlock(string(t.last))
}
