package wire

import (
	"bytes"
	"encoding"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// types are all types of messages, in order.
func types() []Type { return slices.Sorted(maps.Keys(kinds)) }

func golden(name Type) string {
	return filepath.Join("testdata", "golden", strings.ToLower(string(name))+".json")
}

// Every constant of type Type is a message with a sample, and so with a golden
// file, a line in PROTOCOL.md and a place in the fuzzed decoders.
func TestEveryMessageHasASample(t *testing.T) {
	set := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Type") {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Type" {
				return true
			}
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if _, ok := kinds[Type(name)]; !ok {
				t.Errorf("%s has no sample", name)
			}
			return true
		})
	}
	if found != len(kinds) {
		t.Errorf("%d types of messages, %d samples", found, len(kinds))
	}
}

// A sample sets every member, so that the golden files show all of the protocol
// and a new member cannot be forgotten.
func TestSamplesSetEveryMember(t *testing.T) {
	for _, name := range types() {
		t.Run(string(name), func(t *testing.T) {
			k := kinds[name]
			eachMember(reflect.ValueOf(k.sample), "", func(path string, v reflect.Value) {
				if v.IsZero() {
					t.Errorf("%s is not set", path)
				}
			})
		})
	}
}

// eachMember calls do for every member of a message, at any depth.
func eachMember(v reflect.Value, path string, do func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		eachMember(v.Elem(), path, do)
	case reflect.Slice:
		if v.Len() > 0 && v.Type() != reflect.TypeFor[jsontext.Value]() && v.Type() != reflect.TypeFor[Bits]() {
			eachMember(v.Index(0), path, do)
		}
	case reflect.Struct:
		if _, isText := reflect.TypeAssert[encoding.TextMarshaler](v); isText {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				eachMember(v.Field(i), path, do)
			case name != "":
				do(path+"."+name, v.Field(i))
				eachMember(v.Field(i), path+"."+name, do)
			}
		}
	default:
	}
}

func TestGolden(t *testing.T) {
	for _, name := range types() {
		t.Run(string(name), func(t *testing.T) {
			k := kinds[name]
			encoded := append(Encode(k.sample), '\n')
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden(name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden(name), encoded, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden(name))
			if err != nil {
				t.Fatalf("%v; go test ./meshcore/wire -update writes it", err)
			}
			if !bytes.Equal(encoded, want) {
				t.Errorf("spelled\n%swant\n%s", encoded, want)
			}
			m := k.empty()
			if err := Decode(want, name, m); err != nil {
				t.Fatal(err)
			}
			if again := append(Encode(m), '\n'); !bytes.Equal(again, want) {
				t.Errorf("decoded and encoded again\n%swant\n%s", again, want)
			}
			if !reflect.DeepEqual(m, k.sample) {
				t.Errorf("decoded\n%+v\nwant\n%+v", m, k.sample)
			}
		})
	}
}

