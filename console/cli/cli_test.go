package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore/wire"
)

// fakePlane is a core that answers what it was told to.
type fakePlane struct {
	asked    []string // step and action, in order
	plan     *wire.Plan
	newPlan  *wire.Plan // made by the first execute
	refusal  *wire.Error
	outcome  wire.Outcome
	rows     []jsontext.Value
	progress []wire.Progress
	names    console.Names
	typed    int
	closed   bool
}

func (f *fakePlane) note(step string, a console.Action) {
	f.asked = append(f.asked, step+" "+string(console.Encode(a)))
}

func (f *fakePlane) Read(_ context.Context, a console.Action, h client.Handlers) wire.Outcome {
	f.note("read", a)
	if h.Rows != nil && f.rows != nil {
		h.Rows(f.rows)
	}
	return f.outcome
}

func (f *fakePlane) refuse() (*wire.Plan, wire.Outcome) {
	v := f.refusal.Code.Verdict()
	return nil, wire.Outcome{Verdict: v, Err: f.refusal, Text: f.refusal.Error()}
}

func (f *fakePlane) Plan(_ context.Context, a console.Action) (*wire.Plan, wire.Outcome) {
	f.note("plan", a)
	if f.refusal != nil {
		return f.refuse()
	}
	return f.plan, wire.Outcome{Verdict: wire.Done}
}

func (f *fakePlane) Shown(_ context.Context, hash string, a console.Action) (*wire.Plan, wire.Outcome) {
	f.note("shown "+hash, a)
	if f.plan.Hash != hash {
		f.refusal = wire.Errorf(wire.CodeStalePlan, "there is no plan %s", hash)
		return f.refuse()
	}
	return f.plan, wire.Outcome{Verdict: wire.Done}
}

func (f *fakePlane) Execute(_ context.Context, hash string, a console.Action, typed int, h client.Handlers) wire.Outcome {
	f.note("execute "+hash, a)
	f.typed = typed
	for _, p := range f.progress {
		h.Progress(p)
	}
	if f.newPlan != nil {
		h.Plan(*f.newPlan)
		f.newPlan = nil
		e := wire.Errorf(wire.CodeStalePlan, "1 agent more than before")
		return wire.Outcome{Verdict: wire.WasRefused, Err: e, Text: e.Error()}
	}
	return f.outcome
}

func (f *fakePlane) Names(context.Context) (console.Names, wire.Outcome) {
	return f.names, wire.Outcome{Verdict: wire.Done}
}

func (f *fakePlane) Close() { f.closed = true }

// ran is what a command line came to.
type ran struct {
	code        int
	out, talk   string
	connectedTo []string
}

// sit says whether a person sits at the terminal, and what she types.
type sit struct{ types string }

func cmdline(t testing.TB, f *fakePlane, person *sit, args ...string) ran {
	t.Helper()
	var r ran
	var out, talk bytes.Buffer
	d := Deps{Out: &out, Err: &talk, In: strings.NewReader("")}
	if person != nil {
		d.Terminal, d.In = true, strings.NewReader(person.types)
	}
	d.Connect = func(_ context.Context, mesh string) (Plane, error) {
		r.connectedTo = append(r.connectedTo, mesh)
		if f == nil {
			return nil, errors.New("no core runs")
		}
		return f, nil
	}
	root := NewRoot(d)
	fleet := &cobra.Command{Use: "fleet", Short: "emulated agents", RunE: func(*cobra.Command, []string) error { return nil }}
	fleet.AddCommand(InjectCommand(d))
	root.AddCommand(fleet)
	r.code = Run(t.Context(), root, args, d)
	r.out, r.talk = out.String(), talk.String()
	if f != nil && len(r.connectedTo) > 0 && !f.closed {
		t.Error("the connection stays open")
	}
	return r
}

func twoPlans() *fakePlane {
	return &fakePlane{
		plan:    &wire.Plan{Header: wire.Head(wire.TypePlan), Hash: "aaaa", Count: 300, Wide: true, Text: "Plan: freeze 300\n"},
		outcome: wire.Outcome{Verdict: wire.Done, Data: jsontext.Value(`{"covered":300}`), Text: "FROZEN\n"},
	}
}

