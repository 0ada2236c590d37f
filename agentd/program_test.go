package agentd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// The test binary itself is the agents' program: it does what the payload says.
const playProgram = "AGENTD_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(playProgram) {
	case "once":
		os.Exit(once())
	case "lines":
		byLines()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type script struct {
	Out  string `json:"out"`
	Err  string `json:"err"`
	Exit int    `json:"exit"`
	Do   string `json:"do"`
}

func readScript(order []byte) (o Order, s script) {
	if err := json.Unmarshal(order, &o); err != nil {
		panic(err)
	}
	if err := json.Unmarshal(o.Payload, &s); err != nil {
		panic(err)
	}
	return o, s
}

func once() int {
	data, err := io.ReadAll(os.Stdin) // must end
	if err != nil {
		return 99
	}
	o, s := readScript(data)
	switch s.Do {
	case "echo":
		fmt.Print(o.MessageID, " ", o.AgentID, " ", o.Verb, " ", o.Again)
	case "flood":
		fmt.Print(strings.Repeat("x", wire.MaxBody+1))
	case "sleep":
		select {}
	}
	fmt.Print(s.Out)
	fmt.Fprint(os.Stderr, s.Err)
	return s.Exit
}

func byLines() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		_, s := readScript(in.Bytes())
		switch s.Do {
		case "die":
			fmt.Fprintln(os.Stderr, "farewell")
			os.Exit(3)
		case "sleep":
			select {}
		case "count":
			fmt.Println(n)
		default:
			fmt.Println(s.Out)
		}
	}
}

func self(t *testing.T, how string) []string {
	t.Helper()
	t.Setenv(playProgram, how)
	return []string{os.Args[0]}
}

func workFor(s script) Work {
	payload, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return Work{
		AgentID: "a-01", Weight: 1, Deadline: time.Now().Add(time.Minute),
		Message: &wire.MeshMessage{MessageID: "m1", Verb: wire.Act, Payload: payload},
	}
}

// workBy lets a handler do one piece of work.
func workBy(t *testing.T, h Handler, ctx context.Context, s script) Result {
	t.Helper()
	ended := make(chan Result, 1)
	h.Begin(ctx, workFor(s), func(r Result) { ended <- r })
	select {
	case r := <-ended:
		return r.tidy()
	case <-time.After(30 * time.Second):
		t.Fatal("the work never ended")
		return Result{}
	}
}

var noLog = slog.New(slog.DiscardHandler)

func TestAProgramIsJudgedByItsExitCode(t *testing.T) {
	p := &Program{Command: self(t, "once"), Log: noLog}
	for name, c := range map[string]struct {
		script
		state  wire.DeliveryState
		code   wire.Code
		answer string
	}{
		"worked, JSON":      {script{Out: "{\"n\": 1}\n"}, wire.Worked, "", `{"n": 1}`},
		"worked, text":      {script{Out: "fine\n"}, wire.Worked, "", `"fine"`},
		"worked, silent":    {script{}, wire.Worked, "", ""},
		"sees the message":  {script{Do: "echo"}, wire.Worked, "", `"m1 a-01 act false"`},
		"refused":           {script{Exit: 69, Out: "not today"}, wire.Refused, wire.CodeHandler, `"not today"`},
		"task error":        {script{Exit: 1, Out: "half"}, wire.Worked, wire.CodeTaskError, `"half"`},
		"task error, words": {script{Exit: 2, Err: "no\x1b[31m disk"}, wire.Worked, wire.CodeTaskError, "\"no\uFFFD[31m disk\""},
		"too much":          {script{Do: "flood"}, wire.Refused, wire.CodeTooLarge, `"the answer has more than 65536 bytes"`},
	} {
		r := workBy(t, p, t.Context(), c.script)
		if r.State != c.state || r.Code != c.code || string(r.Answer) != c.answer {
			t.Errorf("%s: %s %s %s", name, r.State, r.Code, r.Answer)
		}
		if r.Took <= 0 {
			t.Errorf("%s: took no time", name)
		}
	}
}

