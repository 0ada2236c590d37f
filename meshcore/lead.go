package meshcore

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// lead is a cluster's lead: what it knows of the hosts of its agents beside
// the registry's rows.
type lead struct {
	cluster wire.Address
	hosts   map[string]*hostTalk
	frozen  wire.FrozenState // what the hosts shall obey
}

// hostTalk is a lead's talk with one host.
type hostTalk struct {
	obeys     uint64 // Seq of the FrozenState that the host has acknowledged
	inHand    int    // work in hand when it stopped
	stoppedAt time.Time
	greet     bool       // its agents have changed since its last HELLO
	durable   reportMark // latest report that is durable
	writing   reportMark // latest report that is being written
	warnedAt  time.Time  // of the last violation that became a fact
}

func newLead(cluster wire.Address) *lead {
	return &lead{cluster: cluster, hosts: map[string]*hostTalk{}}
}

// host returns the talk with an enrolled host, nil for a stranger.
func (l *lead) host(name string) *hostTalk { return l.hosts[name] }

// onHello answers a host that starts or comes back with its agents and whether
// they are frozen. A stranger gets an ERROR that says why.
func (s *shard) onHello(l *lead, host string, m *nats.Msg, now time.Time) {
	var h wire.Hello
	if err := wire.Decode(m.Data, wire.TypeHello, &h); err != nil {
		s.counters.Undecodable++
		s.respond(m, wire.Errorf(wire.CodeBadMessage, "%v", err))
		return
	}
	if refusal := s.refuse(l, host, &h); refusal != nil {
		s.respond(m, refusal)
		return
	}
	talk := l.host(host)
	talk.greet = false
	s.hurry(l, host)
	s.respond(m, &wire.Welcome{
		Header:      wire.Head(wire.TypeWelcome),
		Cluster:     l.cluster,
		Agents:      s.enrolled(l, host),
		Frozen:      l.frozen,
		HeartbeatMS: int(s.cfg.heartbeat / time.Millisecond),
		MaxQueue:    s.cfg.maxQueue,
		ReceivedAt:  now,
		SentAt:      time.Now(),
	})
}

// hurry makes due at once what a host that comes back has not answered: it need
// not wait for the end of a backoff that began while the host was away.
func (s *shard) hurry(l *lead, host string) {
	if len(s.ops) == 0 {
		return
	}
	var its wire.Bits
	for row := range s.reg.Rows(l.cluster) {
		if row.Host == host {
			its.Add(row.Ordinal)
		}
	}
	for _, d := range s.ops {
		d.set.Hurry(its)
		d.dirty = true
	}
	s.flushSoon()
}

// enrolled are the agents of a host in a cluster, as WELCOME tells them.
func (s *shard) enrolled(l *lead, host string) []wire.Enrolled {
	var agents []wire.Enrolled
	for r := range s.reg.Rows(l.cluster) {
		if r.Host == host {
			agents = append(agents, wire.Enrolled{
				AgentID: r.AgentID, Class: r.Class, Address: r.Address, Ordinal: r.Ordinal, Host: r.Host,
				Capabilities: r.Capabilities, Hold: r.Hold, Labels: r.Labels, Sim: r.Sim,
			})
		}
	}
	return agents
}

// refuse says why a host may not speak here, nil if it may.
func (s *shard) refuse(l *lead, host string, h *wire.Hello) *wire.Error {
	switch {
	case h.Mesh != s.cfg.mesh:
		return wire.Errorf(wire.CodeOtherMesh, "host %s belongs to mesh %s, this is %s", host, h.Mesh, s.cfg.mesh).
			WithHint("join it with a token of this mesh: mesh30k invite host")
	case h.Host != host || h.Cluster != l.cluster:
		s.counters.Foreign++
		return wire.Errorf(wire.CodeBadMessage, "HELLO of %s in %s came on the subject of %s in %s", h.Host, h.Cluster, host, l.cluster)
	case l.host(host) == nil:
		return wire.Errorf(wire.CodeNotEnrolled, "no agent of host %s is enrolled in cluster %s", host, l.cluster).
			WithHint("join it with a token: mesh30k invite host")
	}
	return nil
}

// onHeartbeat folds a host's heartbeats and answers with the times for its
// clock, and with what it has missed.
func (s *shard) onHeartbeat(l *lead, host string, m *nats.Msg, now time.Time) {
	var hb wire.Heartbeat
	if err := wire.Decode(m.Data, wire.TypeHeartbeat, &hb); err != nil {
		s.counters.Undecodable++
		return
	}
	talk := l.host(host)
	if hb.Host != host || hb.Cluster != l.cluster {
		s.counters.Foreign++
		return
	}
	ack := &wire.HeartbeatAck{Header: wire.Head(wire.TypeHeartbeatAck), Seq: hb.Seq, T1: hb.SentAt, T2: now}
	if talk == nil {
		ack.Hello = true // its HELLO will tell it why not
	} else {
		folded := s.reg.Beat(now, &hb)
		s.heard(l, folded.Heard, now)
		s.violation(l, host, talk, folded.Foreign, now)
		ack.Hello = talk.greet
		if hb.FreezeSeq != l.frozen.Seq {
			frozen := l.frozen
			ack.Frozen = &frozen
		}
	}
	ack.T3 = time.Now()
	s.respond(m, ack)
}

