package lab_test

import (
	"testing"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

func TestATokenMadeBeforeTheCoreRanLetsOneHostIn(t *testing.T) {
	h := openHouse(t, 1)
	h.stopCore()
	token, err := h.home.FirstToken(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h.startCore()
	dir := t.TempDir()
	id, err := agentd.Enlist(t.Context(), token, "", dir, wire.Join{Host: "first", Sim: true, Agents: []wire.AgentSpec{{Class: wire.ClassEdge}}})
	if err != nil {
		t.Fatal(err)
	}
	h.live(id, dir)
	h.sees("its agent lives", active(1))

	_, err = agentd.Enlist(t.Context(), token, "", t.TempDir(), wire.Join{Host: "second", Agents: []wire.AgentSpec{{Class: wire.ClassEdge}}})
	if err := refusedWith(err, wire.CodeTokenUsed); err != nil {
		t.Error("the same token again, by another host:", err)
	}
}
