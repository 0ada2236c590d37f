package lab

import (
	"testing"

	"mesh30k/meshcore/wire"
)

func heartbeat(beats int) []byte {
	hb := &wire.Heartbeat{Header: wire.Head(wire.TypeHeartbeat), Host: "sim", Cluster: wire.Address{Sector: 7, Cluster: 4}}
	for range beats {
		hb.Agents = append(hb.Agents, wire.Beat{AgentID: "sim-1", Incarnation: 1})
	}
	return wire.Encode(hb)
}

func TestTheWitnessCountsBeats(t *testing.T) {
	for _, want := range []int{0, 1, 30} {
		if n, err := countBeats(heartbeat(want)); err != nil || n != uint64(want) {
			t.Errorf("%d beats: counted %d, %v", want, n, err)
		}
	}
	n, err := countBeats([]byte(`{"agents":[{"agents":[{},{}]},{}],"later":{"agents":[{},{}]}}`))
	if err != nil || n != 2 {
		t.Errorf("agents within agents: counted %d, %v; want 2", n, err)
	}
	for _, bad := range []string{``, `[]`, `{"agents":[{}`, `{"agents":[}`, `{`} {
		if n, err := countBeats([]byte(bad)); err == nil {
			t.Errorf("%q is no heartbeat and counts as %d", bad, n)
		}
	}
}

// FuzzCountBeats: whatever comes, the count is that of the decoder, or an error.
func FuzzCountBeats(f *testing.F) {
	f.Add(heartbeat(2))
	f.Add([]byte(`{"agents":[{}],"agents":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := countBeats(data)
		var hb wire.Heartbeat
		if wire.Decode(data, wire.TypeHeartbeat, &hb) == nil && (err != nil || n != uint64(len(hb.Agents))) {
			t.Errorf("counted %d (%v), decoded %d: %s", n, err, len(hb.Agents), data)
		}
	})
}