// The command line says the same as ":" and JSON.
func TestTheCommandLineGivesTheActionOfTheLine(t *testing.T) {
	for _, args := range [][]string{
		{"status"},
		{"status", "7", "--at", "30m"},
		{"list", "class=E,sector=7", "--what", "clusters", "--sort=queue", "--limit", "5"},
		{"inspect", "SECTOR7-CLUSTER4-AGENT-12"},
		{"history", "--kind", "freeze", "--since", "14:03"},
		{"broadcast", "two words", "class=E", "--require-ack", "--ttl", "10s"},
		{"broadcast", "--priority", "0", "--", "--loud"},
		{"freeze"},
		{"freeze", "sector=3-9", "--reason", "bad rollout"},
		{"freeze", "--target", "sector=7"},
		{"thaw", "sector!=7"},
		{"undo"},
		{"invite", "--what", "observer", "--ttl", "10m"},
		{"fleet", "inject", "slow", "class=E", "--for", "30s"},
		{"fleet", "inject", "skew", "sector=7", "--skew", "-2s"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			words := args
			if words[0] == "fleet" {
				words = words[1:]
			}
			want, err := console.ParseLine(quoted(words))
			if err != nil {
				t.Fatal(err)
			}
			f := twoPlans()
			flags := append([]string{}, args...)
			if console.EntryOf(want).Risk != console.Read {
				flags = append([]string{args[0]}, append([]string{"--dry-run"}, args[1:]...)...)
				if args[0] == "fleet" {
					flags = append([]string{"fleet", "inject", "--dry-run"}, args[2:]...)
				}
			}
			r := cmdline(t, f, nil, flags...)
			if r.code != 0 || len(f.asked) != 1 {
				t.Fatalf("exit %d, asked %v\n%s", r.code, f.asked, r.talk)
			}
			if _, got, _ := strings.Cut(f.asked[0], " "); got != string(console.Encode(want)) {
				t.Errorf("asked %s, want %s", got, console.Encode(want))
			}
		})
	}
}

func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, "'"+w+"'")
	}
	return strings.Join(out, " ")
}

