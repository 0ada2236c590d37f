package console

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mesh30k/meshcore/wire"
)

func twoSectors() *world {
	return newWorld(
		agent("1.1.1", wire.ClassEdge), agent("1.1.2", wire.ClassEdge, slow(900)), agent("1.2.1", wire.ClassLocal),
		agent("2.1.1", wire.ClassGPU), agent("2.1.2", wire.ClassHuman, slow(60_000)), agent("2.2.1", wire.ClassPersistent, offline),
	)
}

func TestAFreezeIsPlannedThenExecutedAndAudited(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("cecilia", "freeze sector=1")
	if p.Count != 3 || p.Clusters != 2 || !p.Wide || p.ByClass[wire.ClassEdge] != 2 || p.BySector[1] != 3 || len(p.Hash) != 16 {
		t.Errorf("plan %+v", p)
	}
	if len(o.orders) != 0 || len(o.audit) != 0 {
		t.Fatal("planning did something")
	}
	a := o.execute("cecilia", "freeze sector=1", p, 3)
	wantVerdict(t, a, wire.Done, "FROZEN sector=1", "All 3 agents paused", "To resume: thaw sector=1")
	if len(o.orders) != 1 || o.orders[0].Selector != "sector=1" || o.orders[0].Resolved != nil || o.orders[0].Actor != "cecilia" {
		t.Errorf("orders %+v", o.orders)
	}
	if a.progress == 0 {
		t.Error("the progress of the mesh was not passed on")
	}
	if len(o.audit) != 2 || o.audit[0].Verdict != wire.Begun || o.audit[1].Verdict != wire.Done || o.audit[0].PlanHash != p.Hash || o.audit[0].Targets != 3 {
		t.Errorf("audit %+v", o.audit)
	}
}

// The replica lags: who plans next must not see the mesh of before.
func TestAFreezeIsOverWhenItIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := twoSectors()
		w.lag = time.Second
		o := open(t, w)
		wantVerdict(t, o.carry("cecilia", "freeze sector=1"), wire.Done)
		if p := o.plan("cecilia", "broadcast hi"); p.Excluded["frozen"] != 3 {
			t.Errorf("after the freeze %d were seen frozen", p.Excluded["frozen"])
		}
		w.lag = time.Hour
		before := time.Now()
		wantVerdict(t, o.carry("cecilia", "thaw sector=1"), wire.Done)
		if waited := time.Since(before); waited > 2*seenTime {
			t.Errorf("waited %s for a replica that does not come", waited)
		}
	})
}

func TestAPlanCountsOnce(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("cecilia", "freeze sector=1")
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", p, 3), wire.Done)
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", p, 3), wire.WasRefused, "executed")
	if len(o.orders) != 1 {
		t.Errorf("executed %d times", len(o.orders))
	}
}

func TestWhatIsRefused(t *testing.T) {
	sector1 := "freeze sector=1"
	for _, test := range []struct {
		name string
		do   func(o *door) answer
		code wire.Code
	}{
		{"a person nobody knows", func(o *door) answer { return o.step("mallory", wire.StepRead, "status") }, wire.CodeForbidden},
		{"an observer plans", func(o *door) answer { return o.step("olga", wire.StepPlan, sector1) }, wire.CodeForbidden},
		{"an observer pulls the emergency", func(o *door) answer { return o.step("olga", wire.StepEmergency, "freeze") }, wire.CodeForbidden},
		{"no hash", func(o *door) answer { return o.step("cecilia", wire.StepExecute, sector1) }, wire.CodeStalePlan},
		{"a made-up hash", func(o *door) answer {
			return o.execute("cecilia", sector1, &wire.Plan{Hash: "0123456789abcdef"}, 3)
		}, wire.CodeStalePlan},
		{"another's plan", func(o *door) answer { return o.execute("bob", sector1, o.plan("cecilia", sector1), 3) }, wire.CodeStalePlan},
		{"a plan of another action", func(o *door) answer {
			return o.execute("cecilia", "freeze sector=2", o.plan("cecilia", sector1), 3)
		}, wire.CodeStalePlan},
		{"a plan of the same target with another reason", func(o *door) answer {
			return o.execute("cecilia", sector1+" --reason x", o.plan("cecilia", sector1), 3)
		}, wire.CodeStalePlan},
		{"a plan that has expired", func(o *door) answer {
			p := o.plan("cecilia", sector1)
			o.now = o.now.Add(PlanLife + time.Second)
			return o.execute("cecilia", sector1, p, 3)
		}, wire.CodeStalePlan},
		{"a wide plan without the number", func(o *door) answer { return o.execute("cecilia", sector1, o.plan("cecilia", sector1), 0) }, wire.CodeForbidden},
		{"a wide plan with a wrong number", func(o *door) answer { return o.execute("cecilia", sector1, o.plan("cecilia", sector1), 30) }, wire.CodeForbidden},
		{"an emergency thaw", func(o *door) answer { return o.step("cecilia", wire.StepEmergency, "thaw") }, wire.CodeForbidden},
		{"an emergency freeze of a part", func(o *door) answer { return o.step("cecilia", wire.StepEmergency, sector1) }, wire.CodeForbidden},
		{"a fault in a real agent", func(o *door) answer {
			o.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance { physical(&rows[0]); return rows })
			return o.step("cecilia", wire.StepPlan, "inject crash sector=1")
		}, wire.CodeForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := open(t, twoSectors())
			a := test.do(o)
			wantVerdict(t, a, wire.WasRefused)
			if a.Err == nil || a.Err.Code != test.code || a.Err.Hint == "" {
				t.Errorf("error %+v, want code %s and a hint", a.Err, test.code)
			}
			if len(o.orders)+len(o.operations)+len(o.injected) != 0 {
				t.Error("it was done all the same")
			}
			if test.name == "a person nobody knows" {
				return // a read
			}
			if n := len(o.audit); n != 1 || o.audit[0].Verdict != wire.WasRefused || o.audit[0].Reason == "" {
				t.Errorf("the attempt is not in the audit: %+v", o.audit)
			}
		})
	}
}

