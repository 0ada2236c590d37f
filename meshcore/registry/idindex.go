package registry

import (
	"hash/maphash"
	"maps"
	"slices"

	"mesh30k/meshcore/wire"
)

// idIndex finds an agent's seat by its id. It is a map in parts: a snapshot
// shares them, and a part is copied when it next changes, so that a newcomer
// costs the copy of some hundred entries and not of 300,000.
type idIndex struct {
	seed   maphash.Seed
	parts  []map[string]seatRef
	shared []bool // parts that a snapshot has; nil in a snapshot
}

// idParts is the number of parts, a power of two.
const idParts = 1 << 10

// seatRef is an address in 32 bits: 10 of sector, 7 of cluster, 7 of seat, with
// room to spare. Their order is the order of addresses.
type seatRef uint32

func refer(a wire.Address) seatRef {
	return seatRef(a.Sector<<14 | a.Cluster<<7 | a.Seat)
}

func (r seatRef) address() wire.Address {
	return wire.Address{Sector: int(r >> 14), Cluster: int(r >> 7 & 0x7f), Seat: int(r & 0x7f)}
}

func newIDIndex() idIndex {
	return idIndex{seed: maphash.MakeSeed(), parts: make([]map[string]seatRef, idParts), shared: make([]bool, idParts)}
}

func (x *idIndex) part(id string) int {
	return int(maphash.String(x.seed, id) & (idParts - 1))
}

func (x *idIndex) find(id string) (wire.Address, bool) {
	ref, ok := x.parts[x.part(id)][id]
	return ref.address(), ok
}

// replace brings the index up to date with a cluster's new picture.
func (x *idIndex) replace(old, pic *clusterPicture) {
	var before []wire.AgentImpedance
	if old != nil {
		before = old.block.Rows
	}
	now := pic.block.Rows
	for len(before) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(before) > 0 && before[0].Address.Seat < now[0].Address.Seat:
			x.remove(&before[0])
			before = before[1:]
		case len(before) == 0 || now[0].Address.Seat < before[0].Address.Seat:
			x.put(&now[0])
			now = now[1:]
		default:
			if before[0].AgentID != now[0].AgentID {
				x.remove(&before[0])
				x.put(&now[0])
			}
			before, now = before[1:], now[1:]
		}
	}
}

func (x *idIndex) put(r *wire.AgentImpedance) { x.own(r.AgentID)[r.AgentID] = refer(r.Address) }

// remove takes an agent out unless it has been seen elsewhere since.
func (x *idIndex) remove(r *wire.AgentImpedance) {
	if at, ok := x.find(r.AgentID); ok && at == r.Address {
		delete(x.own(r.AgentID), r.AgentID)
	}
}

// own is the part of an id, safe to change.
func (x *idIndex) own(id string) map[string]seatRef {
	i := x.part(id)
	switch {
	case x.parts[i] == nil:
		x.parts[i] = map[string]seatRef{}
	case x.shared[i]:
		x.parts[i] = maps.Clone(x.parts[i])
	}
	x.shared[i] = false
	return x.parts[i]
}

func (x *idIndex) snapshot() idIndex {
	for i := range x.shared {
		x.shared[i] = true
	}
	return idIndex{seed: x.seed, parts: slices.Clone(x.parts)}
}
