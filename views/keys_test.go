package views

import (
	"strings"
	"testing"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// Help is made of the table: a key that is not in it, or says nothing of itself,
// cannot be found.
func TestEveryKeyIsExplained(t *testing.T) {
	s := openScreen(t, 120, 40)
	help := s.m.help()
	for _, b := range s.m.keys {
		if b.run == nil {
			continue
		}
		if b.does == "" || b.show == "" || !strings.Contains(help, b.does) {
			t.Errorf("%v is not explained", b.keys)
		}
	}
	for _, e := range console.Catalog() {
		if !strings.Contains(help, e.Summary) {
			t.Errorf("help does not name %s", e.Name)
		}
	}
}

// A key of a change is the catalog's key of that action.
func TestKeysOfChangesAreThoseOfTheCatalog(t *testing.T) {
	keys := map[string]string{}
	for _, e := range console.Catalog() {
		if e.Risk != console.Read && e.Key != "" {
			keys[e.Key] = e.Name
		}
	}
	for _, b := range bindings() {
		if b.change && keys[b.keys[0]] == "" {
			t.Errorf("%s changes the mesh and is no key of the catalog", b.keys[0])
		}
		if b.change {
			delete(keys, b.keys[0])
		}
	}
	for key, name := range keys {
		t.Errorf("the catalog gives %s the key %s; the console does not know it", name, key)
	}
}

// No key means two things on one pane.
func TestNoKeyMeansTwoThings(t *testing.T) {
	for _, p := range []pane{newHeat(), newClusters(1), newTable(wire.Address{}), newAgentPane(subject{}), newPage("x", ""), &eventsPane{}} {
		taken := map[string]string{}
		for _, b := range bindings() {
			if b.run == nil || b.on != nil && !b.on(p) {
				continue
			}
			for _, k := range b.keys {
				if taken[k] != "" {
					t.Errorf("on %T %s means %q and %q", p, k, taken[k], b.does)
				}
				taken[k] = b.does
			}
		}
	}
}

// Whatever leads to an action, the same action is planned: a key, and a line.
func TestAKeyAndALinePlanTheSame(t *testing.T) {
	byKey := openScreen(t, 120, 40).Press("right", "right", "f").Press("esc", "t").Press("esc", "u")
	byLine := openScreen(t, 120, 40)
	for _, line := range []string{"freeze sector=3", "thaw sector=3", "undo"} {
		byLine.Press(":").Type(line).Press("enter", "esc")
	}
	if a, b := strings.Join(byKey.actions.planned, "; "), strings.Join(byLine.actions.planned, "; "); a != b || a == "" {
		t.Errorf("keys planned %q, lines %q", a, b)
	}
}
