package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"mesh30k/meshcore/wire"
)

// printer puts results on stdout and talk on stderr, in the form that the flags
// ask for.
type printer struct {
	words       string // of the command: "fleet inject"
	json, jsonl bool
	color       bool
	live        bool // stderr shows progress
	out, err    io.Writer
	drawn       bool // a line of progress stands on stderr
	shown       bool // the person has seen the plan, on stderr
}

// exit ends a command whose results have been printed.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit %d", e.code) }

func printerOf(cmd *cobra.Command, d Deps) *printer {
	p := &printer{words: wordsOf(cmd), out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), color: d.Color}
	p.json, _ = cmd.Flags().GetBool("json") // the root has them
	p.jsonl, _ = cmd.Flags().GetBool("jsonl")
	if plain, _ := cmd.Flags().GetBool("no-color"); plain {
		p.color = false
	}
	p.live = d.Terminal && !p.json && !p.jsonl
	return p
}

func wordsOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()), " ")
}

// outcome prints how a command ended, and carries its exit code.
func (p *printer) outcome(out wire.Outcome) error {
	p.clear()
	if p.json || p.jsonl {
		return p.envelope(out.Verdict, out.Data, out.Err)
	}
	if out.Err == nil || len(out.Data) > 0 {
		fmt.Fprint(p.out, withNewline(out.Text))
	}
	if out.Err != nil {
		p.complain(out.Verdict, out.Err)
	}
	return done(out.Verdict)
}

func done(v wire.Verdict) error {
	if v == wire.Done {
		return nil
	}
	return exit{v.Exit()}
}

// envelope prints the one line of --json. An error becomes a member of data.
func (p *printer) envelope(v wire.Verdict, data jsontext.Value, e *wire.Error) error {
	line, err := json.Marshal(wire.Envelope{V: 1, Action: p.words, Verdict: v, Exit: v.Exit(), Data: withError(data, e)})
	if err != nil {
		return fmt.Errorf("the envelope cannot be spelled: %w", err)
	}
	if _, err := fmt.Fprintf(p.out, "%s\n", line); err != nil {
		return err
	}
	return done(v)
}

// failure is an error as programs see it.
type failure struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitzero"`
}

func withError(data jsontext.Value, e *wire.Error) jsontext.Value {
	if len(data) == 0 || data.Kind() != '{' {
		data = jsontext.Value("{}")
	}
	if e == nil {
		return data
	}
	raw, err := json.Marshal(failure{e.Code, e.Message, e.Hint})
	if err != nil {
		raw = []byte(`{"code":"internal"}`) // text that is not UTF-8: the verdict still tells
	}
	return member(data, "error", raw)
}

// member adds a member to an object, as its last.
func member(object jsontext.Value, name string, value []byte) jsontext.Value {
	object = object.Clone()
	if object.Compact() != nil {
		return object
	}
	sep := ","
	if len(object) == 2 {
		sep = ""
	}
	return jsontext.Value(string(object[:len(object)-1]) + sep + `"` + name + `":` + string(value) + "}")
}

// plan prints a plan as the result: of --dry-run, or because nobody confirmed.
func (p *printer) plan(plan *wire.Plan, v wire.Verdict, e *wire.Error) error {
	if !p.json && !p.jsonl {
		if !p.shown {
			fmt.Fprint(p.out, withNewline(plan.Text))
		}
		if e != nil {
			p.complain(v, e)
		}
		return done(v)
	}
	return p.envelope(v, member(jsontext.Value("{}"), "plan", wire.Encode(plan)), e)
}

// showPlan shows a plan before a question, or one that the core made anew.
func (p *printer) showPlan(plan *wire.Plan) {
	p.clear()
	switch {
	case p.jsonl:
		p.record(wire.Encode(plan))
		return
	case p.json: // the hash of a plan is of use only to who plans anew
		return
	}
	p.shown = true
	fmt.Fprint(p.err, withNewline(plan.Text))
}

// rows streams rows, with --jsonl.
func (p *printer) rows(rows []jsontext.Value) {
	for _, r := range rows {
		p.record(append(append([]byte(`{"type":"ROW","row":`), r...), '}'))
	}
}

func (p *printer) record(line []byte) { fmt.Fprintf(p.out, "%s\n", line) }

// progress shows how far an operation has come: a line that is drawn over on a
// terminal, a record with --jsonl.
func (p *printer) progress(g wire.Progress) {
	switch {
	case g.Total == 0 && g.Text == "": // a sign of life
	case p.jsonl:
		p.record(wire.Encode(&g))
	case p.live:
		text := g.Text
		if text == "" {
			text = fmt.Sprintf("%d of %d", g.Done, g.Total)
		}
		fmt.Fprintf(p.err, "\r%s\x1b[K", wire.Clean(text))
		p.drawn = true
	}
}

// clear removes the line of progress.
func (p *printer) clear() {
	if p.drawn {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *printer) talk(s string) { fmt.Fprint(p.err, withNewline(s)) }

func (p *printer) complain(v wire.Verdict, e *wire.Error) {
	head := strings.ReplaceAll(string(v), "_", " ") + ":"
	if p.color {
		head = "\x1b[1;31m" + head + "\x1b[0m"
	}
	fmt.Fprintf(p.err, "%s %s\n", head, wire.Clean(e.Message))
	if e.Hint != "" {
		fmt.Fprintf(p.err, "  %s\n", wire.Clean(e.Hint))
	}
}

func withNewline(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// Say prints the result of one of main's own commands as --json and --jsonl ask,
// and returns what its RunE returns: the verdict becomes the exit code.
func Say(cmd *cobra.Command, v wire.Verdict, data any, text string) error {
	raw, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("the result cannot be spelled: %w", err)
	}
	return printerOf(cmd, Deps{}).outcome(wire.Outcome{Verdict: v, Data: raw, Text: text})
}

// errorOf turns any error into one with a code.
func errorOf(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return wire.Errorf(wire.CodeInternal, "%s", err)
}
