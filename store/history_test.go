package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

// kinds spells facts shortly: their kinds and whom they name.
func kinds(facts []wire.Fact) string {
	var all []string
	for _, f := range facts {
		all = append(all, strings.TrimSuffix(string(f.Kind)+":"+f.AgentID, ":"))
	}
	return strings.Join(all, " ")
}

func TestHistoryBySelector(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	apply(t, s, aMesh().batches...)
	const (
		ofSector7 = "delivery operation.start agents.silent agent.crash:bee delivery operation.start thaw freeze host.joined host.joined"
		ofSector9 = "host.leaving agent.crash:elk delivery operation.start thaw host.joined"
	)
	for _, c := range []struct{ selector, want string }{
		{"sector=7", ofSector7},
		{"sector!=9", ofSector7},
		{"sector=9", ofSector9},
		{"sector!=7", ofSector9},
		{"host=box", ofSector9},
		{"class=D", "agent.crash:elk delivery operation.start thaw"},
		{"cluster=7.4", "operation.start agents.silent agent.crash:bee delivery operation.start thaw freeze host.joined"},
		{"agent=bee", "operation.start agent.crash:bee delivery operation.start thaw freeze"},
		{"agent=7.4.1", "operation.start agent.crash:bee delivery operation.start thaw freeze"},
		{"agent=7.4.2", "agents.silent delivery operation.start thaw freeze"},
		{"agent=dog", "delivery operation.start operation.start thaw freeze"},
		{"label.region=eu,sector=9", "agent.crash:elk delivery operation.start thaw"},
		{"label.region=us", ""},
		{"sector=8", ""},
		{"agent=nobody", ""},
	} {
		t.Run(c.selector, func(t *testing.T) {
			sel := try[wire.Selector](t)(wire.ParseSelector(c.selector))
			got := kinds(try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Selector: sel})))
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHistoryRefusesWhatNoFactTells(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	for _, text := range []string{"state=frozen", "impedance>500", "capability=vision", "sector=7,state=offline"} {
		sel := try[wire.Selector](t)(wire.ParseSelector(text))
		_, err := s.History(t.Context(), wire.HistoryQuery{Selector: sel})
		if codeOf(err).Verdict() != wire.Usage || !strings.Contains(err.Error(), "no fact") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHistoryByEverythingElse(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	at := func(i int) time.Time { return y.batches[i].Facts[0].At }
	sector7 := try[wire.Selector](t)(wire.ParseSelector("sector=7"))
	for name, c := range map[string]struct {
		q    wire.HistoryQuery
		want string
	}{
		"kind":                 {wire.HistoryQuery{Kind: wire.FactCrash}, "agent.crash:elk agent.crash:bee"},
		"agent":                {wire.HistoryQuery{AgentID: "elk"}, "agent.crash:elk"},
		"operation":            {wire.HistoryQuery{Operation: "op1"}, "operation.end delivery delivery operation.start"},
		"operation and kind":   {wire.HistoryQuery{Operation: "op1", Kind: wire.FactOpEnded}, "operation.end"},
		"since":                {wire.HistoryQuery{Since: y.now}, "audit"},
		"until is not in":      {wire.HistoryQuery{Until: at(1)}, "core.started"},
		"between":              {wire.HistoryQuery{Since: at(8), Until: at(10)}, "agent.crash:elk agent.crash:bee operation.end"},
		"limit":                {wire.HistoryQuery{Limit: 2}, "audit delivery"},
		"limit of a selection": {wire.HistoryQuery{Limit: 2, Selector: sector7}, "delivery operation.start"},
		"selector and kind":    {wire.HistoryQuery{Kind: wire.FactCrash, Selector: sector7}, "agent.crash:bee"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(try[[]wire.Fact](t)(s.History(t.Context(), c.q))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHistoryHasALimitOfItsOwn(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	var facts []wire.Fact
	for i := range DefaultLimit {
		facts = append(facts, crash(fmt.Sprint("a", i), "pi", seat(1, 1, 1)))
	}
	apply(t, s, newStory().tell(facts...).tell(facts[:7]...).batches...)
	if got := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{})); len(got) != DefaultLimit || got[0].Seq != 2006 {
		t.Errorf("%d facts, the first %d", len(got), got[0].Seq)
	}
}

// An agent keeps its history when it moves; a fact keeps the place it had.
func TestHistoryOfAMovedAgent(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	apply(t, s, newStory().
		tell(joined("pi", "", cluster(7, 4), enrolled("bee", "pi", wire.ClassLocal, seat(7, 4, 1), 0))).
		tell(crash("bee", "pi", seat(7, 4, 1))).
		tell(joined("pi", "", cluster(8, 1), enrolled("bee", "pi", wire.ClassLocal, seat(8, 1, 1), 0))).batches...)
	for selector, want := range map[string]string{
		"agent=bee": "agent.crash:bee", "cluster=7.4": "agent.crash:bee host.joined", "cluster=8.1": "host.joined",
	} {
		sel := try[wire.Selector](t)(wire.ParseSelector(selector))
		if got := kinds(try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Selector: sel}))); got != want {
			t.Errorf("%s: got %q, want %q", selector, got, want)
		}
	}
}
