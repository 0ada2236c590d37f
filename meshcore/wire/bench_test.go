package wire

import (
	"fmt"
	"testing"
)

// A heartbeat of a full cluster is what a core decodes most: 200 a second for
// 30,000 agents.
func BenchmarkHeartbeat(b *testing.B) {
	h := *kinds[TypeHeartbeat].sample.(*Heartbeat)
	beat := h.Agents[0]
	h.Agents = nil
	for i := range 30 {
		beat.AgentID = fmt.Sprintf("pi-kitchen-%d", i)
		h.Agents = append(h.Agents, beat)
	}
	data := Encode(&h)
	b.Run("Encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			Encode(&h)
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var m Heartbeat
			if err := Decode(data, TypeHeartbeat, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
