package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/testscript"

	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// TestMain makes the program a command of the scripts, and of every test here
// that looks for mesh30k in the PATH: its processes are those that a person
// would start.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mesh30k": main})
}

// patience is how long a story waits for what must come.
const patience = 30 * time.Second

// TestStories runs testdata/script: the program as a person meets it, each
// story in folders of its own. Beside testscript's own commands they have those
// of [storyCommands].
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Cmds:                storyCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"DATA", "STATE", "CONFIG"} {
				env.Setenv("XDG_"+name+"_HOME", filepath.Join(env.WorkDir, strings.ToLower(name)))
			}
			env.Setenv("MESH", filepath.Join(env.WorkDir, "data", "mesh30k", "t"))
			return nil
		},
	})
}

var storyCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":      exits,
	"eventually": eventually,
	"invite":     invite,
	"envelope":   envelope,
	"find":       find,
	"damage":     damage,
	"edit":       edit,
	"observer":   observer,
	"sqlite":     sqlite,
}

// exits CODE PROGRAM… runs a program, which must end with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitOf(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// eventually PATTERN PROGRAM… repeats a program until it succeeds and its stdout
// has the pattern.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN PROGRAM ARGUMENT…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var found []byte
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		if found, err = quietly(ts, args[1], args[2:]...); err != nil || !pattern.Match(found) {
			continue
		}
		// Once more, for the lines that follow.
		if err = ts.Exec(args[1], args[2:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("after %v still not %s: %v\n%s", patience, args[0], err, found)
}

// quietly runs a program as ts.Exec does, but leaves no trace in the script's
// log.
func quietly(ts *testscript.TestScript, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd.Output()
}

// invite VARIABLE WHAT… sets a variable to a join token.
func invite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: invite VARIABLE ARGUMENT…")
	}
	ts.Check(ts.Exec("mesh30k", append([]string{"invite", "--yes", "--json"}, args[1:]...)...))
	var answer struct {
		Data struct {
			Join string `json:"join"`
		} `json:"data"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &answer))
	ts.Setenv(args[0], answer.Data.Join)
}

// envelope ACTION VERDICT EXIT: the last program printed on stdout one line and
// nothing else, this envelope.
func envelope(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: envelope ACTION VERDICT EXIT")
	}
	line, rest, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	if rest != "" {
		ts.Fatalf("more than one line on stdout: %q", rest)
	}
	var e struct {
		V       int            `json:"v"`
		Action  string         `json:"action"`
		Verdict string         `json:"verdict"`
		Exit    int            `json:"exit"`
		Data    jsontext.Value `json:"data"`
	}
	ts.Check(json.Unmarshal([]byte(line), &e, json.RejectUnknownMembers(true)))
	if got := fmt.Sprint(e.V, " ", e.Action, " ", e.Verdict, " ", e.Exit); got != "1 "+strings.Join(args, " ") {
		ts.Fatalf("the envelope says %s, want 1 %s", got, strings.Join(args, " "))
	}
	if e.Data.Kind() != '{' {
		ts.Fatalf("data is no object: %s", e.Data)
	}
}

// find VARIABLE PATTERN sets a variable to the pattern's first group in the last
// program's stdout.
func find(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: find VARIABLE PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("there is no %s on stdout", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// hostile are characters that must never reach a terminal from an agent's text:
// C0 but tab and line feed, DEL, C1, bidirectional controls, invisible ones.
var hostile = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

// damage PATTERN… turns the bits of a few bytes in each KiB of files.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: damage PATTERN…")
	}
	for _, pattern := range args {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		if len(files) == 0 {
			ts.Fatalf("there is no %s", pattern)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			ts.Check(err)
			for i := 512; i < len(data); i++ {
				if i%1024 >= 1008 {
					data[i] ^= 0xff
				}
			}
			ts.Check(os.WriteFile(file, data, 0o600))
		}
	}
}

// observer NAME gives a person who may only look credentials in mesh t; the core
// learns of her at its next start.
func observer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: observer NAME")
	}
	home, err := meshcore.OpenHome(filepath.Dir(ts.Getenv("MESH")), "t")
	ts.Check(err)
	keys, err := home.Keyring()
	ts.Check(err)
	_, err = home.AddPerson(keys, args[0], wire.Observer, 0)
	ts.Check(err)
}

// sqlite FILE STATEMENT changes a database.
func sqlite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE STATEMENT")
	}
	db, err := sql.Open("sqlite3", "file:"+args[0]+"?mode=rw")
	ts.Check(err)
	_, err = db.Exec(args[1])
	ts.Check(errors.Join(err, db.Close()))
}

// edit FILE OLD NEW replaces text in a file.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}
