package meshcore

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"mesh30k/meshcore/wire"
)

// A shard that has failed stays down for shardPause, twice as long each time up
// to shardPauseMax.
const (
	shardPause    = 100 * time.Millisecond
	shardPauseMax = 30 * time.Second
)

// supervise runs a sector's shard until ctx ends. A sector is the unit of
// failure: a shard that panics takes neither the core nor the other sectors
// with it. It begins anew, told by the orchestrator what facts tell, as after a
// restart of the core.
func supervise(ctx context.Context, sector int, cfg shardConfig) error {
	for pause := shardPause; ; pause = min(2*pause, shardPauseMax) {
		failure, err := runShard(ctx, newShard(sector, &cfg))
		if failure == "" {
			return err
		}
		cfg.log.Error("a shard has failed and begins anew", "sector", sector, "failure", failure, "pause", pause)
		cfg.scribe.write([]wire.Fact{{
			At: time.Now(), Kind: wire.FactRestarted, Actor: "core", Address: wire.Address{Sector: sector},
			Text: fmt.Sprintf("the shard of sector %d has failed and begins anew", sector),
		}}, nil)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		cfg.epoch++ // its blocks are newer than those of the one that failed
	}
}

// runShard runs s and returns what it panicked with, if it did.
func runShard(ctx context.Context, s *shard) (failure string, err error) {
	defer func() {
		if p := recover(); p != nil {
			failure = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	return "", s.run(ctx)
}
