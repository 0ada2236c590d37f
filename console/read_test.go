package console

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

func TestStatusIsTheBoxOf71(t *testing.T) {
	w := newWorld()
	for i := 1; i <= 67; i++ {
		r := agent("1.1."+strconv.Itoa(i), wire.ClassEdge, physical)
		if i > 65 {
			offline(&r)
		}
		w.picture.rows = append(w.picture.rows, r)
	}
	o := open(t, w)
	want := `
┌────────────────────────────────────────┐
│ MESH-30K STATUS                        │
├────────────────────────────────────────┤
│ Agents: 65 / 67 active (97.0%)         │
│ Sectors: 2/2 healthy                   │
│ Mean Impedance: 100ms                  │
│ Offline: 2                             │
│ Mode: FULL                             │
└────────────────────────────────────────┘
`
	if a := o.step("olga", wire.StepRead, "status"); "\n"+a.text != want {
		t.Errorf("%s", a.text)
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "status"), wire.Done, `"agents":67`, `"mode":"FULL"`)
}

func TestAMeshWithoutAgentsSaysSo(t *testing.T) {
	a := open(t, newWorld()).step("cecilia", wire.StepRead, "status")
	wantVerdict(t, a, wire.Done, "No agents yet")
	for _, absent := range []string{"Mode", "%", "mean_ms", "active_rate", `"mode"`, "NaN"} {
		if strings.Contains(a.text+string(a.Data), absent) {
			t.Errorf("%q of nobody:\n%s%s", absent, a.text, a.Data)
		}
	}
}

func TestAPartOfTheMeshIsSummarised(t *testing.T) {
	w := twoSectors()
	for i := 3; i <= 12; i++ {
		w.picture.rows = append(w.picture.rows, agent("1.1."+strconv.Itoa(i), wire.ClassEdge))
	}
	a := open(t, w).step("cecilia", wire.StepRead, "status sector=1")
	wantVerdict(t, a, wire.Done, "Sector 1 Status · SIM:", "- 13/13 agents active", "Notable: Cluster 1.1 has 1 agent with", `"agents":["1.1.2"]`)
	wantVerdict(t, open(t, w).step("cecilia", wire.StepRead, "status sector=1,class=D"), wire.NothingMatched)
}

func TestHundredPercentMeansAll(t *testing.T) {
	if got := percent(29_999, 30_000); got != "99.9%" {
		t.Error(got)
	}
	if got := percent(30_000, 30_000); got != "100.0%" {
		t.Error(got)
	}
}

func TestMeansLeaveOutClassFAndTheSilent(t *testing.T) {
	var tally Tally
	for _, r := range []wire.AgentImpedance{
		agent("1.1.1", wire.ClassEdge, slow(100)), agent("1.1.2", wire.ClassEdge, slow(300)),
		agent("1.1.3", wire.ClassHuman, slow(60_000)), agent("1.1.4", wire.ClassEdge, slow(9_000), offline),
	} {
		tally.add(&r)
	}
	tally.done()
	if tally.Agents != 4 || tally.Active != 3 || tally.Measured != 2 || *tally.MeanMS != 200 || *tally.P95MS != 300 {
		t.Errorf("%+v, mean %v, p95 %v", tally, *tally.MeanMS, *tally.P95MS)
	}
}

func places(a answer) string {
	var out []string
	for _, r := range a.rows {
		var row struct {
			Place   string `json:"place"`
			Address string `json:"address"`
		}
		if err := json.Unmarshal([]byte(r), &row); err != nil {
			return err.Error()
		}
		out = append(out, row.Place+row.Address)
	}
	return strings.Join(out, " ")
}

func TestListPutsTheWorstFirst(t *testing.T) {
	o := open(t, twoSectors())
	o.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance {
		rows[2].QueueDepth, rows[3].LatencyMS = 7, 99
		return rows
	})
	for line, want := range map[string]string{
		"list --limit 2":                        "1.1.2 1.1.1",
		"list sector=2":                         "2.1.1 2.2.1 2.1.2", // class F last
		"list class=E|F --limit 1":              "2.1.2",             // named: first
		"list --sort state --limit 1":           "2.2.1",
		"list --sort queue --limit 1":           "1.2.1",
		"list --sort latency --limit 1":         "2.1.1",
		"list --sort address --limit 3":         "1.1.1 1.1.2 1.2.1",
		"list --what clusters":                  "1.1 1.2 2.1 2.2",
		"list --what clusters --sort state":     "2.2 1.1 1.2 2.1",
		"list --what sectors --sort latency":    "2 1",
		"list --what hosts --sort address":      "h1 h2",
		"list sector=kitchen --what sectors":    "2",
		"list --what clusters impedance>500":    "1.1 2.1",
		"list --what clusters sector=1,class=E": "1.2",
	} {
		a := o.step("olga", wire.StepRead, line)
		wantVerdict(t, a, wire.Done)
		if got := places(a); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "list --limit 2"), wire.Done, "2 of 6 agents", `"total":6`, "ADDRESS")
	wantVerdict(t, o.step("olga", wire.StepRead, "list --what sectors"), wire.Done, "kitchen")
	wantVerdict(t, o.step("olga", wire.StepRead, "list host=nobody"), wire.NothingMatched)
}