func TestAReadOnlyCoreRefusesEvenOperators(t *testing.T) {
	o := open(t, twoSectors(), func(o *Options) { o.ReadOnly = true })
	wantVerdict(t, o.step("cecilia", wire.StepPlan, "freeze"), wire.WasRefused, "read-only")
	wantVerdict(t, o.step("cecilia", wire.StepEmergency, "freeze"), wire.WasRefused, "read-only")
	wantVerdict(t, o.step("olga", wire.StepRead, "status"), wire.Done)
	if len(o.orders) != 0 {
		t.Error("frozen all the same")
	}
}

func TestAnAgentThatWasAddedMakesANewPlan(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("cecilia", "freeze sector=1")
	o.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance {
		return append(rows, agent("1.2.2", wire.ClassLocal))
	})
	a := o.execute("cecilia", "freeze sector=1", p, 3)
	wantVerdict(t, a, wire.WasRefused, "1 agent more")
	if a.Err.Code != wire.CodeStalePlan || a.plan == nil || a.plan.Count != 4 || a.plan.Hash == p.Hash || len(o.orders) != 0 {
		t.Fatalf("plan %+v, %d orders", a.plan, len(o.orders))
	}
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", a.plan, 4), wire.Done)
}

func TestAnAgentThatIsGoneIsNoMatter(t *testing.T) {
	o := open(t, twoSectors())
	p := o.plan("cecilia", "freeze sector=1")
	o.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance { return rows[1:] })
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", p, p.Count), wire.Done, "All 2 agents")
}

func TestOnlyDisruptiveOrLargeChangesAreWide(t *testing.T) {
	w := newWorld()
	for i := 1; i <= WideOver+1; i++ {
		w.picture.rows = append(w.picture.rows, agent("1.1."+thousands(i), wire.ClassEdge))
	}
	o := open(t, w)
	if o.plan("cecilia", "broadcast hi agent=1.1.1-1.1.30").Wide {
		t.Error("a change to 30 agents is wide")
	}
	if !o.plan("cecilia", "broadcast hi sector=1").Wide {
		t.Error("a change to 31 agents is not wide")
	}
	if !o.plan("cecilia", "freeze agent=1.1.1").Wide {
		t.Error("a disruptive action is not wide")
	}
	if o.plan("cecilia", "invite").Wide {
		t.Error("an invitation concerns no agents and is wide")
	}
}

func TestTheEmergencyFreezeTakesWhoeverIsThere(t *testing.T) {
	o := open(t, twoSectors())
	a := o.do("cecilia", wire.Do{Step: wire.StepEmergency})
	wantVerdict(t, a, wire.Done, "MESH FROZEN", "All 6 agents paused")
	if o.orders[0].Selector != "mesh" || len(o.audit) != 2 || o.audit[0].Step != wire.StepEmergency {
		t.Errorf("orders %+v, audit %+v", o.orders, o.audit)
	}
}

func TestNothingIsDoneWithoutAnAudit(t *testing.T) {
	o := open(t, twoSectors())
	o.auditFails = func(wire.AuditEntry) error { return errors.New("disk full") }
	wantVerdict(t, o.carry("cecilia", "freeze sector=1"), wire.WasRefused, "nothing was done", "disk full")
	wantVerdict(t, o.do("cecilia", wire.Do{Step: wire.StepEmergency}), wire.WasRefused, "nothing was done")
	if len(o.orders) != 0 {
		t.Error("frozen without an audit")
	}
}

