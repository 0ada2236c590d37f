package lab

import (
	"context"
	"log/slog"

	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// eachFact calls fn with every stored fact of a mesh, in order, with no core
// running. A fact that was written twice under one id is given once.
func eachFact(ctx context.Context, home *meshcore.Home, fn func(wire.Fact) error) error {
	keys, err := home.Keyring()
	if err != nil {
		return err
	}
	broker, err := meshcore.StartBroker(meshcore.BrokerOptions{Keyring: keys, StoreDir: home.StreamDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer broker.Close()
	nc, err := broker.Connect(ctx)
	if err != nil {
		return err
	}
	defer nc.Close()
	ledger, err := meshcore.OpenLedger(ctx, nc, meshcore.LedgerOptions{})
	if err != nil {
		return err
	}
	defer ledger.Close()
	given := map[string]bool{}
	_, err = ledger.Replay(ctx, 0, func(_ uint64, facts []wire.Fact) error {
		for _, fact := range facts {
			if fact.ID != "" && given[fact.ID] {
				continue
			}
			given[fact.ID] = true
			if err := fn(fact); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// countKinds counts the facts since the last start of a core, by kind.
func countKinds(ctx context.Context, home *meshcore.Home) (map[wire.FactKind]uint64, error) {
	kinds := map[wire.FactKind]uint64{}
	err := eachFact(ctx, home, func(fact wire.Fact) error {
		if fact.Kind == wire.FactCoreStarted {
			clear(kinds)
		}
		kinds[fact.Kind]++
		return nil
	})
	return kinds, err
}
