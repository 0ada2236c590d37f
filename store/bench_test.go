package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

// churn is a stream as a busy mesh writes it: half a dozen facts a message.
func churn(facts int) []Batch {
	y := newStory()
	for len(y.batches)*6 < facts {
		n := len(y.batches)
		at := seat(n%100+1, n%10+1, n%30+1)
		id, host := fmt.Sprint("agent-", n%30000), fmt.Sprint("host-", n%100)
		back := crash(id, host, at)
		back.Kind, back.ID = wire.FactReturn, fmt.Sprint(host, "/", n)
		y.tell(crash(id, host, at), back, crash(id, host, at), back,
			wire.Fact{Kind: wire.FactSilent, Address: at.InCluster(), Data: data(wire.AgentList{Agents: []string{id}})},
			delivered(fmt.Sprint("op-", n/100), at.Sector, wire.Worked, bits(1, 2, 3, 299)))
	}
	return y.batches
}

// replay applies batches as a core does that starts without a projection.
func replay(b *testing.B, s *Store, batches []Batch) {
	for len(batches) > 0 {
		n := min(1000, len(batches))
		apply(b, s, batches[:n]...)
		batches = batches[n:]
	}
}

// BenchmarkReplay rebuilds a projection of 100,000 facts, and in the same run
// inserts as many rows of the same bytes into a bare table with one index:
// replay_over_raw is how many times longer the projection takes.
func BenchmarkReplay(b *testing.B) {
	const facts = 100_000
	batches := churn(facts)
	var ours, raw time.Duration
	for b.Loop() {
		begin := time.Now()
		s := open(b, b.TempDir(), Options{})
		replay(b, s, batches)
		ours += time.Since(begin)
		must(b, s.Close())
		begin = time.Now()
		rawInserts(b, batches)
		raw += time.Since(begin)
	}
	b.ReportMetric(facts*float64(b.N)/ours.Seconds(), "facts/s")
	b.ReportMetric(ours.Seconds()/raw.Seconds(), "replay_over_raw")
	b.ReportMetric(0, "ns/op")
}

func rawInserts(b *testing.B, batches []Batch) {
	db := try[*sql.DB](b)(sql.Open("sqlite3", filepath.Join(b.TempDir(), "raw.db")+"?_journal_mode=WAL&_synchronous=NORMAL"))
	defer db.Close()
	_, err := db.Exec("CREATE TABLE fact (seq INTEGER PRIMARY KEY, at INTEGER, kind TEXT, agent_id TEXT, host TEXT, text TEXT, data TEXT); CREATE INDEX fact_at ON fact (at)")
	must(b, err)
	tx := try[*sql.Tx](b)(db.Begin())
	stmt := try[*sql.Stmt](b)(tx.Prepare("INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?)"))
	for _, batch := range batches {
		for i, f := range batch.Facts {
			_, err := stmt.Exec(int64(batch.Seq)*wire.FactsPerMessage+int64(i), f.At.UnixNano(), string(f.Kind), f.AgentID, f.Host, f.Text, string(f.Data))
			must(b, err)
		}
	}
	must(b, tx.Commit())
}

// BenchmarkApply is one message of six facts, as it comes from the live stream.
func BenchmarkApply(b *testing.B) {
	batches := churn(6)
	s := open(b, b.TempDir(), Options{})
	defer s.Close()
	for b.Loop() {
		must(b, s.Apply(b.Context(), s.Cursor()+1, withoutIDs(batches[0].Facts)))
	}
}

func withoutIDs(facts []wire.Fact) []wire.Fact {
	for i := range facts {
		facts[i].ID = ""
	}
	return facts
}

// BenchmarkOpen opens a history of 300,000 facts, checked whole.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir, Options{})
	replay(b, s, churn(300_000))
	must(b, s.Close())
	for b.Loop() {
		s := open(b, dir, Options{})
		b.StopTimer()
		u := try[[]FileUsage](b)(s.Usage(b.Context()))
		b.ReportMetric(float64(u[0].Bytes)/300_000, "bytes/fact")
		must(b, s.Close())
		b.StartTimer()
	}
}

