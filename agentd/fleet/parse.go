package fleet

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Example is fleet.example.yaml: every key with unit, source and default.
//
//go:embed fleet.example.yaml
var Example []byte

// MaxProfile is how large a fleet file may be, in bytes.
const MaxProfile = 256 << 10

// Default is the profile of fleet.example.yaml.
func Default() Profile { return byDefault() }

var byDefault = sync.OnceValue(func() (p Profile) {
	if err := overlay(&p, Example); err != nil {
		panic("fleet: the embedded fleet.example.yaml is not valid: " + err.Error())
	}
	return p
})

// Parse reads a fleet file. Keys that it leaves out keep their default, so that
// a file of three lines is a valid one. An unknown key, a duplicate key, a value
// of another type and a value out of range are errors that name the line and
// what is allowed.
func Parse(data []byte) (Profile, error) {
	p := Default()
	if err := overlay(&p, data); err != nil {
		return Profile{}, err
	}
	return p, nil
}

func overlay(p *Profile, data []byte) error {
	if len(data) > MaxProfile {
		return fmt.Errorf("fleet file: %d bytes is over the limit of %d", len(data), MaxProfile)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return sayYAML(err)
	}
	switch empty, err := refuse(file); {
	case err != nil:
		return err
	case empty: // would be read as a file of zeros
		return nil
	}
	if err := yaml.UnmarshalWithOptions(data, p, yaml.Strict()); err != nil {
		return sayYAML(err)
	}
	if bad := p.check(); bad != nil {
		return bad.at(file)
	}
	return nil
}

// refuse turns away what a fleet file has no need of: several documents, and
// anchors, which can make a small file large. empty: it says nothing at all.
func refuse(file *ast.File) (empty bool, err error) {
	docs := 0
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.NullType || d.Body.Type() == ast.CommentType {
			continue
		}
		docs++
		var a anchors
		ast.Walk(&a, d.Body)
		if a.line > 0 {
			return false, &atLine{a.line, "anchors, aliases and merge keys are not allowed; write the values out"}
		}
	}
	if docs > 1 {
		return false, errors.New("fleet file: holds more than one document; want one")
	}
	return docs == 0, nil
}

// UnmarshalYAML reads [low, high].
func (r *Range) UnmarshalYAML(n ast.Node) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) != 2 {
		return &atLine{n.GetToken().Position.Line, "a range is written [low, high], two numbers"}
	}
	var got Range
	for i, v := range list.Values {
		if err := yaml.NodeToValue(v, &got[i]); err != nil {
			return &atLine{v.GetToken().Position.Line, "a range is written [low, high], two numbers"}
		}
	}
	*r = got
	return nil
}

// atLine is an error at a line of the file.
type atLine struct {
	line int
	what string
}

func (e *atLine) Error() string { return fmt.Sprintf("fleet file, line %d: %s", e.line, e.what) }

type anchors struct{ line int }

// Visit implements [ast.Visitor].
func (a *anchors) Visit(n ast.Node) ast.Visitor {
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType:
		if a.line == 0 {
			a.line = n.GetToken().Position.Line
		}
	default:
	}
	return a
}

// sayYAML puts the library's error into one line with the line number, and for
// an unknown key says where the known ones are.
func sayYAML(err error) error {
	if own, ok := errors.AsType[*atLine](err); ok {
		return own
	}
	var e yaml.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("fleet file: %w", err)
	}
	what := strings.TrimSpace(e.GetMessage())
	hint := ""
	if strings.HasPrefix(what, "unknown field") {
		hint = "; fleet.example.yaml lists every key"
	}
	line := 0
	if t := e.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	return &atLine{line, what + hint}
}

// at names the line of the value that is out of range, if the file has it; a
// value may also be wrong only together with a default.
func (b *outOfRange) at(file *ast.File) error {
	path, err := yaml.PathString("$." + b.key)
	if err == nil {
		if n, err := path.FilterFile(file); err == nil && n != nil && n.GetToken() != nil {
			return &atLine{n.GetToken().Position.Line, b.Error()}
		}
	}
	return fmt.Errorf("fleet file: %w", b)
}
