package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The rooms of the house and which of them each may import. What is not listed
// here is not a room: a new folder is a decision, and this table says so.
// Sub-rooms of the mechanisms never meet.
var arrows = map[string][]string{
	"":                       {"*"},
	"console":                {"meshcore/wire"},
	"console/client":         {"console", "meshcore/wire"},
	"console/cli":            {"console", "console/client", "meshcore/wire"},
	"views":                  {"console", "meshcore/wire"},
	"nl":                     {"console", "meshcore/wire"},
	"store":                  {"meshcore/wire"},
	"agentd":                 {"meshcore/wire", "meshcore/auth"},
	"agentd/fleet":           {"agentd", "meshcore/wire"},
	"agentd/cmd/mesh-agentd": {"agentd"},
	"meshcore": {
		"meshcore/registry", "meshcore/gather", "meshcore/mode", "meshcore/auth", "meshcore/wire",
	},
	"meshcore/lab": {
		"meshcore", "meshcore/registry", "meshcore/gather", "meshcore/mode", "agentd/fleet", "meshcore/wire",
	},
	"meshcore/registry": {"meshcore/wire"},
	"meshcore/gather":   {"meshcore/wire"},
	"meshcore/mode":     {"meshcore/wire"},
	"meshcore/auth":     {},
	"meshcore/wire":     {},
}

// Libraries that a room must not link, whoever brings them: the agent runs on a
// Raspberry Pi Zero, mechanisms are pure.
var forbidden = map[string][]string{
	"agentd":            {"github.com/nats-io/nats-server", "github.com/mattn/go-sqlite3", "charm.land"},
	"agentd/fleet":      {"github.com/nats-io/nats-server", "github.com/mattn/go-sqlite3", "charm.land"},
	"meshcore/registry": {"github.com/nats-io", "net/http", "database/sql"},
	"meshcore/gather":   {"github.com/nats-io", "net/http", "database/sql"},
	"meshcore/mode":     {"github.com/nats-io", "net/http", "database/sql"},
	"meshcore/wire":     {"github.com/nats-io", "net/http", "database/sql"},
	"console":           {"github.com/nats-io", "charm.land", "github.com/mattn/go-sqlite3"},
	"views":             {"github.com/nats-io", "github.com/mattn/go-sqlite3"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestRoomsImportOnlyWhatTheArrowsAllow(t *testing.T) {
	for _, fault := range violations(rooms(t)) {
		t.Error(fault)
	}
}

// Its negative control: a house in which the arrows are broken is told so.
func TestABrokenArrowIsFound(t *testing.T) {
	for name, p := range map[string]pkg{
		"a view that reaches for the core":    {ImportPath: "mesh30k/views", Imports: []string{"mesh30k/meshcore"}},
		"mechanisms that meet":                {ImportPath: "mesh30k/meshcore/gather", Imports: []string{"mesh30k/meshcore/registry"}},
		"a room that nobody decided":          {ImportPath: "mesh30k/util"},
		"an agent that links the broker":      {ImportPath: "mesh30k/agentd", Deps: []string{"github.com/nats-io/nats-server/v2/server"}},
		"a mechanism that speaks to the mesh": {ImportPath: "mesh30k/meshcore/mode", Deps: []string{"github.com/nats-io/nats.go"}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(violations([]pkg{p})) == 0 {
				t.Error("the architecture test does not see it")
			}
		})
	}
}

func violations(house []pkg) []error {
	var faults []error
	for _, p := range house {
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "mesh30k"), "/")
		allowed, known := arrows[room]
		if !known {
			faults = append(faults, fmt.Errorf("%q is not a room of the house: see arrows in this file", room))
			continue
		}
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, "mesh30k/")
			if ours && !slices.Contains(allowed, "*") && !slices.Contains(allowed, other) {
				faults = append(faults, fmt.Errorf("%s imports %s; it may import only %v", room, other, allowed))
			}
		}
		for _, library := range forbidden[room] {
			for _, dep := range p.Deps {
				if dep == library || strings.HasPrefix(dep, library+"/") {
					faults = append(faults, fmt.Errorf("%s links %s", room, dep))
					break
				}
			}
		}
	}
	return faults
}

func rooms(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var house []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		house = append(house, p)
	}
	if len(house) < 10 {
		t.Fatalf("go list found %d packages: the test looks at the wrong place", len(house))
	}
	return house
}
