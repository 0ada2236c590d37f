package agentd

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// recordKind says what a line of the journal tells.
type recordKind string

const (
	recordStart    recordKind = "start"    // the host starts: Count is its incarnation
	recordReceived recordKind = "received" // Message for Agents
	recordBegun    recordKind = "begun"    // Begin is about to be called
	recordFinal    recordKind = "final"    // never to be worked again
	recordFrozen   recordKind = "frozen"   // who of Cluster is frozen from At on
	recordReturns  recordKind = "returns"  // Agents[0] has come back Count times in all
)

// record is one line of the journal.
type record struct {
	Kind    recordKind    `json:"kind"`
	AtMS    int64         `json:"at"` // Unix ms, this machine's clock
	ID      string        `json:"id,omitempty"`
	Agents  []string      `json:"agents,omitempty"`
	LeftMS  float64       `json:"left_ms,omitzero"` // received, final: of the time to live, at AtMS
	Count   uint64        `json:"count,omitzero"`
	Cluster *wire.Address `json:"cluster,omitempty"`

	Message *wire.MeshMessage   `json:"message,omitempty"`
	Frozen  *wire.FrozenState   `json:"frozen,omitempty"`
	State   *wire.DeliveryState `json:"state,omitempty"`

	Code         wire.Code            `json:"code,omitempty"`
	ProcessingMS float64              `json:"processing_ms,omitzero"`
	Again        bool                 `json:"again,omitzero"`
	Detail       *wire.ConflictDetail `json:"detail,omitempty"`
	Answer       jsontext.Value       `json:"answer,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSize is the length of a line's checksum and the space behind it.
const sumSize = 9

// appendRecord spells r as a line: CRC-32C of what follows in hex, a space,
// JSON, a line feed.
func appendRecord(buf []byte, r *record) ([]byte, error) {
	start := len(buf)
	buf = append(buf, "00000000 "...)
	if r.plain() {
		buf = r.appendPlain(buf)
	} else {
		body, err := json.Marshal(r)
		if err != nil {
			return buf[:start], fmt.Errorf("journal: a record of kind %s cannot be spelled: %w", r.Kind, err)
		}
		buf = append(buf, body...)
	}
	body := buf[start+sumSize:]
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli))
	hex.Encode(buf[start:], sum)
	return append(buf, '\n'), nil
}

// plain reports whether r says only of which message, of whom, when and how: so
// do two of three records, that work begins and that it has ended.
func (r *record) plain() bool {
	return r.Count == 0 && r.Cluster == nil && r.Message == nil && r.Frozen == nil && r.Detail == nil && r.Answer == nil &&
		bare(r.ID) && bare(string(r.Code))
}

// bare reports whether JSON spells s as it is.
func bare(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })
}

// appendPlain spells a plain record as [json.Marshal] would, at a tenth of the
// cost. Kinds and names have nothing that JSON would escape.
func (r *record) appendPlain(buf []byte) []byte {
	buf = append(append(buf, `{"kind":"`...), r.Kind...)
	buf = strconv.AppendInt(append(buf, `","at":`...), r.AtMS, 10)
	if r.ID != "" {
		buf = append(append(append(buf, `,"id":"`...), r.ID...), '"')
	}
	if len(r.Agents) > 0 {
		buf = append(buf, `,"agents":["`...)
		for i, id := range r.Agents {
			if i > 0 {
				buf = append(buf, `","`...)
			}
			buf = append(buf, id...)
		}
		buf = append(buf, `"]`...)
	}
	if r.LeftMS != 0 {
		buf = appendMS(append(buf, `,"left_ms":`...), r.LeftMS)
	}
	if r.State != nil {
		buf = append(append(append(buf, `,"state":"`...), r.State.String()...), '"')
	}
	if r.Code != "" {
		buf = append(append(append(buf, `,"code":"`...), r.Code...), '"')
	}
	if r.ProcessingMS != 0 {
		buf = appendMS(append(buf, `,"processing_ms":`...), r.ProcessingMS)
	}
	if r.Again {
		buf = append(buf, `,"again":true`...)
	}
	return append(buf, '}')
}

func appendMS(buf []byte, ms float64) []byte { return strconv.AppendFloat(buf, ms, 'f', -1, 64) }

// decodeRecord reads a line without its line feed.
func decodeRecord(line []byte) (*record, error) {
	var sum [4]byte
	if len(line) < sumSize || line[sumSize-1] != ' ' {
		return nil, fmt.Errorf("journal: a line of %d bytes has no checksum", len(line))
	}
	if _, err := hex.Decode(sum[:], line[:sumSize-1]); err != nil {
		return nil, fmt.Errorf("journal: checksum: %w", err)
	}
	body := line[sumSize:]
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.Checksum(body, castagnoli) != want {
		return nil, fmt.Errorf("journal: a line of %d bytes is damaged", len(line))
	}
	r := new(record)
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return r, r.check()
}

// check returns an error unless r has what its kind needs.
func (r *record) check() error {
	ok := true
	switch r.Kind {
	case recordStart:
	case recordReceived:
		ok = r.Message != nil && r.Message.MessageID != "" && len(r.Agents) > 0
	case recordBegun:
		ok = r.ID != ""
	case recordFinal:
		ok = r.ID != "" && r.State != nil && r.State.Final()
	case recordFrozen:
		ok = r.Cluster != nil && r.Frozen != nil
	case recordReturns:
		ok = len(r.Agents) == 1
	default:
		return fmt.Errorf("journal: a record of kind %q: it was written by a newer version", wire.Clean(string(r.Kind)))
	}
	if !ok {
		return fmt.Errorf("journal: a record of kind %s lacks what belongs to it", r.Kind)
	}
	return nil
}

// decodeJournal calls take for each intact record of data in order and returns
// how many whole lines were not intact. What follows the last line feed is a
// torn write: it was never acknowledged and is left out without a word.
func decodeJournal(data []byte, take func(*record)) (damaged int) {
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return damaged
		}
		if r, err := decodeRecord(line); err == nil {
			take(r)
		} else {
			damaged++
		}
		data = rest
	}
}
