package console

import (
	"reflect"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

func target(t testing.TB, s string) wire.Selector {
	t.Helper()
	sel, err := wire.ParseSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

func at(t testing.TB, s string) At {
	t.Helper()
	a, err := ParseAt(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sayings are actions with each way to say them. The JSON is canonical.
func sayings(t testing.TB) []saying {
	mesh := wire.Selector{}
	now := At{}
	day := at(t, "24h")
	return []saying{
		{Status{}, `status`, `{"action":"status"}`},
		{Status{Target: target(t, "sector=7"), At: at(t, "30m")}, `status 7 --at 30m`, `{"action":"status","target":"sector=7","at":"30m"}`},
		{List{Target: mesh, What: "agents", Sort: "impedance", Limit: 20}, `list`, `{"action":"list"}`},
		{
			List{Target: target(t, "sector=7,class=E"), What: "clusters", Sort: "queue", Limit: 5},
			`list class=E,sector=7 --what clusters --sort=queue --limit 5`,
			`{"action":"list","target":"sector=7,class=E","what":"clusters","sort":"queue","limit":5}`,
		},
		{Inspect{Target: target(t, "agent=7.4.12")}, `inspect SECTOR7-CLUSTER4-AGENT-12`, `{"action":"inspect","target":"agent=7.4.12"}`},
		{History{Since: day, Until: now}, `history mesh`, `{"action":"history"}`},
		{
			History{Kind: wire.FactFreeze, Since: at(t, "14:03"), Until: at(t, "2026-05-01T14:03:00Z")},
			`history --kind freeze --since 14:03 --until 2026-05-01T16:03:00+02:00`,
			`{"action":"history","kind":"freeze","since":"14:03","until":"2026-05-01T14:03:00Z"}`,
		},
		{
			Broadcast{Message: "it's \"over\"", Target: target(t, "class=E"), Priority: 2, RequireAck: true, TTL: 10 * time.Second},
			`broadcast "it's \"over\"" class=E --require-ack --ttl 10s`,
			`{"action":"broadcast","message":"it's \"over\"","target":"class=E","require_ack":true,"ttl":"10s"}`,
		},
		{
			Broadcast{Message: "--loud", Priority: 0, TTL: 30 * time.Second},
			`broadcast --priority 0 -- --loud`, `{"action":"broadcast","message":"--loud","priority":0}`,
		},
		{Freeze{}, `freeze`, `{"action":"freeze"}`},
		{
			Freeze{Target: target(t, "sector=3-9"), Reason: "bad rollout"},
			`freeze sector=3-9 --reason 'bad rollout'`,
			`{"action":"freeze","target":"sector=3-9","reason":"bad rollout"}`,
		},
		{Thaw{Target: target(t, "sector!=7")}, `thaw sector!=7`, `{"action":"thaw","target":"sector!=7"}`},
		{Undo{}, `undo`, `{"action":"undo"}`},
		{Invite{What: "host", TTL: time.Hour}, `invite`, `{"action":"invite"}`},
		{
			Invite{What: "observer", Class: wire.ClassLocal, TTL: 10 * time.Minute},
			`invite --what observer --class CLASS_E_LOCAL --ttl 600s`,
			`{"action":"invite","what":"observer","class":"E","ttl":"10m"}`,
		},
		{Help{Topic: "freeze"}, `help --topic freeze`, `{"action":"help","topic":"freeze"}`},
		{
			Inject{Fault: "slow", Target: target(t, "class=E"), Factor: 2.5, For: 30 * time.Second},
			`inject slow class=E --factor 2.5 --for 30s`,
			`{"action":"inject","fault":"slow","target":"class=E","factor":2.5,"for":"30s"}`,
		},
		{
			Inject{Fault: "skew", Target: target(t, "sector=7"), Skew: -2 * time.Second},
			`inject skew sector=7 --skew=-2s`,
			`{"action":"inject","fault":"skew","target":"sector=7","skew":"-2s"}`,
		},
	}
}

type saying struct {
	action Action
	line   string
	json   string
}

func TestEveryWayToSayAnActionGivesTheSameAction(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sayings(t) {
		said[EntryOf(s.action).Name] = true
		fromLine, err := ParseLine(":" + s.line)
		if err != nil {
			t.Errorf("%s: %v", s.line, err)
			continue
		}
		fromJSON, err := Decode([]byte(s.json))
		if err != nil {
			t.Errorf("%s: %v", s.json, err)
			continue
		}
		if !same(fromLine, s.action) || !same(fromJSON, s.action) {
			t.Errorf("%s\n gives %+v\n and its JSON %+v\n not %+v", s.line, fromLine, fromJSON, s.action)
		}
		if got := string(Encode(fromLine)); got != s.json {
			t.Errorf("canonical JSON of %s:\n got %s\nwant %s", s.line, got, s.json)
		}
		again, err := ParseLine(Line(s.action))
		if err != nil || !same(again, s.action) {
			t.Errorf("%s is not read back: %+v, %v", Line(s.action), again, err)
		}
	}
	for _, e := range Catalog() {
		if !said[e.Name] {
			t.Errorf("no saying of %s: this test says nothing about it", e.Name)
		}
	}
}

// same compares by canonical form and by value, but for selectors, which may
// hold the same conditions in different slices.
func same(a, b Action) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && string(Encode(a)) == string(Encode(b))
}