func TestALongListComesInPieces(t *testing.T) {
	w := newWorld()
	for s := 1; s <= 2; s++ {
		for c := 1; c <= 2; c++ {
			for i := 1; i <= 100; i++ {
				r := agent(wire.Address{Sector: s, Cluster: c, Seat: i}.String(), wire.ClassEdge)
				r.Labels = map[string]string{"note": strings.Repeat("x", 250)}
				w.picture.rows = append(w.picture.rows, r)
			}
		}
	}
	a := open(t, w).step("olga", wire.StepRead, "list --limit 1000 --sort address")
	if len(a.rows) != 400 || strings.Count(a.text, "\n") != 402 {
		t.Errorf("%d rows, %d lines", len(a.rows), strings.Count(a.text, "\n"))
	}
}

func TestLargeRowsComeInPiecesToo(t *testing.T) {
	w := twoSectors()
	for i := range 40 {
		data := []byte(`"` + strings.Repeat("x", 60_000) + `"`)
		w.facts = append(w.facts, wire.Fact{Seq: uint64(i), At: noon, Kind: wire.FactDelivered, Data: data})
	}
	if a := open(t, w).step("olga", wire.StepRead, "history"); len(a.rows) != 40 { // do refuses what NATS would
		t.Errorf("%d rows", len(a.rows))
	}
}

func TestWhatIsTooLargeToTellIsSaidToBeLeftOut(t *testing.T) {
	w := twoSectors()
	data := []byte(`"` + strings.Repeat("x", 900_000) + `"`)
	for i := range 3 {
		w.facts = append(w.facts, wire.Fact{Seq: uint64(i), At: noon, Kind: wire.FactDelivered, AgentID: "a-1-1-1", Data: data})
	}
	o := open(t, w)
	for _, line := range []string{"history", "inspect 1.1.1"} {
		wantVerdict(t, o.step("olga", wire.StepRead, line), wire.Done)
		if a := o.step("olga", wire.StepRead, line); !strings.Contains(a.rows[0], `"left_out_bytes":900002`) {
			t.Errorf("%s: %.200s", line, a.rows[0])
		}
	}
}

func TestAllTheMissingAreNamedHoweverMany(t *testing.T) {
	w := twoSectors()
	for i := range 100_000 {
		w.missing = append(w.missing, "agent-with-a-long-name-"+strconv.Itoa(i))
	}
	a := open(t, w).carry("cecilia", "broadcast hi")
	wantVerdict(t, a, wire.Partial, "Missing 100,000")
	var data wire.BroadcastResult
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatal(err)
	}
	if n := len(data.Missing) + len(a.rows); n != 100_000 || len(a.Data) > wire.MaxPayload {
		t.Errorf("%d named, %d bytes of data", n, len(a.Data))
	}
}

func TestTextOfAgentsCannotMoveTheCursor(t *testing.T) {
	w := twoSectors()
	w.facts = []wire.Fact{{Seq: 1, At: noon, Kind: "agent.crash", AgentID: "a-1-1-1", Text: "\x1b[2Jgone\u202e"}}
	w.picture.rows[0].ContextHash = "\x1b]0;x\a"
	o := open(t, w)
	for _, line := range []string{"history", "inspect 1.1.1"} {
		if a := o.step("olga", wire.StepRead, line); strings.ContainsAny(a.text, "\x1b\a\u202e") || a.Verdict != wire.Done {
			t.Errorf("%s: %q", line, a.text)
		}
	}
}

