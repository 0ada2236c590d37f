package registry

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// Enrol takes agents in, in order. A new agent in a taken seat replaces the one
// that sat there; an agent that is enrolled already keeps what was measured and
// takes the rest (host, capabilities, labels) anew; an enrolment that is older
// than the one in the seat (its ordinal is lower) changes nothing, so that facts
// can be applied again from the start.
//
// It stops at the first that cannot be: an id that sits in another seat, an
// ordinal that is another's (both of code duplicate), or a seat that is not in
// this sector (unknown_target). Those before it stay enrolled.
//
// Newcomers are frozen at once if the log of the last [Sector.SetFrozen] says so.
func (s *Sector) Enrol(agents []wire.Enrolled) error {
	touched := map[*cluster]bool{}
	defer func() {
		for c := range touched {
			s.refreeze(c)
		}
	}()
	for i := range agents {
		c, err := s.enrol(&agents[i])
		if err != nil {
			return err
		}
		touched[c] = true
	}
	return nil
}

func (s *Sector) enrol(e *wire.Enrolled) (*cluster, error) {
	c := s.cluster(e.Address)
	if c == nil || e.Address.Seat < 1 || e.Address.Seat > wire.MaxChildren {
		return nil, wire.Errorf(wire.CodeUnknownTarget, "enrol %s: sector %d has no seat %s", e.AgentID, s.number, e.Address).
			WithHint("send it to the shard of sector %d", e.Address.Sector)
	}
	if a := s.byID[e.AgentID]; a != nil {
		return c, s.enrolAgain(a, e)
	}
	i, taken := c.find(e.Address.Seat)
	if taken && c.rows[i].Ordinal > e.Ordinal {
		return c, nil
	}
	if other := s.ByOrdinal(e.Ordinal); other != nil {
		return nil, wire.Errorf(wire.CodeDuplicate, "enrol %s: ordinal %d of sector %d belongs to %s", e.AgentID, e.Ordinal, s.number, other.AgentID).
			WithHint("an ordinal is given once: the facts of enrolment are damaged")
	}
	c.own()
	a := &agent{in: c, index: i}
	if taken {
		s.forget(c.agents[i])
		c.rows[i], c.agents[i] = s.newRow(e), a
	} else {
		c.rows = slices.Insert(c.rows, i, s.newRow(e))
		c.agents = slices.Insert(c.agents, i, a)
		for k := i + 1; k < len(c.agents); k++ {
			c.agents[k].index = k
		}
	}
	s.byID[e.AgentID] = a
	for len(s.byOrdinal) <= e.Ordinal {
		s.byOrdinal = append(s.byOrdinal, nil)
	}
	s.byOrdinal[e.Ordinal] = a
	c.join(e.Host)
	return c, nil
}

func (s *Sector) enrolAgain(a *agent, e *wire.Enrolled) error {
	r := a.row()
	if r.Address != e.Address || r.Ordinal != e.Ordinal {
		return wire.Errorf(wire.CodeDuplicate, "enrol %s at %s with ordinal %d: it sits at %s with ordinal %d",
			e.AgentID, e.Address, e.Ordinal, r.Address, r.Ordinal).WithHint("an agent's name is its own for ever: choose another")
	}
	a.in.own()
	r = a.row()
	a.in.leave(r.Host)
	a.in.join(e.Host)
	s.describe(r, e)
	return nil
}

// forget drops what is kept of an agent beside its row.
func (s *Sector) forget(a *agent) {
	r := a.row()
	delete(s.byID, r.AgentID)
	s.byOrdinal[r.Ordinal] = nil
	a.in.leave(r.Host)
}

func (c *cluster) join(host string) {
	l := c.hosts[host]
	if l == nil {
		l = &link{}
		c.hosts[host] = l
	}
	l.agents++
}

func (c *cluster) leave(host string) {
	l := c.hosts[host]
	if l.agents--; l.agents == 0 {
		delete(c.hosts, host)
	}
}

// newRow is the row of an agent that has not been heard yet.
func (s *Sector) newRow(e *wire.Enrolled) wire.AgentImpedance {
	r := wire.AgentImpedance{AgentID: e.AgentID, Address: e.Address, Ordinal: e.Ordinal, State: wire.Offline}
	s.describe(&r, e)
	return r
}

// describe takes over what an agent brought along.
func (s *Sector) describe(r *wire.AgentImpedance, e *wire.Enrolled) {
	r.Class, r.Host, r.Sim = e.Class, e.Host, e.Sim
	r.Capabilities, r.Hold, r.Labels = e.Capabilities, e.Hold, e.Labels
	s.strings.share(r, &wire.AgentImpedance{})
}
