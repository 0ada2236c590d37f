package agentd

import (
	"time"

	"mesh30k/meshcore/wire"
)

// pace sets how often the cluster's heartbeat is sent. The first comes at a
// random place of the interval, which is then kept: 1,000 clusters that start
// together must not beat together.
func (l *loop) pace(c *cluster, every time.Duration) {
	if c.every == every {
		return
	}
	c.every = every
	c.beatRing = l.number()
	l.after(jitter(every), timer{what: ringBeat, cluster: c, number: c.beatRing})
}

func (l *loop) beatRings(t timer) {
	c := t.cluster
	if t.number != c.beatRing {
		return
	}
	late := l.now.Sub(t.at)
	t.at = l.now.Add(c.every - late%c.every)
	l.timers.push(t)
	if l.link.up && len(c.agents) > 0 {
		l.sendBeat(c)
	}
}

// sendBeat sends the heartbeats of all agents of the cluster that live.
func (l *loop) sendBeat(c *cluster) {
	beats := make([]wire.Beat, 0, len(c.agents))
	for _, a := range c.agents {
		switch {
		case !a.alive:
		case !l.leg(a):
			c.lost++
			l.stats.beatsLost.Add(1)
		default:
			beats = append(beats, l.beatOf(a))
		}
	}
	offset, bound, _ := l.clock.estimate(l.wall(l.now))
	c.beat++
	c.beatAt = time.Now() // as near to the wire as can be
	sent := l.say(wire.UplinkHeartbeat.Subject(c.address, l.cfg.Host), l.reply(replyBeat, c, c.beat), &wire.Heartbeat{
		Header: wire.Head(wire.TypeHeartbeat), Host: l.cfg.Host, Cluster: c.address,
		Incarnation: l.journal.incarnation, Seq: c.beat, SentAt: l.wall(c.beatAt),
		HostRTTMS: l.rttMS, ClockOffsetMS: ms(offset), ClockErrorMS: ms(bound),
		FreezeSeq: c.frozen.Seq, Agents: beats, Lost: c.lost,
	})
	if sent {
		c.lost = 0
		l.stats.heartbeats.Add(1)
		l.stats.beatsSent.Add(uint64(len(beats)))
	}
	l.countDropped()
}

// leg measures an emulated agent's leg, there and back; false: a trip was lost.
func (l *loop) leg(a *agent) bool {
	if a.emu == nil {
		return true
	}
	there, lost1 := a.emu.Leg(l.now)
	back, lost2 := a.emu.Leg(l.now)
	if lost1 || lost2 || a.fault.loses() {
		return false
	}
	a.profile.leg(there)
	a.profile.leg(back)
	return true
}

// beatOf is 4.1's report of one agent. A real agent lives in the host's own
// process: its leg takes no time, and its drift is that of the host's link.
func (l *loop) beatOf(a *agent) wire.Beat {
	a.profile.measure(&l.scratch)
	b := wire.Beat{
		AgentID: a.AgentID, Incarnation: a.incarnation(l.journal.incarnation),
		LatencyMS: a.profile.latencyMS, ProcessingMS: a.profile.processingMS,
		QueueDepth: a.queued(), Reliability: a.profile.reliability(l.now),
		Drift: a.profile.drift, Worked: a.worked, Samples: len(a.profile.processing.v),
	}
	if a.emu == nil {
		b.Drift = l.linkDrift
	}
	if a.hand != nil {
		b.InHand = 1
	}
	return b
}

// heartbeatAck takes a HEARTBEAT_ACK. Only that of the latest heartbeat tells
// the time.
func (l *loop) heartbeatAck(c *cluster, seq uint64, data []byte) error {
	var m wire.HeartbeatAck
	if err := wire.Decode(data, wire.TypeHeartbeatAck, &m); err != nil {
		return err
	}
	if seq == c.beat {
		l.exchange(c.beatAt, m.T2, m.T3)
	}
	if m.Frozen != nil {
		l.obey(c, *m.Frozen)
	}
	if m.Hello && !c.hello.open {
		l.sayHello(c)
	}
	return nil
}