// heard notes agents that had been taken for silent, and not those that are
// heard for the first time: their enrolment is a fact already.
func (s *shard) heard(l *lead, agents []string, now time.Time) {
	var back []string
	for _, id := range agents {
		if s.silent[id] {
			delete(s.silent, id)
			back = append(back, id)
		}
	}
	if len(back) > 0 {
		s.note(now, wire.FactHeard, l.cluster, back, fmt.Sprintf("%d agents of %s heard again", len(back), l.cluster))
	}
}

// violation counts ids that this host did not enrol, and makes it a fact, once
// a minute and host at most.
func (s *shard) violation(l *lead, host string, talk *hostTalk, foreign []string, now time.Time) {
	if len(foreign) == 0 || now.Sub(talk.warnedAt) < time.Minute {
		return
	}
	talk.warnedAt = now
	s.cfg.scribe.write([]wire.Fact{{
		At: now, Kind: wire.FactForeignID, Actor: "core", Address: l.cluster, Host: host,
		Text: fmt.Sprintf("host %s spoke for %d agents that it did not enrol, such as %s; they were dropped", host, len(foreign), wire.Clean(foreign[0])),
		Data: encodeData(wire.AgentList{Agents: foreign}),
	}}, nil)
}

// onReport makes a host's report durable, then answers. A repeat of one that is
// durable is answered at once.
func (s *shard) onReport(l *lead, host string, m *nats.Msg, now time.Time) {
	var r wire.Report
	if err := wire.Decode(m.Data, wire.TypeReport, &r); err != nil {
		s.counters.Undecodable++
		s.respond(m, wire.Errorf(wire.CodeBadMessage, "%v", err))
		return
	}
	talk := l.host(host)
	if talk == nil || r.Host != host || r.Cluster != l.cluster {
		s.counters.Foreign++
		return
	}
	answer := &wire.Reported{Header: wire.Head(wire.TypeReported), Seq: r.Seq}
	this := reportMark{r.Incarnation, r.Seq}
	switch {
	case !talk.durable.before(this):
		s.respond(m, answer)
		return
	case !talk.writing.before(this):
		return // being written; answered when it is durable
	}
	talk.writing = this
	facts := s.reportFacts(l, host, talk, &r, now)
	if len(facts) == 0 {
		talk.durable = this
		s.respond(m, answer)
		return
	}
	s.cfg.scribe.write(facts, func(_ []wire.Fact, err error) {
		s.later(func(time.Time) {
			if err != nil {
				talk.writing = talk.durable // not answered: the host repeats it
				return
			}
			talk.durable = this
			s.respond(m, answer)
		})
	})
}

// reportMark orders the reports of a host.
type reportMark struct{ incarnation, seq uint64 }

func (m reportMark) before(o reportMark) bool {
	return m.incarnation < o.incarnation || m.incarnation == o.incarnation && m.seq < o.seq
}

// reportFacts turns a report into facts and lets the registry know.
func (s *shard) reportFacts(l *lead, host string, talk *hostTalk, r *wire.Report, now time.Time) []wire.Fact {
	kinds := map[wire.ReportKind]wire.FactKind{
		wire.ReportCrash:    wire.FactCrash,
		wire.ReportReturn:   wire.FactReturn,
		wire.ReportLeaving:  wire.FactHostLeaving,
		wire.ReportRejected: wire.FactRejected,
	}
	var facts []wire.Fact
	var foreign []string
	for i, it := range r.Items {
		kind, known := kinds[it.Kind]
		if !known {
			continue // of a later minor version
		}
		place := l.cluster
		if it.AgentID != "" {
			row := s.reg.Agent(it.AgentID)
			if row == nil || row.Host != host {
				foreign = append(foreign, it.AgentID)
				continue
			}
			place = row.Address
		}
		switch it.Kind {
		case wire.ReportCrash:
			s.reg.MarkOffline(it.AgentID)
		case wire.ReportLeaving:
			s.reg.HostLeft(l.cluster, host)
		default: // a heartbeat tells of a return; the rest changes nothing here
		}
		facts = append(facts, wire.Fact{
			ID: fmt.Sprintf("%s/%s/%d/%d/%d", host, l.cluster, r.Incarnation, r.Seq, i),
			At: now, Kind: kind, Actor: "host", Address: place, AgentID: it.AgentID, Host: host,
			Text: reportText(it, host),
			Data: encodeData(map[string]any{"incarnation": it.Incarnation, "at_host": it.At}),
		})
	}
	s.counters.Foreign += uint64(len(foreign))
	s.violation(l, host, talk, foreign, now)
	return facts
}

func reportText(it wire.ReportItem, host string) string {
	subject := it.AgentID
	if subject == "" {
		subject = "host " + host
	}
	verb := map[wire.ReportKind]string{
		wire.ReportCrash: "crashed", wire.ReportReturn: "is back",
		wire.ReportLeaving: "is leaving", wire.ReportRejected: "refused what it was sent",
	}[it.Kind]
	if it.Detail == "" {
		return subject + " " + verb
	}
	return subject + " " + verb + ": " + it.Detail
}