func TestAProgramTellsAConflict(t *testing.T) {
	p := &Program{Command: self(t, "once"), Log: noLog}
	r := workBy(t, p, t.Context(), script{Exit: 65, Out: `{"type":"STATE_DIVERGENCE","divergence_depth":3}`})
	if r.State != wire.InConflict || r.Detail.Type != "STATE_DIVERGENCE" || r.Detail.Depth != 3 {
		t.Errorf("%s %+v", r.State, r.Detail)
	}
	r = workBy(t, p, t.Context(), script{Exit: 65, Out: "just words"})
	if r.State != wire.InConflict || r.Detail.Type != "unspecified" || string(r.Detail.Data) != `"just words"` {
		t.Errorf("%s %+v", r.State, r.Detail)
	}
}

func TestAProgramIsKilledWhenItsTimeIsOver(t *testing.T) {
	p := &Program{Command: self(t, "once"), Log: noLog}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if r := workBy(t, p, ctx, script{Do: "sleep"}); r.State != wire.Expired || r.Code != wire.CodeExpired {
		t.Errorf("%s %s", r.State, r.Code)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMissingProgramIsRefusedNotWorked(t *testing.T) {
	p := &Program{Command: []string{"./there-is-no-such-program"}, Log: noLog}
	if r := workBy(t, p, t.Context(), script{}); r.State != wire.Refused || r.Code != wire.CodeInternal {
		t.Errorf("%s %s", r.State, r.Code)
	}
}

func TestOneProcessAnswersLineByLine(t *testing.T) {
	p := NewLines(self(t, "lines"), "a-01", noLog)
	defer p.Close()
	for n := 1; n <= 3; n++ {
		if r := workBy(t, p, t.Context(), script{Do: "count"}); string(r.Answer) != strconv.Itoa(n) {
			t.Errorf("message %d was answered %s: another process?", n, r.Answer)
		}
	}
	for line, want := range map[string]Result{
		`{"answer":{"x":1}}`:                  {State: wire.Worked, Answer: jsontext.Value(`{"x":1}`)},
		`{"exit":69,"answer":"no"}`:           {State: wire.Refused, Code: wire.CodeHandler, Answer: jsontext.Value(`"no"`)},
		`{"exit":7}`:                          {State: wire.Worked, Code: wire.CodeTaskError},
		`{"exit":65,"answer":{"type":"DUP"}}`: {State: wire.InConflict},
		`{"exit":"seven"}`:                    {State: wire.Refused, Code: wire.CodeInternal},
		`[1,2]`:                               {State: wire.Worked, Answer: jsontext.Value(`[1,2]`)},
		`{"other":true}`:                      {State: wire.Worked, Answer: jsontext.Value(`{"other":true}`)},
		`words`:                               {State: wire.Worked, Answer: jsontext.Value(`"words"`)},
	} {
		r := workBy(t, p, t.Context(), script{Out: line})
		if r.State != want.State || r.Code != want.Code || want.Answer != nil && string(r.Answer) != string(want.Answer) {
			t.Errorf("%s: %s %s %s", line, r.State, r.Code, r.Answer)
		}
	}
}

func TestAProcessThatDiesIsStartedAgain(t *testing.T) {
	p := NewLines(self(t, "lines"), "a-01", noLog)
	defer p.Close()
	if r := workBy(t, p, t.Context(), script{Do: "die"}); r.State != wire.Worked || r.Code != wire.CodeTaskError || string(r.Answer) != `"farewell\n"` && string(r.Answer) != `"farewell"` {
		t.Errorf("the message that killed it: %s %s %s", r.State, r.Code, r.Answer)
	}
	if r := workBy(t, p, t.Context(), script{Do: "count"}); string(r.Answer) != "1" {
		t.Errorf("the next one: %s %s", r.State, r.Answer)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r := workBy(t, p, ctx, script{Do: "sleep"}); r.State != wire.Expired {
		t.Errorf("the one that never ends: %s", r.State)
	}
	if r := workBy(t, p, t.Context(), script{Do: "count"}); string(r.Answer) != "1" {
		t.Errorf("after that: %s %s", r.State, r.Answer)
	}
}