// altered spells a sample with one member replaced, added, or ("") left out.
func altered(t *testing.T, name Type, member, value string) []byte {
	t.Helper()
	var m map[string]jsontext.Value
	if err := json.Unmarshal(Encode(kinds[name].sample), &m); err != nil {
		t.Fatal(err)
	}
	if m[member] = jsontext.Value(value); value == "" {
		delete(m, member)
	}
	data, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestNeighbouringVersionsAreUnderstood(t *testing.T) {
	for _, name := range types() {
		t.Run(string(name), func(t *testing.T) {
			k := kinds[name]
			for _, v := range []string{`"1.0"`, `"1.1"`, `"1.7"`, `"1.65535"`} {
				data := altered(t, name, "v", v)
				m := k.empty()
				if err := Decode(data, name, m); err != nil {
					t.Errorf("version %s: %v", v, err)
					continue
				}
				if !bytes.Contains(Encode(m), []byte(`"v":`+v)) || !bytes.Contains(Encode(m), []byte(`"later_minor":{"of":[1,2,3]}`)) {
					t.Errorf("version %s: encoded again as %s", v, Encode(m))
				}
			}
			for _, v := range []string{`"2.0"`, `"0.9"`, ""} {
				err := Decode(altered(t, name, "v", v), name, k.empty())
				if !errors.Is(err, ErrVersion) {
					t.Errorf("version %s: %v, want ErrVersion", v, err)
				}
			}
			for _, v := range []string{`"1"`, `"one"`, `"1.x"`, `"-1.0"`, `1.0`, `"1.0.0"`, `"1.70000"`} {
				if err := Decode(altered(t, name, "v", v), name, k.empty()); err == nil || errors.Is(err, ErrVersion) {
					t.Errorf("version %s: %v", v, err)
				}
			}
		})
	}
}

// A later major version may give a member another type: what is wrong is the
// version all the same.
func TestAnotherMajorVersionIsSaidBeforeItsMembers(t *testing.T) {
	err := Decode([]byte(`{"type":"REPORTED","v":"2.0","seq":"a7"}`), TypeReported, new(Reported))
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "it speaks 2.0, this program 1.0") {
		t.Error(err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	big := `"` + strings.Repeat("x", MaxPayload) + `"`
	for _, c := range []struct {
		name         Type
		member       string
		value        string // "": the member is missing
		says, reason string
	}{
		{TypeHello, "host", `"Pi Kitchen"`, "host name", "a name that is no token of a subject"},
		{TypeHello, "host", `"*"`, "host name", "a wildcard"},
		{TypeHello, "host", "", "host name", "a missing name"},
		{TypeHello, "cluster", `"7"`, "not the address of a cluster", "a sector for a cluster"},
		{TypeHello, "cluster", `"0.4"`, "counted from 1", "sector 0"},
		{TypeHello, "incarnation", `-1`, "incarnation", "a negative count"},
		{TypeHello, "incarnation", `1e308`, "incarnation", "a count beyond all bounds"},
		{TypeHello, "incarnation", `"3"`, "incarnation", "a number as text"},
		{TypeHello, "sent_at", `"yesterday"`, "sent_at", "a time that is none"},
		{TypeHello, "program", big, "over the limit", "a payload that is too large"},
		{TypeHeartbeat, "host_rtt_ms", `-1`, "host_rtt_ms", "a negative duration"},
		{TypeHeartbeat, "host_rtt_ms", `1e308`, "host_rtt_ms", "an absurd duration"},
		{TypeHeartbeat, "host_rtt_ms", `"NaN"`, "host_rtt_ms", "NaN"},
		{TypeHeartbeat, "clock_offset_ms", `1e13`, "clock_offset_ms", "an absurd offset"},
		{TypeHeartbeat, "agents", `[{"agent_id":"a","reliability_score":1.5}]`, "reliability_score", "a share above 1"},
		{TypeHeartbeat, "agents", `[{"agent_id":"a","current_queue_depth":-1}]`, "current_queue_depth", "a negative depth"},
		{TypeHeartbeat, "agents", `[` + strings.Repeat(`{"agent_id":"a"},`, 100) + `{"agent_id":"a"}]`, "more than a cluster has", "101 agents"},
		{TypeHeartbeat, "agents", `{}`, "agents", "an object for a list"},
		{TypeAck, "items", `[{"message_id":"m","state":"DONE","agents":["a"]}]`, "delivery state", "an unknown state"},
		{TypeAck, "items", `[{"message_id":"m","state":"FROZEN","agents":["a"]}]`, "cannot say FROZEN", "a state that only the core may say"},
		{TypeAck, "items", `[{"message_id":"m","state":"WORKED","agents":[]}]`, "at least one", "nobody's state"},
		{TypeAck, "items", `[{"message_id":"m","state":"WORKED","agents":["a"],"trinary_state":2}]`, "trinary_state", "a fourth trinary state"},
		{TypeAck, "items", `[{"message_id":"m","state":"WORKED","agents":["a"],"answer":"` + strings.Repeat("x", MaxBody) + `"}]`, "items: answer", "an answer that is too large"},
		{TypeCoordinate, "payload", `{"text":"tampered with"}`, "does not fit the payload", "a payload that was changed"},
		{TypeCoordinate, "payload", "", "payload: missing", "no payload"},
		{TypeCoordinate, "priority", `4`, "priority", "a fifth priority"},
		{TypeCoordinate, "ttl_ms", `-1`, "ttl_ms", "a negative time to live"},
		{TypeCoordinate, "message_id", `"a\u001b[2J"`, "not printable", "an escape sequence in an id"},
		{TypeJoin, "key", `"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"`, "key", "a seed for a public key"},
		{TypeJoin, "host", `"core"`, "the core itself", "the core's name"},
		{TypeJoin, "agents", `[]`, "at least one", "no agents"},
		{TypeJoin, "agents", `[{"agent_class":"G"}]`, "class", "a class that does not exist"},
		{TypeJoin, "agents", `[{"agent_class":"E","count":100001}]`, "count", "more agents than a host may bring"},
		{TypeJoin, "agents", `[{"agent_class":"E","count":60000},{"agent_class":"E","count":60000}]`, "more than one host", "more agents in sum"},
		{TypeJoin, "agents", `[{"agent_class":"E","agent_id":"a"},{"agent_class":"E","agent_id":"a"}]`, "twice", "an agent named twice"},
		{TypeJoin, "agents", `[{"agent_class":"E","capabilities":["Rm -rf"]}]`, "capability", "a capability that is no name"},
		{TypeJoin, "labels", `{"region":"\u202eeu"}`, "not printable", "a label that reorders text"},
		{TypeJoin, "sector", `-1`, "sector", "a negative sector"},
		{TypePersonJoin, "person", `"core"`, "the core itself", "a person named as the core"},
		{TypePersonJoin, "person", `"*"`, "person", "a person who is everybody"},
		{TypePersonJoin, "key", `"U"`, "key", "no public key"},
		{TypePersonJoined, "role", `"queen"`, "want operator or observer", "a role that there is not"},
		{TypePersonJoined, "jwt", `""`, "jwt", "a person without a JWT"},
		{TypeReport, "items", `[` + strings.Repeat(`{"kind":"crash","at":"2026-03-21T12:00:00Z"},`, 10_000) + `{"kind":"crash","at":"2026-03-21T12:00:00Z"}]`, "too many", "too many items"},
		{TypeDo, "step", `"sudo"`, "step", "a step that does not exist"},
		{TypeDo, "id", `""`, "id", "no id"},
		{TypeInject, "fault", `"meteor"`, "fault", "an unknown fault"},
		{TypeInject, "factor", `1e9`, "factor", "an absurd factor"},
		{TypeWelcome, "heartbeat_ms", `0`, "heartbeat_ms", "heartbeats without pause"},
		{TypeBlock, "rows", `[{"agent_id":"a","agent_class":"E","address":"8.1.1"}]`, "not in cluster", "a row of another cluster"},
		{TypeFacts, "facts", `[]`, "facts", "a batch of nothing"},
		{TypeReported, "seq", `18446744073709551616`, "seq", "a number over 64 bits"},
	} {
		err := Decode(altered(t, c.name, c.member, c.value), c.name, kinds[c.name].empty())
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), string(c.name)+":") {
			t.Errorf("%s with %s: %v; want it to say %q", c.name, c.reason, err, c.says)
		}
	}
}

