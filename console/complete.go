package console

import (
	"slices"
	"strconv"
	"strings"

	"mesh30k/meshcore/wire"
)

// Names are the names that exist in a mesh, for completion. All lists may be
// empty.
type Names struct {
	Sectors      []string // numbers and names
	Clusters     []string // addresses and names
	Hosts        []string
	Capabilities []string
}

// NamesIn collects the names of a picture.
func NamesIn(p Picture) Names {
	var n Names
	hosts, caps := map[string]bool{}, map[string]bool{}
	t := p.Topology()
	for i, s := range t.Sectors {
		n.Sectors = appendNames(n.Sectors, strconv.Itoa(i+1), s.Name)
		for j, c := range s.Clusters {
			at := wire.Address{Sector: i + 1, Cluster: j + 1}
			n.Clusters = appendNames(n.Clusters, at.String(), c.Name)
			if b := p.Block(at); b != nil {
				collect(b, hosts, caps)
			}
		}
	}
	n.Hosts, n.Capabilities = sortedKeys(hosts), sortedKeys(caps)
	return n
}

func collect(b *wire.Block, hosts, caps map[string]bool) {
	for i := range b.Rows {
		hosts[b.Rows[i].Host] = true
		for _, c := range b.Rows[i].Capabilities {
			caps[c] = true
		}
	}
}

func appendNames(list []string, number, name string) []string {
	if list = append(list, number); name != "" {
		list = append(list, name)
	}
	return list
}

func sortedKeys[V any](set map[string]V) []string {
	list := make([]string, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// Complete lists what the last word of a ":" line may become: whole words, in
// order. A line that ends with a blank begins a new word.
func Complete(line string, n Names) []string {
	line = strings.TrimPrefix(strings.TrimLeft(line, " "), ":")
	cut := strings.LastIndexByte(line, ' ') + 1
	before, err := splitWords(line[:cut])
	if err != nil { // within a quoted text: nothing to add
		return nil
	}
	last := line[cut:]
	if len(before) == 0 {
		return withPrefix(names(), last)
	}
	e, err := Lookup(strings.ReplaceAll(before[0], "-", "_"))
	if err != nil {
		return nil
	}
	return e.complete(before[1:], last, n)
}

func (e *Entry) complete(before []string, last string, n Names) []string {
	if k := len(before); k > 0 {
		if name, ok := strings.CutPrefix(before[k-1], "--"); ok && !strings.Contains(name, "=") {
			if a := e.Arg(strings.ReplaceAll(name, "-", "_")); a != nil && a.Kind != KindBool {
				return a.Candidates(last, n)
			}
		}
	}
	if strings.HasPrefix(last, "-") {
		return e.completeFlag(last, n)
	}
	positional, _, err := e.sort(before)
	places := e.Positional()
	if err != nil || len(positional) >= len(places) {
		return nil
	}
	return places[len(positional)].Candidates(last, n)
}

func (e *Entry) completeFlag(last string, n Names) []string {
	flag, value, hasValue := strings.Cut(last, "=")
	var list []string
	for _, a := range e.Flags() {
		switch {
		case !hasValue:
			list = append(list, "--"+a.Flag())
		case flag == "--"+a.Flag():
			for _, c := range a.Candidates(value, n) {
				list = append(list, flag+"="+c)
			}
		}
	}
	return withPrefix(list, last)
}

// Candidates lists values of the argument that begin with prefix.
func (a *Arg) Candidates(prefix string, n Names) []string {
	switch {
	case a.Enum != nil:
		return withPrefix(a.Enum, prefix)
	case a.Kind == KindTarget:
		return completeTarget(prefix, n)
	case a.Kind == KindClass:
		return withPrefix(classNames(), prefix)
	case a.Kind == KindBool:
		return withPrefix([]string{"true", "false"}, prefix)
	case a.Name == "topic":
		return withPrefix(names(), prefix)
	}
	return nil
}

// conditions are the ways to begin a condition, and where the values of each
// come from.
var conditions = []string{
	"sector=", "cluster=", "agent=", "host=", "class=", "state=", "capability=",
	"impedance>", "impedance<", "label.",
}

var states = []string{"active", "degraded", "unstable", "offline", "quarantined", "frozen"}

func completeTarget(prefix string, n Names) []string {
	done, cond := "", prefix
	if i := strings.LastIndexByte(prefix, ','); i >= 0 {
		done, cond = prefix[:i+1], prefix[i+1:]
	}
	var list []string
	if op := strings.IndexAny(cond, "=<>"); op < 0 {
		list = conditions
		if done == "" {
			list = append([]string{"mesh"}, conditions...)
		}
	} else {
		key, head := strings.TrimSuffix(cond[:op], "!"), cond[:op+1]
		if i := strings.LastIndexByte(cond, '|'); i >= 0 {
			head = cond[:i+1]
		}
		for _, v := range valuesOf(key, n) {
			list = append(list, head+v)
		}
	}
	for i, c := range withPrefix(list, cond) {
		if i == 0 {
			list = nil
		}
		list = append(list, done+c)
	}
	return withPrefix(list, prefix)
}

func valuesOf(key string, n Names) []string {
	switch key {
	case "sector":
		return n.Sectors
	case "cluster":
		return n.Clusters
	case "host":
		return n.Hosts
	case "capability":
		return n.Capabilities
	case "class":
		return classNames()
	case "state":
		return states
	}
	return nil
}

func classNames() []string {
	list := make([]string, len(wire.Classes))
	for i, c := range wire.Classes {
		list[i] = c.String()
	}
	return list
}

func withPrefix(list []string, prefix string) []string {
	var out []string
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}
