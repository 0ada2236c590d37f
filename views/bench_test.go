package views

import (
	"testing"

	tea "charm.land/bubbletea/v2"
)

// A key and the frame after it, at 30,000 agents on 200x60; the budget is 2 ms.
func BenchmarkKeyToFrame(b *testing.B) {
	for name, keys := range map[string][]string{"mesh": nil, "sector": {"enter"}, "agents": {"a"}, "card": {"f"}} {
		b.Run(name, func(b *testing.B) {
			s := openScreen(&testing.T{}, 200, 60).Press(keys...)
			down, up := tea.KeyPressMsg{Code: tea.KeyDown}, tea.KeyPressMsg{Code: tea.KeyUp}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				msg := down
				if i%2 == 1 {
					msg = up
				}
				s.m.Update(msg)
				_ = s.m.View()
			}
		})
	}
}

// A new scene and the frame after it: what the feed costs the event loop.
func BenchmarkSceneToFrame(b *testing.B) {
	s := openScreen(&testing.T{}, 200, 60)
	scenes := [2]*scene{s.m.scene, s.m.scene.next(Update{Picture: meshOf100, Conn: ConnState{Up: true}})}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.m.Update(sceneMsg{scene: scenes[i%2]})
		_ = s.m.View()
	}
}

// A message that changes nothing on the screen.
func BenchmarkIdleFrame(b *testing.B) {
	s := openScreen(&testing.T{}, 200, 60)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.m.View()
	}
}

// Off the event loop: the digest of a picture, and a roster of all agents.
func BenchmarkDigest(b *testing.B) {
	for b.Loop() {
		(&scene{}).next(Update{Picture: meshOf100})
	}
}

func BenchmarkRoster(b *testing.B) {
	s := (&scene{}).next(Update{Picture: meshOf100})
	for name, q := range map[string]query{"all": {sort: byImpedance}, "text": {sort: byImpedance, filter: "a7"}, "selector": {sort: byState, filter: "class=D"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				collect(s, q, "a7-4-12")
			}
		})
	}
}