func TestWhatIsPrintedAndHowItEnds(t *testing.T) {
	freeze := `{"action":"freeze","target":"sector=7"}`
	for _, test := range []struct {
		name   string
		args   string
		person *sit
		plane  func(*fakePlane)
		code   int
		out    string // all of stdout
		talk   string // somewhere on stderr
		asked  []string
	}{
		{name: "a read", args: "status", code: 0, out: "FROZEN\n", asked: []string{`read {"action":"status"}`}},
		{
			name: "a read as JSON", args: "status --json", code: 0,
			out: `{"v":1,"action":"status","verdict":"done","exit":0,"data":{"covered":300}}` + "\n", asked: []string{`read {"action":"status"}`},
		},
		{
			name: "a read as lines", args: "list --jsonl", code: 0,
			plane: func(f *fakePlane) { f.rows = []jsontext.Value{[]byte(`{"a":1}`), []byte(`{"a":2}`)} },
			out:   `{"type":"ROW","row":{"a":1}}` + "\n" + `{"type":"ROW","row":{"a":2}}` + "\n" + `{"v":1,"action":"list","verdict":"done","exit":0,"data":{"covered":300}}` + "\n",
		},
		{
			name: "a change, --yes", args: "freeze sector=7 --yes", code: 0, out: "FROZEN\n",
			asked: []string{"plan " + freeze, "execute aaaa " + freeze},
		},
		{
			name: "a change, --yes=HASH", args: "freeze sector=7 --yes=aaaa", code: 0, out: "FROZEN\n",
			asked: []string{"shown aaaa " + freeze, "execute aaaa " + freeze},
		},
		{
			name: "a change, --yes with a hash of nothing", args: "freeze sector=7 --yes=bbbb", code: 6, talk: "there is no plan bbbb",
			asked: []string{"shown bbbb " + freeze},
		},
		{
			name: "a change that nobody can confirm", args: "freeze sector=7", code: 6, out: "Plan: freeze 300\n", talk: "--yes=aaaa",
			asked: []string{"plan " + freeze},
		},
		{name: "a dry run", args: "freeze sector=7 --dry-run", code: 0, out: "Plan: freeze 300\n", asked: []string{"plan " + freeze}},
		{name: "a dry run does nothing even with --yes", args: "freeze sector=7 --dry-run --yes", code: 0, out: "Plan: freeze 300\n", asked: []string{"plan " + freeze}},
		{
			name: "the number is typed", args: "freeze sector=7", person: &sit{"300\n"}, code: 0, out: "FROZEN\n", talk: "type the number of agents (300)",
			asked: []string{"plan " + freeze, "execute aaaa " + freeze},
		},
		{name: "another number is typed", args: "freeze sector=7", person: &sit{"30\n"}, code: 6, talk: "not confirmed", asked: []string{"plan " + freeze}},
		{name: "y is no number", args: "freeze sector=7", person: &sit{"y\n"}, code: 6, talk: "not confirmed", asked: []string{"plan " + freeze}},
		{
			name: "an empty line is no", args: "broadcast hi", person: &sit{"\n"}, code: 6, talk: "[y/N]",
			plane: func(f *fakePlane) { f.plan.Wide = false },
		},
		{
			name: "y is yes to what is not wide", args: "broadcast hi", person: &sit{"y\n"}, code: 0, out: "FROZEN\n",
			plane: func(f *fakePlane) { f.plan.Wide = false },
		},
		{name: "the terminal closes", args: "freeze sector=7", person: &sit{""}, code: 6, talk: "closed", asked: []string{"plan " + freeze}},
		{
			name: "agents came meanwhile, and the person is asked again", args: "freeze sector=7", person: &sit{"300\n301\n"}, code: 0, out: "FROZEN\n",
			plane: func(f *fakePlane) {
				f.newPlan = &wire.Plan{Header: wire.Head(wire.TypePlan), Hash: "cccc", Count: 301, Wide: true, Text: "Plan: freeze 301\n"}
			}, talk: "(301)",
		},
		{
			name: "agents came meanwhile, --yes", args: "freeze sector=7 --yes", code: 6,
			plane: func(f *fakePlane) {
				f.newPlan = &wire.Plan{Header: wire.Head(wire.TypePlan), Hash: "cccc", Count: 301, Text: "Plan: freeze 301\n"}
			}, talk: "Plan: freeze 301",
		},
		{
			name: "the core refuses", args: "freeze sector=7 --yes", code: 6, talk: "refused: olga may only read\n  ask an operator",
			plane: func(f *fakePlane) {
				f.refusal = wire.Errorf(wire.CodeForbidden, "olga may only read").WithHint("ask an operator")
			},
		},
		{
			name: "the core refuses, as JSON", args: "freeze sector=7 --yes --json", code: 5,
			out: `{"v":1,"action":"freeze","verdict":"nothing_matched","exit":5,"data":{"error":{"code":"nothing_matched","message":"nobody"}}}` + "\n",
			plane: func(f *fakePlane) {
				f.refusal = wire.Errorf(wire.CodeNothingMatched, "nobody")
			},
		},
		{
			name: "some are missing", args: "broadcast hi --yes", code: 3, out: "1 missing\n",
			plane: func(f *fakePlane) {
				f.outcome = wire.Outcome{Verdict: wire.Partial, Data: jsontext.Value(`{}`), Text: "1 missing\n"}
			},
		},
		{
			name: "inject hangs under fleet", args: "fleet inject crash sector=7 --yes --json", code: 0,
			out: `{"v":1,"action":"fleet inject","verdict":"done","exit":0,"data":{"covered":300}}` + "\n",
		},
		{name: "an unknown command", args: "frezee sector=7", code: 2, talk: "did you mean freeze?"},
		{name: "an unknown flag", args: "freeze --resaon x", code: 2, talk: "did you mean --reason?"},
		{
			name: "an unknown flag as JSON", args: "freeze --resaon x --json", code: 2,
			out: `{"v":1,"action":"freeze","verdict":"usage","exit":2,"data":{"error":{"code":"bad_message","message":"mesh30k freeze: unknown flag: --resaon","hint":"did you mean --reason?"}}}` + "\n",
		},
		{name: "a target that is none", args: "freeze sector=x!", code: 2},
		{name: "sector 0", args: "freeze sector=0", code: 2},
		{name: "one argument too many", args: "freeze sector 7", code: 2, talk: "one argument too many"},
		{name: "a flag given twice", args: "list --limit 1 --limit 2", code: 2, talk: "given twice"},
		{name: "a missing argument", args: "broadcast", code: 2, talk: "message is missing"},
		{name: "a later action", args: "cascade sync --window 5s", code: 6, talk: "not in this version"},
		{
			name: "a later action as JSON", args: "cascade sync --json", code: 6,
			out: `{"v":1,"action":"cascade","verdict":"refused","exit":6,"data":{"error":{"code":"not_in_this_version","message":"cascade is not in this version","hint":"help lists what is"}}}` + "\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := twoPlans()
			if test.plane != nil {
				test.plane(f)
			}
			r := cmdline(t, f, test.person, strings.Fields(test.args)...)
			if r.code != test.code {
				t.Errorf("exit %d, want %d", r.code, test.code)
			}
			if r.out != test.out {
				t.Errorf("stdout:\n%s\nwant:\n%s", r.out, test.out)
			}
			if !strings.Contains(r.talk, test.talk) {
				t.Errorf("stderr:\n%s\nwithout: %s", r.talk, test.talk)
			}
			if test.asked != nil && !reflect.DeepEqual(f.asked, test.asked) {
				t.Errorf("asked %q, want %q", f.asked, test.asked)
			}
		})
	}
}

