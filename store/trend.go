package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"mesh30k/meshcore/wire"
)

// minuteOf is t in minutes since 1970.
func minuteOf(t time.Time) int64 {
	return int64(math.Floor(float64(t.Unix()) / 60))
}

func timeOf(minute int64) time.Time { return time.Unix(60*minute, 0).UTC() }

const insertTrend = `INSERT INTO trend
	(at, sector, cluster, minutes, agents, active, degraded, unstable, offline, quarantined, frozen, queue, measured, mean_us, p95_us)
	VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (at, sector, cluster) DO UPDATE SET
		agents = excluded.agents, active = excluded.active, degraded = excluded.degraded, unstable = excluded.unstable,
		offline = excluded.offline, quarantined = excluded.quarantined, frozen = excluded.frozen, queue = excluded.queue,
		measured = excluded.measured, mean_us = excluded.mean_us, p95_us = excluded.p95_us`

// WriteTrends writes rows of clusters, each of one minute, in one transaction.
// Writing a row of the same cluster and minute again replaces it. A row of a
// minute that has been thinned already is an error: it came days too late.
func (s *Store) WriteTrends(ctx context.Context, rows []wire.TrendRow) error {
	for i := range rows {
		if err := checkTrend(&rows[i]); err != nil {
			return err
		}
	}
	err := s.trends.transact(ctx, func(tx *transaction) error {
		open := int64(math.MinInt64) // minute whose span is known to be there
		for i := range rows {
			r := &rows[i]
			at := minuteOf(r.Minute)
			if at != open {
				if err := openSpan(tx, at); err != nil {
					return err
				}
				open = at
			}
			if _, err := tx.exec(insertTrend, at, r.Cluster.Sector, r.Cluster.Cluster,
				r.Agents, r.Active, r.Degraded, r.Unstable, r.Offline, r.Quarantined, r.Frozen, r.Queue,
				r.Measured, weigh(r.MeanMS, r.Measured), weigh(r.P95MS, r.Measured)); err != nil {
				return err
			}
		}
		return nil
	})
	return explain("write trends to", s.trends.path, err)
}

// openSpan makes the span of a minute, unless a longer one has it.
func openSpan(tx *transaction, at int64) error {
	var first, minutes int64
	err := tx.query("SELECT at, minutes FROM span WHERE at <= ? ORDER BY at DESC LIMIT 1", at).Scan(&first, &minutes)
	switch {
	case err == nil && minutes > 1 && at < first+minutes:
		return fmt.Errorf("the minute %s has been thinned already", timeOf(at).Format(time.RFC3339))
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	}
	_, err = tx.exec("INSERT INTO span (at, minutes) VALUES (?, 1) ON CONFLICT DO NOTHING", at)
	return err
}

// What is summed up is bounded, so that an hour's sum fits into 63 bits: a mean
// by a year, the agents measured by more than a cluster has.
const (
	maxTrendMS  = 365 * 24 * 3600 * 1000
	maxMeasured = 10 * wire.MaxChildren
)

func checkTrend(r *wire.TrendRow) error {
	if r.Cluster.Level() != wire.LevelCluster {
		return fmt.Errorf("trend of %s: want a cluster", r.Cluster)
	}
	if r.Minute.Year() < 1970 || r.Minute.Year() > 9999 {
		return fmt.Errorf("trend of %s: minute %s is out of range", r.Cluster, r.Minute)
	}
	for _, ms := range []float64{r.MeanMS, r.P95MS} {
		if !(ms >= 0) || math.IsInf(ms, 1) {
			return fmt.Errorf("trend of %s: %v ms is out of range", r.Cluster, ms)
		}
	}
	if r.Measured > maxMeasured {
		return fmt.Errorf("trend of %s: %d agents measured are more than a cluster has", r.Cluster, r.Measured)
	}
	for _, n := range []int{r.Agents, r.Active, r.Degraded, r.Unstable, r.Offline, r.Quarantined, r.Frozen, r.Queue, r.Measured} {
		if n < 0 || n > 1<<40 {
			return fmt.Errorf("trend of %s: a count of %d is out of range", r.Cluster, n)
		}
	}
	return nil
}

// weigh turns a mean in ms into the sum that is stored: whole microseconds, so
// that sums come out alike in whatever order they are added up. A mean of more
// than a year counts as a year: one absurd cluster must not cost all others the
// minute.
func weigh(ms float64, measured int) int64 {
	return int64(math.Round(min(ms, maxTrendMS) * 1000 * float64(measured)))
}

// Horizon is what the trends cover: from the first minute to the end of the
// last; both zero while there are none.
func (s *Store) Horizon(ctx context.Context) (since, until time.Time, err error) {
	var first, last sql.NullInt64
	err = s.trends.read.QueryRowContext(ctx,
		"SELECT (SELECT at FROM span ORDER BY at LIMIT 1), (SELECT at + minutes FROM span ORDER BY at DESC LIMIT 1)").Scan(&first, &last)
	if err != nil || !first.Valid {
		return since, until, explain("read trends from", s.trends.path, err)
	}
	return timeOf(first.Int64), timeOf(last.Int64), nil
}

