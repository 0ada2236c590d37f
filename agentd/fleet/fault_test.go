package fleet

import (
	"testing"

	"mesh30k/meshcore/wire"
)

func TestAStalledAgentBeatsAndWorksNothingUntilRevived(t *testing.T) {
	agents := sector(60)
	l := newLeads(t, agents)
	startFleet(t, l, quick(), "")
	l.until("all 60 beat", func() bool { return len(l.beats) == 60 })

	l.inject(wire.FaultStall, 0, "sim-3")
	l.send("m-1")
	l.until("all but the stalled have worked m-1", func() bool { return l.states["m-1"][wire.Worked] == 59 })
	beats := l.beatsOf("sim-3")
	l.until("the stalled agent beats on, m-1 in its queue or hand", func() bool {
		b := l.beats["sim-3"]
		return l.beaten["sim-3"] > beats+3 && b.QueueDepth+b.InHand > 0
	})
	l.inject(wire.FaultRevive, 0, "sim-3")
	l.until("revived, it works m-1", func() bool { return l.states["m-1"][wire.Worked] == 60 })
}

func TestInjectedLossIsNamedAndEndsByItself(t *testing.T) {
	agents := sector(30)
	l := newLeads(t, agents)
	f, stop := startFleet(t, l, quick(), "")
	l.until("all 30 beat", func() bool { return len(l.beats) == 30 })

	l.order(func(cluster wire.Address) wire.Message {
		return &wire.Inject{Header: wire.Head(wire.TypeInject), Cluster: cluster, Agents: []string{"sim-9"}, Fault: wire.FaultLoss, Factor: 1, ForMS: 500}
	})
	l.until("heartbeats say that some were lost", func() bool { return l.lost >= 2 })
	beats := l.beatsOf("sim-9")
	l.until("sim-9 beats again when the time is over", func() bool { return l.beaten["sim-9"] > beats })
	stop()
	if c := f.Counters(); c.BeatsLost < 2 || c.BeatsLost > 20 {
		t.Errorf("%d beats counted as lost; one agent's of half a second were", c.BeatsLost)
	}
}

func TestACutHostComesBackByItself(t *testing.T) {
	agents := sector(30)
	l := newLeads(t, agents)
	startFleet(t, l, quick(), "")
	l.until("all 30 beat", func() bool { return len(l.beats) == 30 })

	hellos := l.hellosNow()
	l.inject(wire.FaultCut, 300)
	l.until("the host says HELLO again after the cut", func() bool { return l.hellos > hellos })
	beats := l.beatsOf("sim-1")
	l.until("it beats again", func() bool { return l.beaten["sim-1"] > beats })
}
