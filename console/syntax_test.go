package console

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

func TestWhatCannotBeSaidIsExplained(t *testing.T) {
	for _, test := range []struct {
		line, json string
		code       wire.Code
		says       string
	}{
		{line: "", says: "nothing was asked"},
		{line: "frezee", says: "did you mean freeze?"},
		{line: "stat", says: "did you mean status?"},
		{line: "zzzzzz", says: "help lists"},
		{line: "cascade x", code: wire.CodeNotYet, says: "not in this version"},
		{line: "route-around 7", code: wire.CodeNotYet, says: "not in this version"},
		{line: "broadcast", says: "message is missing"},
		{line: "broadcast ''", says: "empty"},
		{line: `broadcast "it is`, says: "not closed"},
		{line: "freeze sector 7", says: "one argument too many"},
		{line: "freeze --resaon x", says: "it takes target, reason"},
		{line: "freeze -r x", says: "it takes target, reason"},
		{line: "undo 3", says: "too many"},
		{line: "undo --all", says: "it takes none"},
		{line: "list --limit", says: "has no value"},
		{line: "list --limit x", says: "want a whole number, 1 to 1000000"},
		{line: "list --limit 0", says: "1 to 1000000"},
		{line: "list --limit 99999999999999999999", says: "whole number"},
		{line: "list --sort size", says: "impedance, state, address, queue, latency"},
		{line: "list --what tasks", says: "agents, clusters, sectors, hosts, operations"},
		{line: "list --limit 1 --limit 2", says: "given twice"},
		{line: "freeze sector=1 --target sector=2", says: "too many"},
		{line: "broadcast hi --ttl 5", says: "a duration such as 30s"},
		{line: "broadcast hi --ttl 1ns", says: "100ms to 168h"},
		{line: "broadcast hi --priority 4", says: "0 to 3"},
		{line: "broadcast hi --require-ack=perhaps", says: "true or false"},
		{line: "status --at yesterday", says: "a time of day (14:03)"},
		{line: "status --at -5m", says: "between 0s and ten years"},
		{line: "history --kind gossip", says: "agent.crash"},
		{line: "invite --class G", says: "A to F"},
		{line: "inject slow", says: "target is missing"},
		{line: "inject slow 7 --factor NaN", says: "a number"},
		{json: `null`, says: "null"},
		{json: `[]`, says: "not a JSON object"},
		{json: `{}`, says: "no name"},
		{json: `{"action":7}`, says: "no name"},
		{json: `{"action":"freeze","action":"thaw"}`, says: "not a JSON object"},
		{json: `{"action":"freeze","targt":"mesh"}`, says: "it takes target, reason"},
		{json: `{"action":"list","limit":"20"}`, says: "want a whole number, 1 to 1000000, without quotes"},
		{json: `{"action":"list","limit":1.5}`, says: "whole number"},
		{json: `{"action":"freeze","target":7}`, says: "as a JSON string"},
		{json: `{"action":"freeze","target":null}`, says: "as a JSON string"},
		{json: `{"action":"broadcast","message":["x"]}`, says: "as a JSON string"},
		{json: `{"action":"broadcast","message":"x","require_ack":"true"}`, says: "without quotes"},
		{json: `{"action":"cascade"}`, code: wire.CodeNotYet, says: "not in this version"},
		{json: `{"action":"broadcast","message":"` + strings.Repeat("x", 5000) + `"}`, says: "over the limit"},
		{json: `{"action":"broadcast","message":"` + strings.Repeat("x", 70_000) + `"}`, code: wire.CodeTooLarge, says: "limit"},
	} {
		var err error
		if test.json != "" {
			_, err = Decode([]byte(test.json))
		} else {
			_, err = ParseLine(test.line)
		}
		var e *wire.Error
		if !errors.As(err, &e) {
			t.Errorf("%s%.80s: %v is no *wire.Error", test.line, test.json, err)
			continue
		}
		want := test.code
		if want == "" {
			want = wire.CodeBadMessage
		}
		if e.Code != want || !strings.Contains(e.Error(), test.says) {
			t.Errorf("%s%.80s: %s (%s), want %q (%s)", test.line, test.json, e, e.Code, test.says, want)
		}
	}
}