func TestAnEndThatCannotBeWrittenIsNotShownAsSettled(t *testing.T) {
	o := open(t, twoSectors())
	o.auditFails = func(e wire.AuditEntry) error {
		if e.Verdict == wire.Done {
			return errors.New("disk full")
		}
		return nil
	}
	wantVerdict(t, o.carry("cecilia", "freeze sector=1"), wire.Internal, "All 3 agents paused", "could not be written")
}

func TestFreezeResolvesWhatChangesOnceAndHoldsWhatStays(t *testing.T) {
	o := open(t, twoSectors())
	wantVerdict(t, o.carry("cecilia", "freeze impedance>500,class=A"), wire.Done)
	if r := o.orders[0].Resolved; r.Len() != 1 || !r.Sector(1).Has(102) {
		t.Errorf("resolved %v", r)
	}
	wantVerdict(t, o.carry("cecilia", "freeze class=A"), wire.Done)
	if o.orders[1].Resolved != nil {
		t.Error("a standing target was resolved: newcomers would be missed")
	}
}

func TestWhoIsFrozenAlreadyIsLeftOutOfThePlanAndStillCovered(t *testing.T) {
	o := open(t, twoSectors())
	wantVerdict(t, o.carry("cecilia", "freeze agent=1.1.1"), wire.Done)
	p := o.plan("cecilia", "freeze sector=1")
	if p.Count != 2 || p.Excluded["frozen already"] != 1 {
		t.Errorf("plan %+v", p)
	}
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", p, 2), wire.Done, "All 3 agents")
	again := o.plan("cecilia", "freeze sector=1")
	if again.Count != 0 || again.Wide {
		t.Errorf("freezing the frozen: %+v", again)
	}
	wantVerdict(t, o.execute("cecilia", "freeze sector=1", again, 0), wire.Done)
}

func TestUndoTakesBackOnesOwnLastOrderAndThenTheOneBefore(t *testing.T) {
	o := open(t, twoSectors())
	wantVerdict(t, o.step("cecilia", wire.StepPlan, "undo"), wire.NothingMatched, "to take back")
	o.carry("cecilia", "freeze sector=1")
	o.carry("cecilia", "freeze class=D")
	o.carry("bob", "freeze sector=2")
	p := o.plan("cecilia", "undo")
	if p.Count != 1 || !strings.Contains(p.Text, "freeze of class=D") {
		t.Errorf("plan %+v", p)
	}
	wantVerdict(t, o.execute("cecilia", "undo", p, 1), wire.Done, "taken back")
	if last := o.orders[3]; last.Undoes != o.orders[1].Seq || !last.Thaw || last.Selector != "class=D" {
		t.Errorf("order %+v", last)
	}
	wantVerdict(t, o.carry("cecilia", "undo"), wire.Done)
	if last := o.orders[4]; last.Undoes != o.orders[0].Seq {
		t.Errorf("the second undo took back %d", last.Undoes)
	}
	wantVerdict(t, o.step("cecilia", wire.StepPlan, "undo"), wire.NothingMatched)
}

func TestAPlanOfUndoDoesNotUndoSomethingElse(t *testing.T) {
	o := open(t, twoSectors())
	o.carry("cecilia", "freeze sector=1")
	p := o.plan("cecilia", "undo")
	o.carry("cecilia", "thaw sector=1")
	o.carry("cecilia", "freeze sector=1")
	wantVerdict(t, o.execute("cecilia", "undo", p, p.Count), wire.WasRefused, "another action")
}

func TestTargetsThatCannotBeOrAreNotThere(t *testing.T) {
	o := open(t, twoSectors())
	for line, v := range map[string]wire.Verdict{
		"freeze sector=101":         wire.Usage,
		"freeze 1.9":                wire.Usage,
		"freeze sector=garden":      wire.Usage,
		"freeze host=nobody":        wire.NothingMatched,
		"freeze agent=1.2.9":        wire.NothingMatched,
		"freeze sector=1,class=D":   wire.NothingMatched,
		"broadcast hi state=frozen": wire.NothingMatched,
	} {
		wantVerdict(t, o.step("cecilia", wire.StepPlan, line), v)
	}
	if _, err := ParseLine("freeze sector=0"); err == nil {
		t.Error("sector 0 was accepted")
	}
	wantVerdict(t, o.do("cecilia", wire.Do{Step: wire.StepPlan, Action: []byte(`{"action":"freeze","target":"sector=0"}`)}), wire.Usage)
	wantVerdict(t, o.step("cecilia", wire.StepPlan, "freeze sector=kitchen"), wire.Done)
}

func TestAReadCannotBeExecutedNorAChangeRead(t *testing.T) {
	o := open(t, twoSectors())
	wantVerdict(t, o.step("cecilia", wire.StepExecute, "status"), wire.Usage)
	wantVerdict(t, o.step("cecilia", wire.StepRead, "freeze"), wire.Usage)
}

