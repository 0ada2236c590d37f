package registry

import (
	"time"

	"mesh30k/meshcore/wire"
)

// Patience is how long after a heartbeat was due it may be folded without
// counting as missed (rulings: missed_heartbeats).
const Patience = 2 * time.Second

// BeatResult says what became of a heartbeat.
type BeatResult struct {
	Folded  int      // beats that updated a row
	Foreign []string // agents that this host has not enrolled in this cluster
	Heard   []string // agents that were offline or never heard, and now are
	Stale   bool     // the heartbeat is older than the host's latest: nothing was folded
}

// Beat folds a host's heartbeat of one cluster into the rows of the agents that
// this host has enrolled there. Others are counted and named; a heartbeat from
// before the host's latest (an older incarnation, or a sequence that has passed)
// is counted and dropped, and so is the beat of an agent's earlier incarnation.
func (s *Sector) Beat(now time.Time, hb *wire.Heartbeat) (res BeatResult) {
	c := s.cluster(hb.Cluster)
	var l *link
	if c != nil {
		l = c.hosts[hb.Host]
	}
	if l == nil { // nothing is kept of hosts that have no agent here: they could be many
		for i := range hb.Agents {
			res.Foreign = append(res.Foreign, hb.Agents[i].AgentID)
		}
		s.counters.Foreign += uint64(len(hb.Agents))
		return res
	}
	if hb.Incarnation < l.incarnation || hb.Incarnation == l.incarnation && hb.Seq <= l.seq {
		s.counters.Stale++
		res.Stale = true
		return res
	}
	l.incarnation, l.seq = hb.Incarnation, hb.Seq
	c.own()
	for i := range hb.Agents {
		s.fold(now, c, hb, &hb.Agents[i], &res)
	}
	s.counters.Beats += uint64(res.Folded)
	return res
}

func (s *Sector) fold(now time.Time, c *cluster, hb *wire.Heartbeat, b *wire.Beat, res *BeatResult) {
	a := s.byID[b.AgentID]
	if a == nil || a.in != c || a.row().Host != hb.Host {
		res.Foreign = append(res.Foreign, b.AgentID)
		s.counters.Foreign++
		return
	}
	r := a.row()
	if b.Incarnation < r.Incarnation {
		s.counters.Stale++
		return
	}
	if r.State == wire.Offline {
		res.Heard = append(res.Heard, r.AgentID)
	}
	if a.index > 0 && b.ContextHash == c.rows[a.index-1].ContextHash {
		b.ContextHash = c.rows[a.index-1].ContextHash // one copy of what neighbours share
	}
	measure(r, hb, b)
	r.LastHeartbeat = now.UTC()
	derive(r)
	a.missed = 0
	res.Folded++
}

// measure takes over what a beat says.
func measure(r *wire.AgentImpedance, hb *wire.Heartbeat, b *wire.Beat) {
	r.LatencyMS = hb.HostRTTMS + b.LatencyMS
	r.ProcessingMS = b.ProcessingMS
	if b.Samples == 0 {
		r.ProcessingMS = PriorProcessingMS(r.Class)
	}
	r.QueueDepth, r.InHand = b.QueueDepth, b.InHand
	r.Reliability, r.Drift = b.Reliability, b.Drift
	r.Incarnation, r.Worked = b.Incarnation, b.Worked
	if b.ContextHash != "" && b.ContextHash != r.ContextHash {
		r.ContextHash = b.ContextHash
	}
}

// Due counts the heartbeats that living agents owed by their schedule (one
// interval after the last, and so on) and that were not folded within
// [Patience]: each once. It returns how many it counted in this call. An agent
// that was never heard, is offline or in quarantine owes none.
func (s *Sector) Due(now time.Time, interval time.Duration) (missed int) {
	for _, c := range s.clusters {
		for i, a := range c.agents {
			r := &c.rows[i]
			late := now.Sub(r.LastHeartbeat) - Patience
			if late <= 0 || !r.State.Heard() {
				continue
			}
			if owed := int((late - 1) / interval); owed > a.missed {
				missed += owed - a.missed
				a.missed = owed
			}
		}
	}
	s.counters.BeatsMissed += uint64(missed)
	return missed
}