func TestTimesArePointsInTime(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("CEST", 7200))
	for text, want := range map[string]string{
		"now":                       "2026-05-01T12:00:00+02:00",
		"90m":                       "2026-05-01T10:30:00+02:00",
		"11:30":                     "2026-05-01T11:30:00+02:00",
		"14:03":                     "2026-04-30T14:03:00+02:00", // the last one
		"2026-05-01T08:00:00Z":      "2026-05-01T10:00:00+02:00",
		"2026-05-01T10:00:00+02:00": "2026-05-01T10:00:00+02:00",
	} {
		a, err := ParseAt(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := a.Time(now).In(now.Location()).Format(time.RFC3339); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		again, err := ParseAt(a.String())
		if err != nil || again != a {
			t.Errorf("%s is spelled %s and read back as %v, %v", text, a, again, err)
		}
	}
}

func TestThePositionsOfTheContract(t *testing.T) {
	for name, want := range map[string]string{
		"status": "status [TARGET]", "broadcast": "broadcast MESSAGE [TARGET]", "inspect": "inspect TARGET",
		"inject": "inject FAULT TARGET", "invite": "invite [WHAT]", "undo": "undo",
	} {
		e, err := Lookup(name)
		if err != nil || e.Usage() != want {
			t.Errorf("%s: %s, %v", name, e.Usage(), err)
		}
	}
}

// The tags are read when they are used; this reads them all.
func TestEveryEntryIsWhole(t *testing.T) {
	for _, e := range Catalog() {
		if e.Summary == "" || e.Help == "" || len(e.Examples) == 0 || (e.Risk == Read) != (e.Reversible == "") {
			t.Errorf("%s lacks something: %+v", e.Name, e)
		}
		for _, x := range e.Examples {
			a, err := ParseLine(x)
			if err != nil || EntryOf(a).Name != e.Name {
				t.Errorf("%s: the example %q: %v", e.Name, x, err)
			}
		}
		b := e.builder() // parses every default
		for i := range e.Args {
			a := &e.Args[i]
			if a.Name == "" || a.Help == "" {
				t.Errorf("%s.%s is not described", e.Name, a.Name)
			}
			if !a.Required && spell(b.value.Field(a.field).Interface()) != a.Default {
				t.Errorf("%s.%s: the default %q is not canonical", e.Name, a.Name, a.Default)
			}
			for _, bound := range []string{a.Min, a.Max} {
				switch {
				case bound == "":
				case a.Kind == KindDuration:
					nanoseconds(bound)
				default:
					number(bound)
				}
			}
		}
	}
	for _, name := range Later() {
		if slices.Contains(names(), name) {
			t.Errorf("%s is in the catalog and refused as later", name)
		}
	}
}

