package console

import (
	"fmt"
	"strings"
	"time"
)

// At is a point in time as a person gives it: "now", a duration ago, an instant,
// or a time of day. It keeps how it was said, so that an action that is asked
// again means the same. The zero At is now.
type At struct {
	ago     time.Duration
	instant time.Time
	clock   string // "14:03"
}

// ParseAt reads "now", a Go duration ("90m": that long ago), an RFC 3339 instant
// or a time of day ("14:03").
func ParseAt(s string) (At, error) {
	if s == "now" || s == "" {
		return At{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		if d < 0 || d > maxAgo {
			return At{}, fmt.Errorf("%q is not between 0s and ten years ago", s)
		}
		return At{ago: d}, nil
	}
	if t, err := time.Parse("15:04", s); err == nil {
		return At{clock: t.Format("15:04")}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1 || t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
		return At{}, fmt.Errorf("%q is no time: want now, a duration ago (90m), a time of day (14:03) or RFC 3339 (2026-05-01T14:03:00Z)", clip(s))
	}
	return At{instant: t.UTC()}, nil
}

const maxAgo = 10 * 365 * 24 * time.Hour

// AtInstant is the At of a known instant.
func AtInstant(t time.Time) At { return At{instant: t.UTC()} }

// IsNow reports whether a means the present.
func (a At) IsNow() bool { return a == At{} }

// Time is what a means at now. A time of day is the latest that is not after
// now, in now's time zone.
func (a At) Time(now time.Time) time.Time {
	switch {
	case !a.instant.IsZero():
		return a.instant
	case a.clock != "":
		c, _ := time.Parse("15:04", a.clock) // ParseAt wrote it
		t := time.Date(now.Year(), now.Month(), now.Day(), c.Hour(), c.Minute(), 0, 0, now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1)
		}
		return t
	default:
		return now.Add(-a.ago)
	}
}

// String is the canonical spelling; ParseAt reads it back.
func (a At) String() string {
	switch {
	case !a.instant.IsZero():
		return a.instant.Format(time.RFC3339Nano)
	case a.clock != "":
		return a.clock
	case a.ago == 0:
		return "now"
	default:
		return durationText(a.ago)
	}
}

// durationText is Go's spelling of a duration without trailing zero units:
// 24h, not 24h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
