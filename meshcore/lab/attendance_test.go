package lab

import (
	"testing"
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore/wire"
)

func TestAllAreActiveWhenWhoLivesIs(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	// said is what the fleet says at second s: how many live, and how many
	// have crashed and returned since its start.
	said := func(s int, alive int, crashes, returns uint64) fleet.Counters {
		return fleet.Counters{
			At: noon.Add(time.Duration(s) * time.Second), Hosts: 10, Welcomed: 10,
			Agents: alive, Crashes: crashes, Returns: returns,
		}
	}
	unwelcome := said(60, 1000, 0, 0)
	unwelcome.Welcomed = 9
	for name, c := range map[string]struct {
		fleet  []fleet.Counters
		total  int
		active int
		want   bool
	}{
		"all":                                  {[]fleet.Counters{said(60, 1000, 0, 0)}, 1000, 1000, true},
		"one has not been heard":               {[]fleet.Counters{said(60, 1000, 0, 0)}, 1000, 999, false},
		"a host has not been welcomed":         {[]fleet.Counters{unwelcome}, 1000, 1000, false},
		"not all are enrolled":                 {[]fleet.Counters{said(60, 900, 0, 0)}, 900, 900, false},
		"the fleet has said nothing of agents": {[]fleet.Counters{{At: noon}}, 1000, 0, false},
		"who is away is not waited for":        {[]fleet.Counters{said(50, 990, 10, 0), said(60, 990, 10, 0)}, 1000, 990, true},
		"one who lives is missing":             {[]fleet.Counters{said(50, 990, 10, 0), said(60, 990, 10, 0)}, 1000, 989, false},
		"who has just returned has yet to beat": {
			[]fleet.Counters{said(50, 990, 10, 0), said(58, 993, 10, 3), said(60, 993, 10, 3)}, 1000, 990, true,
		},
		"more are missing than have returned": {
			[]fleet.Counters{said(50, 990, 10, 0), said(58, 993, 10, 3), said(60, 993, 10, 3)}, 1000, 989, false,
		},
		"who returned long ago has beaten": {
			[]fleet.Counters{said(40, 990, 10, 0), said(50, 993, 10, 3), said(60, 993, 10, 3)}, 1000, 990, false,
		},
		"the core has yet to hear of a crash": {
			[]fleet.Counters{said(50, 990, 10, 0), said(60, 988, 12, 0)}, 1000, 990, true,
		},
		"the core takes dead agents for active": {
			[]fleet.Counters{said(50, 990, 10, 0), said(56, 988, 12, 0), said(60, 988, 12, 0)}, 1000, 990, false,
		},
		"a fleet that was just born": {[]fleet.Counters{said(1, 995, 7, 2)}, 1000, 993, true},
	} {
		t.Run(name, func(t *testing.T) {
			var a attendance
			var got bool
			for _, f := range c.fleet {
				got = a.complete(1000, f, wire.GlobalStats{TotalAgents: c.total, ActiveAgents: c.active})
			}
			if got != c.want {
				t.Errorf("complete: %v, want %v", got, c.want)
			}
		})
	}
}

func TestAttendanceForgetsWhatNobodyAsksFor(t *testing.T) {
	var a attendance
	for s := range 1000 {
		a.complete(10, fleet.Counters{At: time.Unix(int64(s), 0)}, wire.GlobalStats{})
	}
	if n := len(a.lately); n > 20 {
		t.Errorf("%d status lines are kept, of some 14 seconds", n)
	}
}
