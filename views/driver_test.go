package views

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// screen drives the model as a person would, without a terminal, and reads what
// she would see. Its clock stands still unless Wait moves it.
type screen struct {
	t       *testing.T
	m       *model
	actions *fakeActions
	clock   time.Time
	timers  []timer
	quit    bool
	hold    bool      // commands wait until Release
	held    []tea.Cmd //
}

type timer struct {
	at  time.Time
	msg func(time.Time) tea.Msg
}

type option func(*Options)

func readOnly(o *Options)     { o.ReadOnly = true }
func noColor(o *Options)      { o.NoColor = true }
func welcome(o *Options)      { o.Welcome = "Welcome to the demo.\nPress any key." }
func waitingForIt(o *Options) { o.Waiting = "starting core …" }

// openScreen shows a mesh of 100 sectors on a terminal of w x h.
func openScreen(t *testing.T, w, h int, options ...option) *screen {
	t.Helper()
	s := blankScreen(t, w, h, options...)
	return s.Show(Update{Picture: s.actions.picture, Stats: s.actions.picture.Stats(), Facts: fakeFacts()})
}

// blankScreen has had no update yet.
func blankScreen(t *testing.T, w, h int, options ...option) *screen {
	t.Helper()
	a := &fakeActions{picture: meshOf100}
	o := Options{Actions: a}
	for _, f := range options {
		f(&o)
	}
	s := &screen{t: t, m: newModel(context.Background(), o), actions: a, clock: noon}
	s.m.now = func() time.Time { return s.clock }
	s.m.after = func(d time.Duration, msg func(time.Time) tea.Msg) tea.Cmd {
		s.timers = append(s.timers, timer{s.clock.Add(d), msg})
		return nil
	}
	s.run(s.m.Init())
	return s.Resize(w, h)
}

// meshOf100 is shared: nothing changes a picture.
var meshOf100 = newPicture(100)

func (s *screen) send(msg tea.Msg) *screen {
	_, cmd := s.m.Update(msg)
	s.run(cmd)
	_ = s.m.View()
	return s
}

func (s *screen) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	if s.hold {
		s.held = append(s.held, cmd)
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	case tea.QuitMsg:
		s.quit = true
	default:
		s.send(msg)
	}
}

// Hold keeps commands from ending, as a slow core would.
func (s *screen) Hold() *screen { s.hold = true; return s }

// Release lets them end.
func (s *screen) Release() *screen {
	held := s.held
	s.hold, s.held = false, nil
	for _, c := range held {
		s.run(c)
	}
	return s
}

// Show gives the screen an update whose link is up, as of now.
func (s *screen) Show(u Update) *screen {
	u.Conn.Up = u.Conn.Why == ""
	if u.At.IsZero() {
		u.At = s.clock
	}
	return s.send(sceneMsg{s.m.scene.next(u), eventsOf(u)})
}

// Lose cuts the link.
func (s *screen) Lose(why string) *screen {
	return s.Show(Update{Conn: ConnState{Why: why, Since: s.clock}})
}

func (s *screen) Resize(w, h int) *screen { return s.send(tea.WindowSizeMsg{Width: w, Height: h}) }

// Wait moves the clock and lets timers that are due ring.
func (s *screen) Wait(d time.Duration) *screen {
	s.clock = s.clock.Add(d)
	due := s.timers
	s.timers = nil
	for _, x := range due {
		if x.at.After(s.clock) {
			s.timers = append(s.timers, x)
		} else {
			s.send(x.msg(s.clock))
		}
	}
	return s
}

var special = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd,
}

// Press strikes keys, one after the other.
func (s *screen) Press(keys ...string) *screen {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k}
		if code, ok := special[k]; ok {
			msg = tea.KeyPressMsg{Code: code}
		} else if c, ok := strings.CutPrefix(k, "ctrl+"); ok {
			msg = tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
		} else {
			msg.Code = []rune(k)[0]
		}
		s.send(msg)
	}
	return s
}

// Type strikes each letter.
func (s *screen) Type(text string) *screen {
	for _, r := range text {
		s.Press(string(r))
	}
	return s
}

func (s *screen) text() string { return ansi.Strip(s.m.View().Content) }

func (s *screen) Sees(want ...string) *screen {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(s.text(), w) {
			s.t.Fatalf("the screen does not show %q:\n%s", w, s.text())
		}
	}
	return s
}

func (s *screen) SeesNot(unwanted ...string) *screen {
	s.t.Helper()
	for _, w := range unwanted {
		if strings.Contains(s.text(), w) {
			s.t.Fatalf("the screen shows %q:\n%s", w, s.text())
		}
	}
	return s
}

// Executed demands that exactly these lines have been executed.
func (s *screen) Executed(lines ...string) *screen {
	s.t.Helper()
	var got []string
	for _, e := range s.actions.executed {
		got = append(got, e.line)
	}
	if strings.Join(got, "; ") != strings.Join(lines, "; ") {
		s.t.Fatalf("executed: %q, want %q\n%s", got, lines, s.text())
	}
	return s
}

func (s *screen) ExecutedNothing() *screen { s.t.Helper(); return s.Executed() }