func TestDecodeRefusesWhatIsNoMessage(t *testing.T) {
	for _, c := range []struct{ data, says string }{
		{``, "EOF"},
		{`null`, "want a message of type"},
		{`[]`, "unmarshal JSON array"},
		{`{"type":"REPORTED","v":"1.0","seq":1`, "EOF"},
		{`{"type":"REPORTED","v":"1.0","seq":1} {}`, "after"},
		{`{"type":"REPORTED","v":"1.0","seq":1,"seq":2}`, "duplicate"},
		{`{"type":"REPORTED","v":"1.0","seq":1,"x":2,"x":3}`, "duplicate"},
		{`{"type":"REPORTED","v":"1.0","seq":1,"x":{"y":2,"y":3}}`, "duplicate"},
		{"{\"type\":\"REPORTED\",\"v\":\"1.0\",\"seq\":1,\"x\":\"\xff\"}", "UTF-8"},
		{`{"type":"REPORTED","v":"1.0","seq":1,"x":"\ud800"}`, "surrogate"},
		{`{"type":"HELLO","v":"1.0","seq":1}`, "want a message of type REPORTED"},
		{`{"type":"\u001b]52;c;eA==\u0007","v":"1.0"}`, "want a message of type REPORTED"},
		{`{"type":"REPORTED","v":"1.0","seq":1,"x":` + strings.Repeat("[", 1<<19), "depth"},
		{strings.Repeat(" ", MaxPayload+1), "over the limit"},
	} {
		err := Decode([]byte(c.data), TypeReported, new(Reported))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60q: %v; want it to say %q", c.data, err, c.says)
		}
		if err != nil && err.Error() != Clean(err.Error()) {
			t.Errorf("%.60q: the error is not fit for a terminal: %q", c.data, err)
		}
	}
	if _, err := PeekType([]byte(strings.Repeat(" ", MaxPayload+1))); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("PeekType: %v", err)
	}
	if name, err := PeekType(Encode(kinds[TypeHello].sample)); err != nil || name != TypeHello {
		t.Errorf("PeekType: %q, %v", name, err)
	}
}