func TestInspectTellsAllThatIsKnown(t *testing.T) {
	w := twoSectors()
	w.facts = []wire.Fact{{Seq: 1000, At: noon.Add(-time.Hour), Kind: wire.FactCrash, AgentID: "a-1-1-1", Text: "died"}}
	o := open(t, w)
	a := o.step("olga", wire.StepRead, "inspect 1.1.1")
	wantVerdict(t, a, wire.Done, "CLASS_A_EDGE", "impedance", "m1", "WORKED", "agent.crash", "died", "2s ago")
	if len(a.rows) != 1 || !strings.Contains(a.rows[0], `"deliveries":[{`) || !strings.Contains(a.rows[0], `"history":[{`) {
		t.Errorf("%v", a.rows)
	}
	then := o.step("olga", wire.StepRead, "inspect 1.1.1 --at 2h")
	wantVerdict(t, then, wire.Done, "is not kept")
	if strings.Contains(then.rows[0], "agent_class") || strings.Contains(then.text, "died") {
		t.Errorf("two hours ago it was known that %s", then.rows[0])
	}
	for i := 3; i < 30; i++ {
		w.picture.rows = append(w.picture.rows, agent("1.1."+strconv.Itoa(i), wire.ClassEdge))
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "inspect sector=1,class=A"), wire.Done, "19 more agents match")
}

func TestHistoryHasAnInterval(t *testing.T) {
	w := twoSectors()
	for i := range 5 {
		w.facts = append(w.facts, wire.Fact{Seq: uint64(i), At: noon.Add(time.Duration(i-5) * time.Hour), Kind: wire.FactCrash, Text: "t" + strconv.Itoa(i)})
	}
	w.facts = append(w.facts, wire.Fact{Seq: 9, At: noon, Kind: wire.FactMode, Text: "m"})
	o := open(t, w)
	for line, want := range map[string]int{
		"history": 6, "history --since 150m": 3, "history --since 4h --until 2h": 3, "history --kind mode": 1, "history --at 3h": 3, "history --since 10:30": 2,
	} {
		if a := o.step("olga", wire.StepRead, line); len(a.rows) != want {
			t.Errorf("%s: %d facts, want %d\n%s", line, len(a.rows), want, a.text)
		}
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "history --since 1h --until 2h"), wire.Usage, "not before")
	for range 1000 {
		w.facts = append(w.facts, wire.Fact{Seq: 10, At: noon, Kind: wire.FactMode})
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "history"), wire.Done, `"more":true`, "older ones")
}

func TestThePastIsAskedByAt(t *testing.T) {
	w := twoSectors()
	w.trends = []wire.TrendRow{
		{Minute: noon.Add(-time.Hour), Cluster: wire.Address{Sector: 1, Cluster: 1}, Agents: 30, Active: 30, MeanMS: 100, P95MS: 300, Measured: 30},
		{Minute: noon.Add(-time.Hour), Cluster: wire.Address{Sector: 2, Cluster: 1}, Agents: 30, Active: 10, Frozen: 5, MeanMS: 200, P95MS: 400, Measured: 10},
	}
	o := open(t, w)
	a := o.step("olga", wire.StepRead, "status --at 1h")
	wantVerdict(t, a, wire.Done, "As of 11:00:00", "Agents: 40 / 60 active", "Sectors: 1/2 healthy", "Mean Impedance: 125ms", "Frozen: 5")
	if strings.Contains(a.text+string(a.Data), "p95") || strings.Contains(a.text, "Mode") {
		t.Errorf("what trends do not know is there:\n%s%s", a.text, a.Data)
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "status sector=2 --at 1h"), wire.Done, "- 10/30 agents active", "As of 2026-05-01 11:00")
	wantVerdict(t, o.step("olga", wire.StepRead, "status class=E --at 1h"), wire.Usage, "only sectors and clusters are kept")
	b := o.step("olga", wire.StepRead, "list --what clusters --at 1h")
	wantVerdict(t, b, wire.Done, "as of 11:00:00")
	if places(b) != "2.1 1.1" || !strings.Contains(b.rows[0], `"p95_ms":400`) {
		t.Errorf("%s %v", places(b), b.rows)
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "list --at 1h"), wire.Usage)
	w.trends = nil
	wantVerdict(t, o.step("olga", wire.StepRead, "status --at 9000h"), wire.NothingMatched, "horizon")
}

func TestOperationsAreListedNewestFirst(t *testing.T) {
	w := twoSectors()
	fact := func(seq uint64, kind wire.FactKind, v any) wire.Fact {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return wire.Fact{Seq: seq, At: noon, Kind: kind, Data: data}
	}
	first, second := setOf(rowsOf(w.picture, target(t, "sector=1"))), setOf(rowsOf(w.picture, target(t, "sector=2")))
	w.facts = []wire.Fact{
		fact(1, wire.FactOpStarted, wire.Operation{ID: "op1", Action: "broadcast", Actor: "bob", Started: noon.Add(-2 * time.Minute), Targets: first, Addressed: first}),
		fact(2, wire.FactOpStarted, wire.Operation{ID: "op2", Action: "broadcast", Actor: "bob", Started: noon.Add(-time.Minute), Targets: second, Addressed: second}),
		fact(3, wire.FactOpEnded, wire.OperationEnd{ID: "op1", Verdict: wire.Done, Counts: map[string]int{"WORKED": 3}}),
	}
	o := open(t, w)
	a := o.step("olga", wire.StepRead, "list --what operations")
	wantVerdict(t, a, wire.Done, "2 of 2 operations", "goes on", "worked 3")
	if len(a.rows) != 2 || !strings.Contains(a.rows[0], `"operation":"op2"`) {
		t.Errorf("%v", a.rows)
	}
	if a := o.step("olga", wire.StepRead, "list sector=1 --what operations"); len(a.rows) != 1 || !strings.Contains(a.rows[0], "op1") {
		t.Errorf("%v", a.rows)
	}
}

