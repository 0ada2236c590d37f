package views

import (
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// eventsKept is how many lines of the feed the console remembers. Older ones are
// in the history.
const eventsKept = 1000

// event is one line of the feed.
type event struct {
	at    time.Time
	place string
	text  string
	ink   ink
}

// eventOf is the line that a fact makes; false if it is not one for the feed.
func eventOf(f *wire.Fact) (event, bool) {
	if f.Text == "" || f.Kind == wire.FactAudit && wentWell(f) {
		return event{}, false
	}
	place := f.Address.String()
	if f.Host != "" && f.Address.Level() == wire.LevelMesh {
		place = wire.Clean(f.Host)
	}
	return event{at: f.At, place: place, text: wire.Clean(f.Text), ink: factInk(f.Kind)}, true
}

// wentWell tells of an entry of the audit whether it is only the echo of what
// another fact tells: that something began, or was done. Refusals stand alone.
func wentWell(f *wire.Fact) bool {
	var e wire.AuditEntry
	return json.Unmarshal(f.Data, &e) == nil && (e.Verdict == wire.Begun || e.Verdict == wire.Done)
}

func factInk(k wire.FactKind) ink {
	switch k {
	case wire.FactFreeze, wire.FactThaw, wire.FactFreezeUndone:
		return cold
	case wire.FactSilent, wire.FactForeignID, wire.FactDoubt, wire.FactCrash:
		return warn
	default:
		return plain
	}
}

// eventsOf are the lines of an update's facts; of very many only the last. What
// is left out is counted in a line of its own.
func eventsOf(u Update) []event {
	facts, dropped := u.Facts, u.Dropped
	if over := len(facts) - eventsKept; over > 0 {
		facts, dropped = facts[over:], dropped+over
	}
	var out []event
	if dropped > 0 {
		out = append(out, event{at: u.At, text: count(dropped) + " events came too fast to be shown; :history has them", ink: warn})
	}
	for i := range facts {
		if e, ok := eventOf(&facts[i]); ok {
			out = append(out, e)
		}
	}
	return out
}

// ring holds the last events, oldest first.
type ring struct {
	all  []event
	seen uint64 // ever added: its change is the feed's revision
}

func (r *ring) add(more []event) {
	r.seen += uint64(len(more))
	r.all = append(r.all, more...)
	if over := len(r.all) - eventsKept; over > 0 {
		r.all = append(r.all[:0:0], r.all[over:]...)
	}
}

// draw shows the h lines that end back lines before the newest.
func (r *ring) draw(t *theme, w, h, back int) []string {
	end := max(0, len(r.all)-back)
	begin := max(0, end-h)
	rows := make([]string, 0, h)
	for _, e := range r.all[begin:end] {
		l := newLine(t, w).gap(1).put(muted, clock(e.at)).gap(2).left(plain, e.place, min(10, w/6)).gap(1)
		rows = append(rows, l.put(e.ink, e.text).String())
	}
	if len(r.all) == 0 {
		rows = append(rows, newLine(t, w).gap(1).put(muted, "nothing has happened yet").String())
	}
	return rows
}
