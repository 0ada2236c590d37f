package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notMessages are objects that PROTOCOL.md describes though no message has
// them as a member: data of facts and outcomes.
var notMessages = []reflect.Type{
	reflect.TypeFor[Topology](), reflect.TypeFor[Token](), reflect.TypeFor[HostJoined](), reflect.TypeFor[Person](),
	reflect.TypeFor[AuditEntry](), reflect.TypeFor[Operation](), reflect.TypeFor[OperationEnd](), reflect.TypeFor[AgentList](),
	reflect.TypeFor[ModeChange](), reflect.TypeFor[TrendRow](), reflect.TypeFor[FreezeResult](), reflect.TypeFor[BroadcastResult](),
	reflect.TypeFor[DeliveryRecord](), reflect.TypeFor[Envelope](),
}

// page is PROTOCOL.md by heading: the members in the first column of each
// section's first table.
func page(t *testing.T) (text string, sections map[string][]string) {
	t.Helper()
	data, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	sections = map[string][]string{}
	row := regexp.MustCompile("^\\| `([a-z0-9_]+)` \\| .* \\| .*\\|$")
	heading, inTable := "", false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
			inTable = false
		}
		if strings.HasPrefix(line, "| member | type | meaning |") {
			if _, twice := sections[heading]; twice {
				t.Errorf("section %q has two tables of members", heading)
			}
			sections[heading], inTable = []string{}, true
		}
		if !strings.HasPrefix(line, "|") {
			inTable = false
		}
		if m := row.FindStringSubmatch(line); m != nil && inTable {
			sections[heading] = append(sections[heading], m[1])
		}
	}
	return string(data), sections
}

// members are the names of a struct's own members, without those of every message.
func members(s reflect.Type) (names []string) {
	for f := range s.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Type == reflect.TypeFor[Header](), f.Type == reflect.TypeFor[Unknown]():
		case f.Anonymous:
			names = append(names, members(f.Type)...)
		case name != "":
			names = append(names, name)
		}
	}
	return names
}

// objects collects the structs that s is made of, by the name of their section.
func objects(s reflect.Type, name string, into map[string]reflect.Type) {
	switch s.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		objects(s.Elem(), s.Elem().Name(), into)
		return
	case reflect.Struct:
	default:
		return
	}
	header := reflect.TypeFor[Header]()
	if s == header || s.PkgPath() != header.PkgPath() || len(members(s)) == 0 || into[name] == s {
		return
	}
	if s != reflect.TypeFor[MeshMessage]() && s != reflect.TypeFor[Error]() && s != reflect.TypeFor[Inject]() || name == strings.ToUpper(name) {
		into[name] = s // those three are messages too, described there
	}
	for f := range s.Fields() {
		objects(f.Type, f.Type.Name(), into)
	}
}

// PROTOCOL.md has every member of every message, each in its own section, and
// no member that there is not.
func TestProtocolPageHasEveryMember(t *testing.T) {
	_, sections := page(t)
	want := map[string]reflect.Type{}
	for name, k := range kinds {
		heading := string(name)
		if name == TypeFreeze || name == TypeThaw {
			heading = "FREEZE and THAW"
			want[heading] = reflect.TypeFor[Freeze]()
			continue
		}
		objects(reflect.TypeOf(k.sample).Elem(), heading, want)
	}
	for _, s := range notMessages {
		objects(s, s.Name(), want)
	}
	for _, heading := range slices.Sorted(maps.Keys(want)) {
		have, ok := sections[heading]
		if !ok {
			t.Errorf("there is no section %q with a table of members", heading)
			continue
		}
		need := members(want[heading])
		for _, m := range need {
			if !slices.Contains(have, m) {
				t.Errorf("section %q does not have the member %q", heading, m)
			}
		}
		for _, m := range have {
			if !slices.Contains(need, m) {
				t.Errorf("section %q has the member %q, which there is not", heading, m)
			}
		}
	}
	for heading := range sections {
		if _, ok := want[heading]; !ok && heading != "Every message" && heading != "The join token" {
			t.Errorf("section %q describes nothing that is sent", heading)
		}
	}
}

// Every value of a closed set, every subject's stem and every reserved name is
// on the page.
func TestProtocolPageHasEveryWord(t *testing.T) {
	text, _ := page(t)
	closed := map[string]bool{
		"Code": true, "FactKind": true, "ReportKind": true, "Fault": true, "Step": true, "Verdict": true, "Hold": true, "Role": true,
		"Routing": true, "Verb": true, "FreezeScope": true, "OperationalState": true,
	}
	words := []string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 {
				return true
			}
			kind, ok := spec.Type.(*ast.Ident)
			if !ok || !closed[kind.Name] {
				return true
			}
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, word)
			return true
		})
	}
	if len(words) < 80 {
		t.Fatalf("only %d words were found in the program", len(words))
	}
	for _, s := range DeliveryStates() {
		words = append(words, s.String())
	}
	for _, name := range Reserved {
		words = append(words, string(name))
	}
	for _, word := range words {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("the page does not have `%s`", word)
		}
	}
	for _, u := range Uplinks {
		if subject := "`m." + string(u) + ".<cluster>.<host>`"; !strings.Contains(text, subject) {
			t.Errorf("the page does not have %s", subject)
		}
	}
}

func TestProtocolPageLinksLeadSomewhere(t *testing.T) {
	text, _ := page(t)
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		if !anchors[m[1]] {
			t.Errorf("a link leads to #%s, which there is not", m[1])
		}
	}
}