// An answer that is empty is an answer, and one that is missing is none.
func TestEmptyIsNotMissing(t *testing.T) {
	for _, answer := range []string{`{}`, `[]`, `""`, `null`, `0`} {
		a := Ack{Header: Head(TypeAck), Host: "h", Cluster: cluster74, Items: []AckItem{
			{MessageID: "m", State: Worked, Agents: []string{"a"}, Answer: jsontext.Value(answer)},
		}}
		var b Ack
		if err := Decode(Encode(&a), TypeAck, &b); err != nil || string(b.Items[0].Answer) != answer {
			t.Errorf("answer %s came as %s, %v", answer, b.Items[0].Answer, err)
		}
	}
	order := ShardOrder{Header: Head(TypeShardOrder), ID: "o", Freeze: &FreezeOrder{Resolved: Targets{}}}
	var got ShardOrder
	if err := Decode(Encode(&order), TypeShardOrder, &got); err != nil || got.Freeze.Resolved == nil || got.Enrol != nil {
		t.Errorf("an order resolved to nobody came as %+v, %v", got.Freeze, err)
	}
}

// However a payload was written, its hash fits the bytes that are sent.
func TestSetPayloadHashesWhatIsSent(t *testing.T) {
	for _, text := range []string{"{ \"b\": 1.0,\n\t\"a\": \"\\u00e9<>\\u2028\" }", `1e2`, ` null `, `"x"`} {
		var m Coordinate
		m.Header, m.MessageID = Head(TypeCoordinate), "m"
		if err := m.SetPayload([]byte(text)); err != nil {
			t.Fatal(err)
		}
		var got Coordinate
		if err := Decode(Encode(&m), TypeCoordinate, &got); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{``, `{`, `{} {}`, `{"a":1,"a":2}`, "\"\xff\""} {
		if err := new(MeshMessage).SetPayload([]byte(text)); err == nil {
			t.Errorf("%q was taken as a payload", text)
		}
	}
}

func TestEncodePanicsOnWhatCannotBeSpelled(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a class that does not exist was spelled")
		}
	}()
	Encode(&Join{Agents: []AgentSpec{{Class: 'Z'}}})
}

func TestReservedNamesAreNotSent(t *testing.T) {
	for _, name := range Reserved {
		if _, sent := kinds[name]; sent {
			t.Errorf("%s is reserved and sent", name)
		}
	}
}

// Whatever decodes can be encoded, and decodes again as the same.
func FuzzDecode(f *testing.F) {
	names := types()
	for i, name := range names {
		f.Add(i, Encode(kinds[name].sample))
		f.Add(i, []byte(`{"type":"`+string(name)+`","v":"1.9","cluster":"7.4","host":"h","mesh":"m","x":[1e400]}`))
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		name := names[uint(which)%uint(len(names))]
		m := kinds[name].empty()
		if Decode(data, name, m) != nil {
			return
		}
		once := Encode(m)
		again := kinds[name].empty()
		if err := Decode(once, name, again); err != nil {
			t.Fatalf("%s decodes, but as encoded it does not: %v\n%q\n%q", name, err, data, once)
		}
		if twice := Encode(again); !bytes.Equal(once, twice) {
			t.Fatalf("%s is spelled differently each time:\n%s\n%s", name, once, twice)
		}
	})
}