func TestHelpExplainsTheCatalog(t *testing.T) {
	o := open(t, newWorld())
	a := o.step("olga", wire.StepRead, "help")
	wantVerdict(t, a, wire.Done, "freeze", "'impedance>500'")
	if len(a.rows) != len(Catalog()) {
		t.Errorf("%d rows", len(a.rows))
	}
	wantVerdict(t, o.step("olga", wire.StepRead, "help freeze"), wire.Done, "begin nothing more", "thaw, or undo")
	wantVerdict(t, o.step("olga", wire.StepRead, "help frezee"), wire.Usage, "did you mean freeze")
	wantVerdict(t, o.step("olga", wire.StepRead, "help cascade"), wire.WasRefused, "not in this version")
}

func TestInviteMakesATokenOnce(t *testing.T) {
	o := open(t, newWorld())
	wantVerdict(t, o.carry("cecilia", "invite --class E --ttl 10m"), wire.Done, "mesh30k agentd run --join", "--class E")
	if tk := o.tokens[0]; tk.What != "host" || tk.Class != "E" || tk.Uses != 1 || !tk.Expires.Equal(noon.Add(10*time.Minute)) || wire.CheckName("token", tk.ID) != nil {
		t.Errorf("%+v", tk)
	}
	wantVerdict(t, o.carry("cecilia", "invite observer"), wire.Done, "mesh30k connect mesh30k1.")
	if tk := o.tokens[1]; tk.What != "observer" || tk.Uses != 1 {
		t.Errorf("%+v", tk)
	}
	wantVerdict(t, o.step("cecilia", wire.StepPlan, "invite --what observer --class E"), wire.Usage)
	wantVerdict(t, o.step("olga", wire.StepPlan, "invite"), wire.WasRefused)
}

func TestInjectTurnsItsArgumentsIntoAFault(t *testing.T) {
	o := open(t, twoSectors())
	wantVerdict(t, o.carry("cecilia", "inject slow class=E --for 30s"), wire.Done, "1 of 1 agent")
	if f := o.injected[0]; f.Fault != wire.FaultSlow || f.Factor != slowFactor || f.ForMS != 30_000 {
		t.Errorf("%+v", f)
	}
	for _, line := range []string{"inject crash 1 --factor 2", "inject loss 1 --factor 2", "inject skew 1", "inject slow 1 --skew 2s", "inject revive 1 --for 2s", "inject slow 1 --factor 0.001"} {
		if a, err := ParseLine(line); err == nil {
			t.Errorf("%s: %+v", line, a)
		}
	}
}

func TestAPlanCanBeShownAgainByItsHash(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("cecilia", "freeze sector=1")
	a := o.do("cecilia", wire.Do{Step: wire.StepPlan, Action: o.encode("freeze sector=1"), Hash: p.Hash})
	if a.plan == nil || a.plan.Hash != p.Hash || a.plan.Count != 3 {
		t.Fatalf("%+v %s", a.plan, a.text)
	}
	wantVerdict(t, o.do("bob", wire.Do{Step: wire.StepPlan, Action: o.encode("freeze sector=1"), Hash: p.Hash}), wire.WasRefused)
	wantVerdict(t, o.do("cecilia", wire.Do{Step: wire.StepPlan, Action: o.encode("thaw sector=1"), Hash: p.Hash}), wire.WasRefused)
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", p, 3), wire.Done)
}

func TestPlansOfOnePersonDoNotCrowdOutAnothers(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("bob", "freeze sector=1")
	var first *wire.Plan
	for range maxPlans + 1 {
		q := o.plan("cecilia", "freeze sector=1")
		if first == nil {
			first = q
		}
		o.now = o.now.Add(time.Millisecond)
	}
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", first, 3), wire.WasRefused)
	wantVerdict(t, o.execute("bob", "freeze sector=1", p, 3), wire.Done)
}
