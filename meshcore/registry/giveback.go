package registry

import "mesh30k/meshcore/wire"

// GiveBack undoes a [Seating.Take] whose enrolment did not become durable: the
// seats are free and the names unused again. Ordinals are not given again.
func (s *Seating) GiveBack(agents []wire.Enrolled) {
	for i := range agents {
		s.lead(agents[i].Address).leave(agents[i].Address.Seat)
		delete(s.ids, agents[i].AgentID)
	}
}
