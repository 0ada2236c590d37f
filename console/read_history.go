package console

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// maxFacts is how many facts one history shows.
const maxFacts = 1000

// HistoryData is the data of history beside its rows.
type HistoryData struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Shown int       `json:"shown"`
	More  bool      `json:"more"` // there are older ones in the interval
}

func (c *call) history(a History) (wire.Outcome, error) {
	p := c.Mesh.Picture()
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return wire.Outcome{}, err
	}
	since, until := a.Since.Time(c.now), a.Until.Time(c.now)
	if then := a.At.Time(c.now); then.Before(until) {
		until = then
	}
	if !since.Before(until) {
		return wire.Outcome{}, wire.Errorf(wire.CodeBadMessage, "since %s is not before until %s", c.clock(since), c.clock(until)).
			WithHint("since and until take a duration ago, a time of day or RFC 3339")
	}
	facts, err := c.Past.History(c.ctx, wire.HistoryQuery{Selector: sel, Kind: a.Kind, Since: since, Until: until, Limit: maxFacts + 1})
	if err != nil {
		return wire.Outcome{}, err
	}
	d := HistoryData{Since: since, Until: until, Shown: min(len(facts), maxFacts), More: len(facts) > maxFacts}
	facts = facts[:d.Shown]
	if err := c.tellFacts(facts); err != nil {
		return wire.Outcome{}, err
	}
	text := fmt.Sprintf("%s facts from %s to %s\n", thousands(d.Shown), c.clock(since), c.clock(until))
	if d.More {
		text += "there are older ones: narrow --since, --until, --kind or the target\n"
	}
	return c.outcome(wire.Done, d, text), nil
}

func (c *call) tellFacts(facts []wire.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	lines := c.factLines(facts)
	c.tell.line(lines[0])
	for i := range facts {
		f := slim(facts[i], maxFactData)
		if err := c.tell.row(&f, lines[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// maxFactData is how many bytes of a fact's data history tells; a message could
// not hold more together with others.
const maxFactData = 128 << 10

// slim leaves out data that is too large to tell, and says so in its place.
func slim(f wire.Fact, most int) wire.Fact {
	if n := len(f.Data); n > most {
		f.Data = jsontext.Value(fmt.Sprintf(`{"left_out_bytes":%d}`, n))
	}
	return f
}

// factLines are a heading and a line for each fact.
func (c *call) factLines(facts []wire.Fact) []string {
	t := table{head: []string{">FACT", "TIME", "KIND", "WHERE", "WHO", "WHAT"}}
	for _, f := range facts {
		where := f.AgentID
		if where == "" {
			where = f.Address.String()
		}
		t.add(fmt.Sprint(f.Seq), c.clock(f.At), wire.Clean(string(f.Kind)), wire.Clean(where), wire.Clean(f.Actor), wire.Clean(f.Text))
	}
	return t.lines()
}
