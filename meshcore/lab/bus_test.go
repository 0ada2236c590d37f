package lab

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// busHome is a mesh of 2 sectors with 3 clusters of 4 seats, and its broker.
func busHome(t *testing.T) (b *BusBench, url string) {
	t.Helper()
	home, err := meshcore.InitHome(t.TempDir(), registry.DefaultTopology("bus", 2, 3, 4), "operator")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := home.Keyring()
	if err != nil {
		t.Fatal(err)
	}
	broker, err := meshcore.StartBroker(meshcore.BrokerOptions{
		Keyring: keys, StoreDir: home.StreamDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return &BusBench{Home: home, For: 20 * time.Millisecond, Talk: io.Discard}, broker.URL()
}

func TestPlainNATSCountsWhatWasAcknowledged(t *testing.T) {
	b, url := busHome(t)
	r := new(recording)
	for sector := 1; sector <= 2; sector++ {
		for cluster := 1; cluster <= 3; cluster++ {
			subject := wire.SubjectHost(wire.Address{Sector: sector, Cluster: cluster}, "sim")
			r.exchanges = append(r.exchanges, replay(subject, []byte("do"), []byte("done")))
		}
	}
	f, err := b.raw(t.Context(), url, r)
	if err != nil {
		t.Fatal(err)
	}
	if f.worked < singleAtATime*len(r.exchanges) || f.perSecond() <= 0 {
		t.Errorf("%d messages in %v", f.worked, f.took)
	}

	// One host answers where nobody listens: that is no rate but an error.
	r.exchanges[0].up = "nowhere"
	if f, err = b.raw(t.Context(), url, r); err == nil {
		t.Errorf("%d messages were counted although a host was silent", f.worked)
	}
}

func TestASinglyAddressedRoundTakesOneAgentOfEachCluster(t *testing.T) {
	b, _ := busHome(t)
	for round := range 5 {
		sel, err := wire.ParseSelector(b.oneOfEachCluster(round))
		if err != nil {
			t.Fatal(err)
		}
		for sector := 1; sector <= 2; sector++ {
			for cluster := 1; cluster <= 3; cluster++ {
				n := 0
				for seat := 1; seat <= 4; seat++ {
					row := &wire.AgentImpedance{Address: wire.Address{Sector: sector, Cluster: cluster, Seat: seat}, Class: wire.ClassEdge}
					if sel.Match(row) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("round %d: %d agents of cluster %d.%d", round, n, sector, cluster)
				}
			}
		}
	}
}

func TestTheFleetOfTheBusTakesNoTime(t *testing.T) {
	b, _ := busHome(t)
	m := new(Mesh)
	if err := b.instantFleet(m); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.Home.Dir, "bench-fleet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := fleet.Parse(text)
	if err != nil {
		t.Fatalf("the fleet would refuse its profile: %v", err)
	}
	for _, class := range wire.Classes {
		model := fleet.NewModel(&p, class, 1)
		agent := fleet.NewAgent(model, 1, fmt.Sprintf("a-%s", class))
		now := time.Now()
		if delay, lost := agent.Leg(now); delay != 0 || lost {
			t.Errorf("class %s: the way to an agent takes %v, lost: %v", class, delay, lost)
		}
		if at, _ := agent.NextOwn(now); !at.IsZero() {
			t.Errorf("class %s has work of its own", class)
		}
	}
}
