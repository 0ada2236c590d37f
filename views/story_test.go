package views

import (
	"fmt"
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

func TestDrillingDownFromTheMeshToAnAgentAndBack(t *testing.T) {
	s := openScreen(t, 120, 40)
	s.Press("right", "right", "l", "l", "l", "l").Sees("▸7", "sector 7", "notable", "7.4.12 ◐")
	s.Press("enter").Sees("mesh › 7", "7.10")
	s.Press("down", "j", "j", "enter").Sees("mesh › 7 › 7.4", "cluster 7.4 by state", "a7-4-12")
	s.Press("enter").Sees("agent 7.4.12", "CLASS_B_SERVERLESS  SIM", "impedance over 4 times its reference")
	if got := s.actions.read; len(got) != 1 || got[0] != "inspect agent=a7-4-12" {
		t.Errorf("asked the core %q", got)
	}
	s.Press("esc").Sees("cluster 7.4 by").Press("esc", "esc").Sees("sectors by impedance", "▸7").Press("esc").Sees("▸7")
}

func TestAFreezeIsShownBeforeItIsDone(t *testing.T) {
	s := openScreen(t, 120, 40).Press("f")
	s.Sees("300 agents in 10 clusters", "freeze sector=1", "type 300 and press enter", "4f2a91c0aa", "to reverse   thaw, or undo").ExecutedNothing()
	s.Wait(time.Second).Type("300").Press("enter").Executed("freeze sector=1").Sees("✓ FROZEN · All 300 agents paused · State preserved")
	if typed := s.actions.executed[0].typed; typed != 300 {
		t.Errorf("typed = %d", typed)
	}
	s.Press("t").Wait(time.Second).Type("300").Press("enter").Executed("freeze sector=1", "thaw sector=1")
}

func TestASmallChangeTakesOneKeyThatIsNotItsOwn(t *testing.T) {
	s := openScreen(t, 120, 40).Press("b").Sees(":broadcast").Type("hello cluster=7.4").Press("enter").Sees("Plan: broadcast hello cluster=7.4", "30 agents in 1 clusters", "y broadcast")
	s.Wait(time.Second).Press("b", "enter", " ", "3").ExecutedNothing().Sees("y to broadcast, esc to cancel")
	s.Press("y").Executed("broadcast hello cluster=7.4")
	s.Press("a", "I", "f").Sees("freeze agent=a7-4-12", "type 1 and press enter").Wait(time.Second)
	s.Press("f", "f", "enter", "y", "enter").Executed("broadcast hello cluster=7.4").Press("1", "enter").Executed("broadcast hello cluster=7.4", "freeze agent=a7-4-12")
}

func TestACardIsCancelledByDefault(t *testing.T) {
	for _, keys := range [][]string{{"esc"}, {"enter", "esc"}, {"3", "0", "enter", "esc"}, {"y", "esc"}, {"f", "enter", "esc"}} {
		s := openScreen(t, 120, 40).Press("f").Wait(time.Second).Press(keys...)
		s.ExecutedNothing().Sees("nothing was changed").SeesNot("type 300")
	}
	openScreen(t, 120, 40).Press("f").Wait(time.Second).Type("301").Press("enter").Sees("that is not 300").ExecutedNothing()
}

func TestWhatIsTypedAsACardAppearsIsNotMeantForIt(t *testing.T) {
	s := openScreen(t, 120, 40).Press("a", "I", "f").Wait(300*time.Millisecond).Press("1", "enter").ExecutedNothing().Sees("to freeze: _")
	s.Wait(100*time.Millisecond).Press("1", "enter").Executed("freeze agent=a7-4-12")
	openScreen(t, 120, 40).Press("f").Press("esc").Sees("nothing was changed") // cancelling is never too early
}

func TestAPlanThatComesLateDoesNotTakeTheKeysOfACommand(t *testing.T) {
	s := openScreen(t, 120, 40).Press("a", "I").Hold().Press("f").Press(":").Release()
	s.Type("111").Sees(":111").SeesNot("[esc cancel]").ExecutedNothing()
	s.Press("esc").Sees("freeze agent=a7-4-12", "[esc cancel]")
	s.Press("1", "enter").ExecutedNothing() // the card has only now appeared
	s.Wait(time.Second).Press("1", "enter").Executed("freeze agent=a7-4-12")
}

func TestAStalePlanIsShownAnew(t *testing.T) {
	s := openScreen(t, 120, 40).Press("f").Wait(time.Second)
	s.actions.fail = wire.Errorf(wire.CodeStalePlan, "an agent was added")
	s.Type("300").Press("enter").ExecutedNothing().Sees("this has changed since it was shown", "type 300 and press enter")
	s.Wait(time.Second).Type("300").Press("enter").Executed("freeze sector=1")
}

func TestOnlyTheLastOfTwoPlansIsShown(t *testing.T) {
	s := openScreen(t, 120, 40).Hold().Press("f", "right", "f")
	slices.Reverse(s.held) // the first is answered last
	s.Release()
	s.Sees("Plan: freeze sector=2").Wait(time.Second).Type("300").Press("enter").Executed("freeze sector=2").SeesNot("[esc cancel]")
}

func TestUndo(t *testing.T) {
	openScreen(t, 120, 40).Press("u").Sees("take back your freeze of sector=31").Wait(time.Second).Type("300").Press("enter").Executed("undo")
}

func TestTheEmergencyFreezeTakesTwoStrokes(t *testing.T) {
	s := openScreen(t, 120, 40).Press("ctrl+e")
	s.wantEmergencies(0).Press("ctrl+x").Sees("ARMED").wantEmergencies(0).Press("ctrl+e").wantEmergencies(1).SeesNot("ARMED").Sees("✓ 30,000 agents stopped")
	s.Press("ctrl+x").Wait(3 * time.Second).SeesNot("ARMED").Press("ctrl+e").wantEmergencies(1)
	s.Press("ctrl+x", "down", "ctrl+e").wantEmergencies(1)
	s.Press("ctrl+x", "ctrl+x").Sees("ARMED").wantEmergencies(1)
}

func TestTheEmergencyFreezeWorksEverywhere(t *testing.T) {
	for name, open := range map[string]func(*screen){
		"in a card":        func(s *screen) { s.Press("f") },
		"in the command":   func(s *screen) { s.Press(":").Type("broadcast hello") },
		"in the filter":    func(s *screen) { s.Press("/").Type("class=") },
		"in help":          func(s *screen) { s.Press("?") },
		"on an agent":      func(s *screen) { s.Press("a", "I", "enter") },
		"too small":        func(s *screen) { s.Resize(30, 8) },
		"without the core": func(s *screen) { s.Lose("connection refused") },
	} {
		t.Run(name, func(t *testing.T) {
			s := openScreen(t, 120, 40)
			open(s)
			s.Press("ctrl+x").Sees("ARMED").Press("ctrl+e").wantEmergencies(1)
		})
	}
}

func (s *screen) wantEmergencies(n int) *screen {
	s.t.Helper()
	if got := len(s.actions.freezes); got != n {
		s.t.Fatalf("%d emergency freezes, want %d", got, n)
	}
	return s
}

func TestAFilterIsATextOrASelector(t *testing.T) {
	s := openScreen(t, 120, 40).Press("/").Type("a7-4-1")
	s.Sees("a7-4-12", "1 of 11").Press("enter").Sees("/a7-4-1").Press("esc").Sees("of 30,000")
	s.Press("/").Type("class=D,sector=7").Sees("1 of 30").Press("enter", "f").Sees("freeze agent=a7-9-")
	s = openScreen(t, 120, 40).Press("/").Type("sector=101").Sees("no sector 101")
	s.Press("esc").Sees("of 30,000").Press("/").Type("nobody").Sees("no agent matches")
}

func TestTheCursorStaysOnItsAgentWhenRowsMove(t *testing.T) {
	s := openScreen(t, 120, 40).Press("a", "I", "down", "down", "down")
	was, _ := s.m.subject()
	moved := newPicture(100)
	moved.agents["a50-5-5"].ImpedanceMS = 100_000 // now the slowest
	s.Show(Update{Picture: moved}).Wait(time.Second)
	if is, _ := s.m.subject(); is.agent != was.agent || is.agent == "" {
		t.Errorf("the cursor went from %s to %s", was.agent, is.agent)
	}
	s.Sees("a50-5-5", "5 of 30,000")
}

func TestOrders(t *testing.T) {
	s := openScreen(t, 120, 40).Press("a").Sees("agents by state", "12.1.1").Press("I").Sees("agents by impedance")
	s.Press("A").Sees("agents by address").Press("A").Sees("by address, reversed", "100.10.30")
	s.Press("S").Sees("by state", "12.1.1")
	s.Press("Q").Sees("by queue", "7.4.12")
}

func TestTheCommandLine(t *testing.T) {
	s := openScreen(t, 120, 40).Press(":").Type("fr").Press("tab").Sees(":freeze ")
	s.Type("sec").Press("tab").Sees("freeze sector=").Type("7").Press("enter").Sees("type 300 and press enter to freeze")
	s.Press("esc")
	s.actions.answer = "Agents 29,952 / 30,000 active\nMode FULL"
	s.Press(":").Type("status").Press("enter").Sees("Agents 29,952", "Mode FULL").Press("esc").Sees("sectors by")
	s.actions.answer = "Agents 1\nMode X" // short enough for the status line, but it was asked for
	s.Press(":").Type("status").Press("enter").Sees("│ Mode X").Press("esc")
	s.Press(":").Type("explode").Press("enter").Sees("✗")
	s.Press(":", "up").Sees(":explode").Press("up").Sees(":status").Press("down", "down").SeesNot(":explode", ":status")
	s.ExecutedNothing()
}

func TestPastedTextNeverActs(t *testing.T) {
	s := openScreen(t, 120, 40).send(tea.PasteMsg{Content: "f"}).SeesNot("type 300")
	s.Press("a", "I", "f").Wait(time.Second).send(tea.PasteMsg{Content: "y"}).ExecutedNothing()
	s.Press("esc", ":").send(tea.PasteMsg{Content: "status\x1b[2J\n"}).Sees(":status")
}

func TestWhoMayOnlyReadIsOfferedNothingElse(t *testing.T) {
	s := openScreen(t, 120, 40, readOnly).Press("f", "t", "u", "b").SeesNot("[esc", ":broadcast").Sees("read-only").SeesNot("freeze everything")
	s.Press(":").Type("freeze sector=1").Press("enter").Sees("this console is read-only")
	s.Press("ctrl+x", "ctrl+e").wantEmergencies(0)
	s.Press("?").SeesNot("thaw what is selected")
	if len(s.actions.planned) != 0 {
		t.Errorf("planned %q", s.actions.planned)
	}
}

func TestTheFirstFrameSaysWhatIsWaitedFor(t *testing.T) {
	s := blankScreen(t, 80, 24, waitingForIt).Sees("starting core …")
	s.Lose("starting fleet …").Sees("starting fleet …").SeesNot("unreachable")
	s.Show(Update{Stats: wire.GlobalStats{TotalAgents: 30_000, ActiveAgents: 12_300}, Conn: ConnState{Why: "agents come"}}).Sees("agents 12,300/30,000")
	s.Show(Update{Picture: meshOf100, Stats: meshOf100.Stats()}).Sees("sectors by impedance")
}

func TestAWelcomeGoesWithTheFirstKey(t *testing.T) {
	openScreen(t, 80, 24, welcome).Sees("Welcome to the demo.").Press("f").SeesNot("Welcome").ExecutedNothing().Sees("sectors by impedance")
}

func TestALostCoreIsSaid(t *testing.T) {
	s := openScreen(t, 120, 40).Lose("connection refused").Sees("core unreachable, last seen 12:00:00, trying again", "sectors by impedance")
	s.Show(Update{Picture: meshOf100}).SeesNot("unreachable").Wait(10 * time.Second).Sees("data 10 s old")
	s.send(feedEndedMsg{}).Sees("no more news of the core")
}

func TestTextOfAgentsCannotTouchTheScreen(t *testing.T) {
	s := openScreen(t, 120, 40).Sees("handler said \ufffd[2J\ufffdgniht dab")
	s.Press("a", "I", "enter").Sees("named \ufffd]0;evil\ufffd here").Press("esc", "esc")
	s.actions.answer = "\x1b]52;c;aGk=\x07 stolen\rline"
	s.Press("a", "I", "enter").Sees("\ufffd]52;c;aGk=\ufffd stolen\ufffdline")
}

func TestWhatWasSaidMakesRoomAfterAWhile(t *testing.T) {
	s := openScreen(t, 60, 15).Press("f").Wait(time.Second).Type("300").Press("enter").Sees("✓ FROZEN").SeesNot("? help")
	s.Press("down").Sees("✓ FROZEN").Wait(11 * time.Second).SeesNot("FROZEN").Sees("? help")
	s.actions.answer = "Agents 1\nMode X" // short enough for the status line, but it was asked for
	s.Press(":").Type("status").Press("enter").Sees("│ Mode X").Press("esc")
	s.Press(":").Type("explode").Press("enter").Sees("✗").Wait(time.Minute).Sees("✗").Press("down").SeesNot("✗")
}

func TestProgressIsShownUntilTheOutcome(t *testing.T) {
	s := openScreen(t, 120, 40).Press("f").Wait(time.Second).Type("300")
	s.Hold().Press("enter").Sees("freeze …")
	s.m.jobs[0].latest.Store(&wire.Progress{Done: 120, Total: 300, Text: "stopped"})
	s.hold = false
	s.Wait(beat).Sees("freeze: 120 of 300  stopped").Release().Sees("✓ FROZEN")
}

func TestTheFeedDoesNotSayTwiceWhatWentWell(t *testing.T) {
	audit := func(v wire.Verdict) []wire.Fact {
		data, err := json.Marshal(wire.AuditEntry{Person: "cecilia", Verdict: v})
		if err != nil {
			t.Fatal(err)
		}
		return []wire.Fact{{At: noon, Kind: wire.FactAudit, Text: "cecilia: freeze " + string(v), Data: data}}
	}
	s := openScreen(t, 120, 40).Show(Update{Facts: audit(wire.Done)}).SeesNot("cecilia: freeze")
	s.Show(Update{Facts: audit(wire.WasRefused)}).Sees("cecilia: freeze refused")
}

func TestTheFeedStandsStillForWhoReadsIt(t *testing.T) {
	s := openScreen(t, 80, 24).Press("e").Sees("handler said")
	many := make([]wire.Fact, 60)
	for i := range many {
		many[i] = wire.Fact{At: noon, Text: fmt.Sprintf("line %d.", i)}
	}
	s.Show(Update{Facts: many}).Sees("line 59.").Press("pgup").SeesNot("line 59.").Sees("line 30.")
	s.Show(Update{Facts: many[:5]}).Sees("line 30.").SeesNot("line 0.").Press("end").Sees("line 4.")
}

func TestTheCursorStaysInSightWhenACardTakesItsPlace(t *testing.T) {
	openScreen(t, 60, 15).Press("end").Sees("▸100").Press("f").Sees("▸100", "type 300")
}

func TestAClickSelectsAndNeverActs(t *testing.T) {
	s := openScreen(t, 120, 40)
	s.send(tea.MouseClickMsg{X: 2 + 6*9, Y: 2, Button: tea.MouseLeft}).Sees("▸7").ExecutedNothing()
	s.Press("f").send(tea.MouseClickMsg{X: 2, Y: 2, Button: tea.MouseLeft}).Wait(time.Second).Press("esc").Sees("▸7")
}

func TestNothingIsConfirmedUnseen(t *testing.T) {
	s := openScreen(t, 120, 40).Press("f").Wait(time.Second).Resize(40, 10).Type("300").Press("enter").ExecutedNothing()
	s.Press("f", ":", "a").Resize(120, 40).Sees("to freeze: _")
	s.Resize(40, 10).Press("esc").Resize(120, 40).SeesNot("[esc cancel]").Resize(40, 10).Press("q")
	if !s.quit {
		t.Error("q does not leave")
	}
}

func TestNoSizeBreaksTheScreen(t *testing.T) {
	s := openScreen(t, 120, 40)
	for i, keys := range [][]string{nil, {"enter"}, {"enter"}, {"enter"}, {"esc", "f"}, {"esc", "esc", "esc", "a", "S"}, {"/"}, {"esc", "?"}, {"esc", "e"}, {":"}} {
		s.Press(keys...)
		for w := 1; w <= 250; w += 7 {
			for h := 1; h <= 70; h += 3 {
				s.Resize(w, h).wantFrame(w, h, fmt.Sprint(i))
			}
		}
		s.Resize(120, 40)
	}
}

// wantFrame demands that the screen is filled exactly.
func (s *screen) wantFrame(w, h int, where string) {
	s.t.Helper()
	rows := splitRows(s.text())
	if w >= minWidth && h >= minHeight && len(rows) != h {
		s.t.Fatalf("%s at %dx%d: %d rows\n%s", where, w, h, len(rows), s.text())
	}
	for _, r := range rows {
		if n := cells(r); n > w || (n != w && w >= minWidth && h >= minHeight) {
			s.t.Fatalf("%s at %dx%d: a row of %d cells: %q", where, w, h, n, r)
		}
	}
}