func TestCompletion(t *testing.T) {
	n := NamesIn(twoSectors().picture)
	for line, want := range map[string]string{
		":fre":                           "freeze",
		"in":                             "inspect invite inject",
		"list --w":                       "--what",
		"list --what ":                   "agents clusters sectors hosts operations",
		"list --what=c":                  "--what=clusters",
		"freeze sector=":                 "sector=1 sector=2 sector=kitchen",
		"freeze sector=1|":               "sector=1|1 sector=1|2 sector=1|kitchen",
		"freeze sector=1,cl":             "sector=1,cluster= sector=1,class=",
		"freeze cluster=2":               "cluster=2.1 cluster=2.2",
		"freeze host=":                   "host=h1 host=h2",
		"freeze class!=":                 "class!=A class!=B class!=C class!=D class!=E class!=F",
		"freeze state=fr":                "state=frozen",
		"broadcast 'two words' host=":    "host=h1 host=h2",
		"broadcast 'two wor":             "",
		"freeze sector=1 ":               "",
		"help th":                        "thaw",
		"history --kind agent":           "agent.crash agent.return agents.silent agents.heard",
		"inject s":                       "slow stall skew",
		"nonsense ":                      "",
		"broadcast hi --require-ack cla": "class=",
	} {
		if got := strings.Join(Complete(line, n), " "); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// accepts is as much of JSON Schema as this package writes.
func accepts(s *schema, v jsontext.Value) bool {
	var x any
	if err := json.Unmarshal(v, &x); err != nil {
		return false
	}
	switch s.Type {
	case "object":
		var members map[string]jsontext.Value
		if json.Unmarshal(v, &members) != nil {
			return false
		}
		for _, r := range s.Required {
			if _, ok := members[r]; !ok {
				return false
			}
		}
		for name, m := range members {
			p := s.Properties[name]
			if p == nil && s.Additional != nil && !*s.Additional || p != nil && !accepts(p, m) {
				return false
			}
		}
		return true
	case "string":
		text, ok := x.(string)
		return ok && len(text) >= s.MinLength && (s.Enum == nil || slices.Contains(s.Enum, text)) &&
			(s.Pattern == "" || regexp.MustCompile(s.Pattern).MatchString(text))
	case "boolean":
		_, ok := x.(bool)
		return ok
	case "integer", "number":
		n, ok := x.(float64)
		return ok && (s.Type == "number" || n == math.Trunc(n)) && (s.Minimum == nil || n >= *s.Minimum) && (s.Maximum == nil || n <= *s.Maximum)
	}
	return false
}

// arguments takes the name out of a JSON form.
func arguments(t testing.TB, form []byte) jsontext.Value {
	t.Helper()
	var members map[string]jsontext.Value
	if err := json.Unmarshal(form, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "action")
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func schemaOf(t testing.TB, e *Entry) *schema {
	t.Helper()
	s := new(schema)
	if err := json.Unmarshal(e.Schema(), s, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSchemaAcceptsWhatDecodeAccepts(t *testing.T) {
	for _, s := range sayings(t) {
		if args := arguments(t, []byte(s.json)); !accepts(schemaOf(t, EntryOf(s.action)), args) {
			t.Errorf("the schema refuses %s", args)
		}
	}
	for name, args := range map[string]string{
		"list": `{"limit":0}`, "freeze": `{"targt":"mesh"}`, "broadcast": `{}`, "inject": `{"fault":"melt","target":"mesh"}`,
		"invite": `{"class":"G"}`, "history": `{"kind":"gossip"}`, "status": `{"target":7}`,
	} {
		e, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if accepts(schemaOf(t, e), []byte(args)) {
			t.Errorf("the schema of %s accepts %s", name, args)
		}
		if _, err := Decode(member(args, name)); err == nil {
			t.Errorf("Decode accepts %s %s", name, args)
		}
	}
}

// member puts the name into arguments.
func member(args, name string) []byte {
	if args == "{}" {
		return []byte(`{"action":"` + name + `"}`)
	}
	return []byte(`{"action":"` + name + `",` + args[1:])
}

func TestDefaultsOfTheSchemaAreTheDefaults(t *testing.T) {
	for _, e := range Catalog() {
		for name, p := range schemaOf(t, &e).Properties {
			if p.Default == nil {
				continue
			}
			if !accepts(p, p.Default) {
				t.Errorf("%s.%s: the schema refuses its own default %s", e.Name, name, p.Default)
			}
		}
	}
}

// What is accepted has one canonical form, which is accepted by every reader
// and means the same.
func canonical(t *testing.T, a Action) {
	t.Helper()
	form := Encode(a)
	b, err := Decode(form)
	if err != nil {
		t.Fatalf("%s is not read back: %v", form, err)
	}
	if again := Encode(b); string(again) != string(form) || reflect.TypeOf(a) != reflect.TypeOf(b) {
		t.Fatalf("%s becomes %s", form, again)
	}
	c, err := ParseLine(Line(a))
	if err != nil {
		t.Fatalf("the line %s of %s: %v", Line(a), form, err)
	}
	if got := Encode(c); string(got) != string(form) {
		t.Fatalf("the line %s of %s means %s", Line(a), form, got)
	}
	if args := arguments(t, form); !accepts(schemaOf(t, EntryOf(a)), args) {
		t.Fatalf("the schema refuses %s", args)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, s := range sayings(f) {
		f.Add(s.line)
	}
	f.Add(`broadcast "a\"b" 'c' \`)
	f.Fuzz(func(t *testing.T, line string) {
		a, err := ParseLine(line)
		if err != nil {
			var e *wire.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %v is no *wire.Error", line, err)
			}
			if e.Message != wire.Clean(e.Message) {
				t.Fatalf("%q: the error is not clean: %q", line, e.Message)
			}
			return
		}
		canonical(t, a)
		Complete(line, Names{Sectors: []string{"1"}})
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range sayings(f) {
		f.Add([]byte(s.json))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := Decode(data); err == nil {
			canonical(t, a)
		}
	})
}