func TestBroadcastAddressesNeitherPeopleNorTheFrozen(t *testing.T) {
	o := open(t, twoSectors())
	o.change(func(rows []wire.AgentImpedance) []wire.AgentImpedance { frozen(&rows[0]); return rows })
	p := o.plan("cecilia", "broadcast hello --require-ack --ttl 5s")
	if p.Count != 4 || p.Excluded["class F"] != 1 || p.Excluded["frozen"] != 1 {
		t.Errorf("plan %+v", p)
	}
	a := o.execute("cecilia", "broadcast hello --require-ack --ttl 5s", p, 4)
	wantVerdict(t, a, wire.Done, "Broadcast complete: 4 received, 4 acknowledged")
	op := o.operations[0]
	if op.Targets.Len() != 6 || op.Addressed.Len() != 4 || !op.RequireAck || op.Deadline.Sub(op.Started) != 5*time.Second || op.PlanHash != p.Hash {
		t.Errorf("operation %+v", op)
	}
	m := op.Message
	if string(m.Payload) != `{"text":"hello"}` || m.PayloadHash != wire.HashPayload(m.Payload) || m.MessageID != op.ID || m.TTLMS != 5000 || m.Priority != 2 {
		t.Errorf("message %+v", m)
	}
	if n := o.plan("cecilia", "broadcast hello class=F").Count; n != 1 {
		t.Errorf("class F by name: %d addressed", n)
	}
}

func TestTheMissingOfABroadcastAreNamed(t *testing.T) {
	w := twoSectors()
	w.missing = []string{"a-1-1-1"}
	o := open(t, w)
	wantVerdict(t, o.carry("cecilia", "broadcast hello"), wire.Partial, "4 received", "Missing 1: a-1-1-1")
}

func TestAFreezeDoesNotWaitForABroadcast(t *testing.T) {
	w := twoSectors()
	w.block = make(chan struct{})
	o := open(t, w)
	p := o.plan("bob", "broadcast hello")
	begun, over := make(chan struct{}), make(chan wire.Verdict, 1)
	go func() {
		var once sync.Once
		o.d.Do(context.Background(), "bob", wire.Do{ID: "slow", Step: wire.StepExecute, Action: o.encode("broadcast hello"), Hash: p.Hash},
			func(m wire.Message) {
				once.Do(func() { close(begun) })
				if out, ok := m.(*wire.Outcome); ok {
					over <- out.Verdict
				}
			})
	}()
	<-begun
	wantVerdict(t, o.do("cecilia", wire.Do{Step: wire.StepEmergency}), wire.Done)
	select {
	case <-over:
		t.Fatal("the broadcast was over before the freeze: the test shows nothing")
	default:
	}
	close(w.block)
	if v := <-over; v != wire.Done {
		t.Errorf("broadcast: %s", v)
	}
}

func TestCloseEndsWhatGoesOnAndRefusesWhatComes(t *testing.T) {
	w := twoSectors()
	w.block = make(chan struct{})
	o := open(t, w)
	p := o.plan("bob", "broadcast hello")
	begun, over := make(chan struct{}), make(chan wire.Outcome, 1)
	go func() {
		var once sync.Once
		o.d.Do(context.Background(), "bob", wire.Do{ID: "slow", Step: wire.StepExecute, Action: o.encode("broadcast hello"), Hash: p.Hash},
			func(m wire.Message) {
				once.Do(func() { close(begun) })
				if out, ok := m.(*wire.Outcome); ok {
					over <- *out
				}
			})
	}()
	<-begun
	o.d.Close()
	if out := <-over; out.Verdict != wire.WasRefused || out.Err.Code != wire.CodeDraining {
		t.Errorf("what went on ended with %+v", out)
	}
	wantVerdict(t, o.step("cecilia", wire.StepRead, "status"), wire.WasRefused, "stopping")
}

func TestASilentOperationGivesSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := twoSectors()
		w.block = make(chan struct{})
		o := open(t, w)
		p := o.plan("bob", "broadcast hello")
		time.AfterFunc(10*LifeSign+LifeSign/2, func() { close(w.block) })
		a := o.execute("bob", "broadcast hello", p, 0)
		if a.progress < 9 {
			t.Errorf("%d signs of life in %s", a.progress, 10*LifeSign)
		}
	})
}

func TestAReplicaIsEveryBlockAndTheTopology(t *testing.T) {
	o := open(t, twoSectors())
	a := o.do("olga", wire.Do{Step: wire.StepReplica})
	wantVerdict(t, a, wire.Done, `"topology"`, `"mesh":"demo"`)
	if a.blocks != 4 {
		t.Errorf("%d blocks", a.blocks)
	}
}
