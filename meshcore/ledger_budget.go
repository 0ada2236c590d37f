package meshcore

import (
	"fmt"
	"slices"
	"syscall"
)

// What is kept free of the disk, in bytes. A broker that meets a full disk in
// the middle of a write takes no more facts until it is started again, even if
// space is freed; so the ledger stops before. Facts of kind "log" stop first:
// the rest is for what must always be possible, freeze and audit.
const (
	diskForLog  = 16 << 20
	diskForKeep = 4 << 20
)

// affordable refuses the Appends of a group for which there is no space left,
// in the budget or on the disk, and returns the others.
func (l *Ledger) affordable(group []*pending) []*pending {
	size, free := l.bytes.Load(), l.free()
	return slices.DeleteFunc(group, func(p *pending) bool {
		keeps, logs := p.weigh()
		err := l.afford(size, free, keeps, logs)
		if err != nil {
			p.done <- fmt.Errorf("facts: not written: %w", err)
			return true
		}
		size, free = size+keeps+logs, free-keeps-logs
		return false
	})
}

// afford decides on one Append when the facts take size bytes and the disk has
// free left. The broker itself enforces the whole of the budget.
func (l *Ledger) afford(size, free, keeps, logs int64) error {
	budget := l.maxBytes.Load()
	switch {
	case logs > 0 && size+keeps+logs > budget/10*9:
		return fmt.Errorf("%w: %d of %d bytes, and the last tenth is for freezes and the audit; "+
			"free old facts with a shorter retention, or raise the budget", ErrBudget, size, budget)
	case free-keeps-logs < diskForKeep, logs > 0 && free-keeps-logs < diskForLog:
		return fmt.Errorf("%w: %d MB are left where %s is; free some space, then try again", ErrDiskFull, free>>20, l.opt.Dir)
	}
	return nil
}

// weigh is the size of an Append's facts by kind, in bytes.
func (p *pending) weigh() (keeps, logs int64) {
	for i := range p.facts {
		if p.facts[i].Kind.Keep() {
			keeps += int64(p.sizes[i])
		} else {
			logs += int64(p.sizes[i])
		}
	}
	return keeps, logs
}

// freeOf returns a function that tells how many bytes are free where dir is: a
// very large number if that cannot be told.
func freeOf(dir string) func() int64 {
	const plenty = 1 << 62
	if dir == "" {
		return func() int64 { return plenty }
	}
	return func() int64 {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			return plenty
		}
		return int64(min(uint64(s.Bavail)*uint64(s.Bsize), plenty))
	}
}
