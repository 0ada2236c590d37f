package console

import (
	"context"
	"iter"
	"time"

	"mesh30k/meshcore/wire"
)

// Picture is the registry at one instant, made of each cluster's latest block.
// It does not change; rows must not be changed.
type Picture interface {
	Topology() *wire.Topology
	// Block of a cluster; nil if nothing has been heard of it.
	Block(cluster wire.Address) *wire.Block
	// Agent finds a row by id; nil if there is none.
	Agent(id string) *wire.AgentImpedance
	// Select yields the rows that a resolved selector selects, by address.
	Select(wire.Selector) iter.Seq[*wire.AgentImpedance]
	// Stats are the mesh's statistics, computed from the picture.
	Stats() wire.GlobalStats
	// Sector is the summary of a sector, computed from the picture.
	Sector(n int) wire.SectorSummary
	// Best are the count best agents for a capability by impedance (4.3),
	// none above maxImpedance ms (0: no bound).
	Best(capability string, count int, maxImpedance float64) []*wire.AgentImpedance
}

// Mesh is what the dispatcher needs of the core. All methods may be called
// from several goroutines. Errors are *wire.Error where the person can act on
// them.
type Mesh interface {
	Picture() Picture
	// Freeze carries out a freeze, a thaw or the undoing of one; it returns
	// when every host that lives has obeyed, or ctx ends.
	Freeze(ctx context.Context, order wire.FreezeOrder, progress func(wire.Progress)) (wire.FreezeResult, error)
	// Broadcast starts op durably and follows it to its end.
	Broadcast(ctx context.Context, op wire.Operation, progress func(wire.Progress)) (wire.BroadcastResult, error)
	// Deliveries of an agent that are known, newest first.
	Deliveries(agentID string) []wire.DeliveryRecord
	// Inject provokes a fault in emulated agents and returns how many; it
	// refuses targets that are not emulated.
	Inject(ctx context.Context, targets wire.Targets, fault wire.Inject) (int, error)
	// Invite makes a join token and returns its text.
	Invite(ctx context.Context, t wire.Token) (string, error)
}

// Past answers about what was. main fills it from the store.
type Past interface {
	History(ctx context.Context, q wire.HistoryQuery) ([]wire.Fact, error)
	// TrendsAt are all clusters' rows of the minute that holds t; an error of
	// code nothing_matched when t lies outside the horizon.
	TrendsAt(ctx context.Context, t time.Time) ([]wire.TrendRow, error)
	// Trend is the series of one cluster, sector (summed) or the mesh.
	Trend(ctx context.Context, place wire.Address, since, until time.Time) ([]wire.TrendRow, error)
}

// Auditor writes the audit; an action has not happened before its entry is durable.
type Auditor interface {
	Audit(ctx context.Context, e wire.AuditEntry) error
}

// People knows who may do what.
type People interface {
	Role(name string) (wire.Role, bool)
}