func TestACoreThatIsNotThereIsExit7(t *testing.T) {
	r := cmdline(t, nil, nil, "status")
	if r.code != 7 || r.out != "" || !strings.Contains(r.talk, "no core runs") {
		t.Errorf("exit %d\n%s\n%s", r.code, r.out, r.talk)
	}
	r = cmdline(t, nil, nil, "--mesh", "home", "status", "--json")
	if r.code != 7 || !strings.Contains(r.out, `"verdict":"unreachable"`) || r.connectedTo[0] != "home" {
		t.Errorf("exit %d\n%s\n%v", r.code, r.out, r.connectedTo)
	}
}

// With --json stdout is one line of JSON, whatever happens.
func TestStdoutOfJSONIsOneEnvelope(t *testing.T) {
	for _, args := range []string{
		"status", "list", "freeze", "freeze --yes", "freeze --dry-run", "freeze --yes=zz", "broadcast", "nonsense", "freeze --nonsense",
		"cascade", "help", "help freeze", "help nonsense", "undo --yes", "fleet inject slow class=E",
	} {
		for _, person := range []*sit{nil, {"300\n"}} {
			f := twoPlans()
			f.progress = []wire.Progress{{Done: 1, Total: 2}}
			r := cmdline(t, f, person, append(strings.Fields(args), "--json")...)
			var e wire.Envelope
			if err := json.Unmarshal([]byte(r.out), &e); err != nil || strings.Count(r.out, "\n") != 1 {
				t.Errorf("%s --json: stdout is\n%s", args, r.out)
				continue
			}
			if e.V != 1 || e.Exit != r.code || e.Verdict.Exit() != r.code {
				t.Errorf("%s --json: exit %d and envelope %+v", args, r.code, e)
			}
			if strings.Contains(r.talk, "\x1b") {
				t.Errorf("%s --json draws on stderr: %q", args, r.talk)
			}
		}
	}
}

func TestTheTypedNumberGoesToTheCore(t *testing.T) {
	f := twoPlans()
	cmdline(t, f, &sit{"300\n"}, "freeze")
	if f.typed != 300 {
		t.Errorf("typed %d", f.typed)
	}
}

func TestProgressIsTalk(t *testing.T) {
	f := twoPlans()
	f.progress = []wire.Progress{{Header: wire.Head(wire.TypeProgress)}, {Header: wire.Head(wire.TypeProgress), Done: 7, Total: 300}}
	r := cmdline(t, f, &sit{""}, "freeze", "--yes")
	if r.out != "FROZEN\n" || strings.Count(r.talk, "\r") != 2 || !strings.Contains(r.talk, "7 of 300") {
		t.Errorf("%q\n%q", r.out, r.talk)
	}
	f = twoPlans()
	f.progress = []wire.Progress{{Header: wire.Head(wire.TypeProgress), ID: "x", Done: 7, Total: 300}}
	if r := cmdline(t, f, nil, "freeze", "--yes", "--jsonl"); strings.Count(r.out, "\n") != 2 || !strings.Contains(r.out, `"type":"PROGRESS"`) {
		t.Errorf("%s", r.out)
	}
}