// BenchmarkHistory asks 300,000 facts of a mesh of 30,000 in several ways.
func BenchmarkHistory(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	defer s.Close()
	enrolAll(b, s)
	batches := churn(300_000)
	for i := range batches {
		batches[i].Seq += 1000
	}
	replay(b, s, batches)
	for _, target := range []string{"mesh", "sector=7", "agent=7.4.12", "class=E"} {
		b.Run(target, func(b *testing.B) {
			sel := try[wire.Selector](b)(wire.ParseSelector(target))
			for b.Loop() {
				_, err := s.History(b.Context(), wire.HistoryQuery{Selector: sel, Limit: 100})
				must(b, err)
			}
		})
	}
	b.Run("enrolments", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Agents(b.Context())
			must(b, err)
		}
	})
}

func enrolAll(b *testing.B, s *Store) {
	y := newStory()
	for sector := 1; sector <= 100; sector++ {
		var facts []wire.Fact
		for c := 1; c <= 10; c++ {
			var agents []wire.Enrolled
			for n := 1; n <= 30; n++ {
				agents = append(agents, enrolled(fmt.Sprintf("agent-%d-%d-%d", sector, c, n), fmt.Sprint("host-", sector), wire.Classes[n%6], seat(sector, c, n), (c-1)*30+n-1))
			}
			facts = append(facts, joined(fmt.Sprint("host-", sector), "", cluster(sector, c), agents...))
		}
		y.tell(facts...)
	}
	apply(b, s, y.batches...)
}

// meshMinute is a row of each of 1,000 clusters.
func meshMinute(at time.Time) []wire.TrendRow {
	var rows []wire.TrendRow
	for n := range 1000 {
		rows = append(rows, wire.TrendRow{
			Minute: at, Cluster: cluster(n/10+1, n%10+1), Agents: 30, Active: 29, Degraded: n % 3, Unstable: n % 2, Offline: 1,
			Queue: n % 50, Measured: 28, MeanMS: 127.3 + float64(n), P95MS: 412.8 + float64(n),
		})
	}
	return rows
}

// BenchmarkTrends writes a minute of 1,000 clusters, and asks a day of minutes.
func BenchmarkTrends(b *testing.B) {
	ctx := context.Background()
	s := open(b, b.TempDir(), Options{})
	defer s.Close()
	b.Run("write a minute", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			must(b, s.WriteTrends(ctx, meshMinute(noon.AddDate(-3, 0, 0).Add(time.Duration(n)*time.Minute))))
		}
	})
	day := noon.Add(24 * time.Hour)
	for at := noon; at.Before(day); at = at.Add(time.Minute) {
		must(b, s.WriteTrends(ctx, meshMinute(at)))
	}
	for name, place := range map[string]wire.Address{"a cluster's day": cluster(7, 4), "a sector's day": {Sector: 7}, "the mesh's day": {}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Trend(ctx, place, noon, day)
				must(b, err)
			}
		})
	}
	b.Run("a minute of all", func(b *testing.B) {
		for b.Loop() {
			_, err := s.TrendsAt(ctx, noon.Add(12*time.Hour))
			must(b, err)
		}
	})
}

// BenchmarkTrendSize measures bytes a row: of a day of minutes, and of the same
// day thinned to ten minutes.
func BenchmarkTrendSize(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		s := open(b, b.TempDir(), Options{})
		for n := range 24 * 60 {
			must(b, s.WriteTrends(ctx, meshMinute(noon.Add(time.Duration(n)*time.Minute))))
		}
		perRow := func(rows float64) float64 {
			var pages, size float64
			must(b, s.trends.read.QueryRow("SELECT page_count - freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size").Scan(&pages, &size))
			return pages * size / rows
		}
		minutes := perRow(1000 * 24 * 60)
		begin := time.Now()
		must(b, s.Thin(ctx, noon.AddDate(0, 0, 4)))
		b.ReportMetric(time.Since(begin).Seconds(), "s/thinned-day")
		b.ReportMetric(minutes, "bytes/minute-row")
		b.ReportMetric(perRow(1000*24*6), "bytes/ten-minute-row")
		must(b, s.Close())
	}
	b.ReportMetric(0, "ns/op")
}
