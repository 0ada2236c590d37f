package console

import "mesh30k/meshcore/wire"

// Update is what a console has learned since its last look: of each cluster and
// sector only the latest, of facts all but those that were Dropped.
type Update struct {
	Blocks  []*wire.Block // of the clusters that changed
	Sectors []*wire.SectorSummary
	Stats   *wire.GlobalStats // nil: none came
	Facts   []wire.Fact       // oldest first
	// Dropped counts facts that were let go because nobody looked in time; the
	// history has them.
	Dropped int
	// Undecodable counts messages that could not be read.
	Undecodable int
	// Reload says that something may have been missed (the connection was lost,
	// or too much came at once): the whole replica has to be asked for again.
	Reload bool
}

// Empty reports whether nothing has been learned.
func (u *Update) Empty() bool {
	return len(u.Blocks) == 0 && len(u.Sectors) == 0 && u.Stats == nil && len(u.Facts) == 0 &&
		u.Dropped == 0 && u.Undecodable == 0 && !u.Reload
}

// Newer reports whether block b replaces old in a replica; old may be nil.
func Newer(b, old *wire.Block) bool {
	return old == nil || b.Epoch > old.Epoch || b.Epoch == old.Epoch && b.Rev > old.Rev
}