func TestHelpNeedsNoCore(t *testing.T) {
	for args, word := range map[string]string{
		"help": "freeze", "help freeze": "begin nothing more", "help --topic freeze": "begin nothing more", "help fleet": "emulated agents",
		"freeze --help": "--dry-run", "": "Available Commands",
	} {
		r := cmdline(t, nil, nil, strings.Fields(args)...)
		if r.code != 0 || !strings.Contains(r.out, word) {
			t.Errorf("%q: exit %d, stdout without %q:\n%s%s", args, r.code, word, r.out, r.talk)
		}
	}
	if r := cmdline(t, nil, nil, "help", "cascade"); r.code != 6 {
		t.Errorf("help of a later action: exit %d %s", r.code, r.talk)
	}
	if r := cmdline(t, nil, nil, "help", "frezee"); r.code != 2 || !strings.Contains(r.talk, "freeze") {
		t.Errorf("help of nothing: exit %d %s", r.code, r.talk)
	}
}

func TestCompletionKnowsTheCatalogAndTheMesh(t *testing.T) {
	f := twoPlans()
	f.names = console.Names{Hosts: []string{"pi-kitchen", "pi-attic"}}
	for args, want := range map[string][]string{
		"__complete freeze host=pi-k": {"host=pi-kitchen"},
		"__complete freeze class=":    {"class=A", "class=F"},
		"__complete freeze sec":       {"sector="},
		"__complete list --what cl":   {"clusters"},
		"__complete fre":              {"freeze"},
		"__complete help th":          {"thaw"},
	} {
		r := cmdline(t, f, nil, strings.Fields(args)...)
		for _, w := range want {
			if r.code != 0 || !strings.Contains("\n"+r.out, "\n"+w) {
				t.Errorf("%s: no %q in\n%s", args, w, r.out)
			}
		}
	}
	if r := cmdline(t, nil, nil, "__complete", "freeze", "class="); !strings.Contains(r.out, "class=D") {
		t.Errorf("without a core:\n%s", r.out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if r := cmdline(t, nil, nil, "completion", shell); r.code != 0 || !strings.Contains(r.out, "mesh30k") {
			t.Errorf("%s: exit %d", shell, r.code)
		}
	}
}

func TestInfoAndDoctor(t *testing.T) {
	report := func(args ...string) ran {
		var out, talk bytes.Buffer
		d := Deps{Out: &out, Err: &talk}
		root := NewRoot(d)
		root.AddCommand(
			&cobra.Command{Use: "info", RunE: func(cmd *cobra.Command, _ []string) error {
				return Info(cmd, []Setting{{"mesh", "demo", "flag"}, {"data", "/var/lib", "default"}})
			}},
			&cobra.Command{Use: "doctor", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
				return Doctor(cmd, []Check{{"disk", true, "3 GB free", ""}, {"fds", false, "256", "ulimit -n 4096"}})
			}},
			&cobra.Command{Use: "broken", RunE: func(*cobra.Command, []string) error { return fmt.Errorf("the disk is on fire") }},
			&cobra.Command{Use: "orphaned", RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("its core has ended: %w", &exec.ExitError{ProcessState: new(os.ProcessState)})
			}},
		)
		code := Run(t.Context(), root, args, d)
		return ran{code: code, out: out.String(), talk: talk.String()}
	}
	if r := report("info"); r.code != 0 || r.out != "mesh  demo      flag\ndata  /var/lib  default\n" {
		t.Errorf("exit %d\n%s", r.code, r.out)
	}
	if r := report("doctor"); r.code != 3 || !strings.Contains(r.out, "BAD  fds   256\n           → ulimit -n 4096") {
		t.Errorf("exit %d\n%s", r.code, r.out)
	}
	if r := report("doctor", "--json"); !strings.Contains(r.out, `"verdict":"partial"`) || !strings.Contains(r.out, `{"name":"fds","ok":false,"found":"256","do":"ulimit -n 4096"}`) {
		t.Errorf("%s", r.out)
	}
	if r := report("doctor", "now"); r.code != 2 {
		t.Errorf("an argument too many: exit %d %s", r.code, r.talk)
	}
	if r := report("orphaned"); r.code != 1 || !strings.Contains(r.talk, "its core has ended") {
		t.Errorf("a child that failed: exit %d %q", r.code, r.talk)
	}
	if r := report("broken"); r.code != 1 || !strings.Contains(r.talk, "on fire") {
		t.Errorf("exit %d %s", r.code, r.talk)
	}
}
