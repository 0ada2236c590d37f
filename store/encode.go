package store

import (
	"database/sql"
	"encoding/binary"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// nanos is t as it is stored: ns since 1970, in [1678, 2262]; the zero time is 0.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1678:
		return -1 << 63
	case t.Year() > 2261:
		return 1<<63 - 1
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// optional is s as it is stored: NULL where there is none, so that the indexes
// leave it out.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func optionalValue(v jsontext.Value) any { return optional(string(v)) }

func value(s sql.NullString) jsontext.Value {
	if s.String == "" {
		return nil
	}
	return jsontext.Value(s.String)
}

func packBits(b wire.Bits) []byte {
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	raw := make([]byte, 0, 8*end)
	for _, w := range b[:end] {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return raw
}

func unpackBits(raw []byte) wire.Bits {
	b := make(wire.Bits, len(raw)/8)
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return b
}

// encode spells what is derived from a fact; it was decoded, so it can be spelled.
func encode(v any) (string, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	return string(text), err
}

func decode[T any](text []byte) (v T, err error) {
	err = json.Unmarshal(text, &v)
	return v, err
}
