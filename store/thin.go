package store

import (
	"context"
	"time"
)

// Thinning says how long trends are kept, and how fine.
type Thinning struct {
	Minutes    time.Duration // this long, a row a minute
	TenMinutes time.Duration // up to this age, a row in ten minutes
	Hours      time.Duration // up to this age, a row an hour; older rows are deleted
}

// DefaultThinning keeps minutes for two days, ten minutes for 30 days and
// hours for 400 days.
var DefaultThinning = Thinning{Minutes: 48 * time.Hour, TenMinutes: 30 * 24 * time.Hour, Hours: 400 * 24 * time.Hour}

// Thin makes old rows of the trends coarser, and deletes the oldest, as
// Options.Thinning says. It works span by span, each in a transaction of its
// own, so that writing goes on meanwhile; call it every few minutes.
func (s *Store) Thin(ctx context.Context, now time.Time) error {
	t := s.options.Thinning
	for _, step := range []struct {
		age     time.Duration
		minutes int64
	}{{t.Minutes, 10}, {t.TenMinutes, 60}} {
		if err := s.merge(ctx, minuteOf(now.Add(-step.age)), step.minutes); err != nil {
			return explain("thin trends in", s.trends.path, err)
		}
	}
	return explain("thin trends in", s.trends.path, s.forget(ctx, minuteOf(now.Add(-t.Hours))))
}

// merge makes one span of this many minutes out of all shorter ones that end
// at or before the given minute.
func (s *Store) merge(ctx context.Context, before, minutes int64) error {
	before -= before % minutes // a span is merged once all of it is old
	for {
		var done bool
		err := s.trends.transact(ctx, func(tx *transaction) error {
			var at int64
			err := tx.query("SELECT coalesce(min(at), ?1) FROM span WHERE at < ?1 AND minutes < ?2", before, minutes).Scan(&at)
			if done = at >= before; err != nil || done {
				return err
			}
			first := at - at%minutes
			return mergeSpan(tx, first, first+minutes)
		})
		if err != nil || done {
			return err
		}
	}
}

// mergeSpan adds up the rows of [first, end) to rows of one span. The temporary
// table is there because the sum's key is that of one of the rows added up.
func mergeSpan(tx *transaction, first, end int64) error {
	if err := tx.script(`CREATE TEMP TABLE IF NOT EXISTS merged AS SELECT * FROM trend WHERE false`); err != nil {
		return err
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO merged SELECT ?1, sector, cluster, sum(minutes), sum(agents), sum(active), sum(degraded), sum(unstable),
			sum(offline), sum(quarantined), sum(frozen), sum(queue), sum(measured), sum(mean_us), sum(p95_us)
			FROM trend WHERE at >= ?1 AND at < ?2 GROUP BY sector, cluster`, []any{first, end}},
		{`DELETE FROM trend WHERE at >= ? AND at < ?`, []any{first, end}},
		{`DELETE FROM span WHERE at >= ? AND at < ?`, []any{first, end}},
		{`INSERT INTO span VALUES (?, ?)`, []any{first, end - first}},
		{`INSERT INTO trend SELECT * FROM merged`, nil},
		{`DELETE FROM merged`, nil},
	} {
		if _, err := tx.exec(step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes the spans that end at or before the given minute.
func (s *Store) forget(ctx context.Context, before int64) error {
	return s.trends.transact(ctx, func(tx *transaction) error {
		if _, err := tx.exec("DELETE FROM trend WHERE at IN (SELECT at FROM span WHERE at + minutes <= ?)", before); err != nil {
			return err
		}
		_, err := tx.exec("DELETE FROM span WHERE at + minutes <= ?", before)
		return err
	})
}