// A thinned count is the mean over the minutes that had a row, rounded. Over
// several clusters counts are added up, and a mean is that of their means,
// weighted by the agents measured; so is the p95, which over clusters or
// minutes is therefore an estimate.
const selectTrends = `SELECT t.at, t.sector, t.cluster, sum(1.0 * t.agents / t.minutes), sum(1.0 * t.active / t.minutes),
	sum(1.0 * t.degraded / t.minutes), sum(1.0 * t.unstable / t.minutes), sum(1.0 * t.offline / t.minutes),
	sum(1.0 * t.quarantined / t.minutes), sum(1.0 * t.frozen / t.minutes), sum(1.0 * t.queue / t.minutes),
	sum(1.0 * t.measured / t.minutes),
	coalesce(total(t.mean_us) / 1000.0 / nullif(sum(t.measured), 0), 0),
	coalesce(total(t.p95_us) / 1000.0 / nullif(sum(t.measured), 0), 0)
	FROM span s CROSS JOIN trend t ON t.at = s.at `

// TrendsAt returns all clusters' rows of the minute that holds t, or, where
// the trends are thinned, of the span that does; Minute is then its first. The
// error is of code nothing_matched when the trends do not cover t.
func (s *Store) TrendsAt(ctx context.Context, t time.Time) ([]wire.TrendRow, error) {
	minute := minuteOf(t)
	found, err := s.readTrends(ctx, selectTrends+`
		WHERE s.at = (SELECT at FROM span WHERE at <= ?1 ORDER BY at DESC LIMIT 1) AND s.at + s.minutes > ?1
		GROUP BY t.at, t.sector, t.cluster`, minute)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return nil, s.outside(ctx, t)
}

// outside says what the trends do cover.
func (s *Store) outside(ctx context.Context, t time.Time) error {
	since, until, err := s.Horizon(ctx)
	if err != nil {
		return err
	}
	refusal := wire.Errorf(wire.CodeNothingMatched, "nothing is known of the minute %s", t.UTC().Format(time.RFC3339))
	if since.IsZero() {
		return refusal.WithHint("there are no trends yet: the first row is written after a minute")
	}
	return refusal.WithHint("trends go from %s to %s, with gaps where the core did not run", since.Format(time.RFC3339), until.Format(time.RFC3339))
}

// Trend is the series of a cluster, or of a sector or the mesh, summed up over
// their clusters: a row a minute, or a span where the trends are thinned, in
// ascending order, of the spans that begin in [since, until). A zero since or
// until is no bound. A place below a cluster has no series.
func (s *Store) Trend(ctx context.Context, place wire.Address, since, until time.Time) ([]wire.TrendRow, error) {
	if place.Level() == wire.LevelAgent {
		return nil, wire.Errorf(wire.CodeBadMessage, "there is no trend of one agent").
			WithHint("ask for its cluster, %s", place.InCluster())
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !since.IsZero() {
		from = minuteOf(since)
	}
	if !until.IsZero() {
		to = minuteOf(until.Add(time.Minute - 1))
	}
	where := conditions{[]string{"s.at >= ?", "s.at < ?"}, []any{from, to}}
	if place.Sector != 0 {
		where.add("t.sector = ?", place.Sector)
	}
	if place.Cluster != 0 {
		where.add("t.cluster = ?", place.Cluster)
	}
	found, err := s.readTrends(ctx, selectTrends+where.String()+" GROUP BY s.at ORDER BY s.at", where.args...)
	for i := range found {
		found[i].Cluster = place
	}
	return found, err
}

func (s *Store) readTrends(ctx context.Context, query string, args ...any) ([]wire.TrendRow, error) {
	var found []wire.TrendRow
	err := s.each(ctx, s.trends, "read trends", func(rows *sql.Rows) error {
		var r wire.TrendRow
		var at int64
		var counts [9]float64
		if err := rows.Scan(&at, &r.Cluster.Sector, &r.Cluster.Cluster,
			&counts[0], &counts[1], &counts[2], &counts[3], &counts[4], &counts[5], &counts[6], &counts[7], &counts[8],
			&r.MeanMS, &r.P95MS); err != nil {
			return err
		}
		r.Minute = timeOf(at)
		for i, into := range []*int{&r.Agents, &r.Active, &r.Degraded, &r.Unstable, &r.Offline, &r.Quarantined, &r.Frozen, &r.Queue, &r.Measured} {
			*into = int(math.Round(counts[i]))
		}
		found = append(found, r)
		return nil
	}, query, args...)
	return found, err
}
