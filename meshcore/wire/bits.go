package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"
)

// Bits is a set of agents of one sector, by ordinal. An ordinal is given to an
// agent when it is enrolled, counts from 0 in its sector and is never given
// again, so that a set on disk means the same agents for ever.
//
// On the wire it is base64 (standard, no padding) of little-endian 64-bit
// words: bit i of word w is ordinal 64w+i. Trailing zero words are left out.
type Bits []uint64

// MaxOrdinal bounds an ordinal, so that a hostile set stays small (128 KiB).
const MaxOrdinal = 1 << 20

// Has reports whether ordinal n is in the set.
func (b Bits) Has(n int) bool { return n>>6 < len(b) && b[n>>6]&(1<<(n&63)) != 0 }

// Add puts ordinal n into the set.
func (b *Bits) Add(n int) {
	for n>>6 >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

// Remove takes ordinal n out of the set.
func (b Bits) Remove(n int) {
	if n>>6 < len(b) {
		b[n>>6] &^= 1 << (n & 63)
	}
}

// Len is the number of ordinals in the set.
func (b Bits) Len() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether the set has no member.
func (b Bits) Empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// Clone returns a copy that shares nothing with b.
func (b Bits) Clone() Bits { return append(Bits(nil), b...) }

// Or adds all members of c.
func (b *Bits) Or(c Bits) {
	for len(*b) < len(c) {
		*b = append(*b, 0)
	}
	for i, w := range c {
		(*b)[i] |= w
	}
}

// AndNot removes all members of c.
func (b Bits) AndNot(c Bits) {
	for i := range min(len(b), len(c)) {
		b[i] &^= c[i]
	}
}

// And keeps only the members that are in c too.
func (b Bits) And(c Bits) {
	for i := range b {
		if i < len(c) {
			b[i] &= c[i]
		} else {
			b[i] = 0
		}
	}
}

// All yields the members in ascending order.
func (b Bits) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range b {
			for w != 0 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
				w &= w - 1
			}
		}
	}
}

// MarshalText implements [encoding.TextMarshaler].
func (b Bits) MarshalText() ([]byte, error) {
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	raw := make([]byte, 8*end)
	for i, w := range b[:end] {
		binary.LittleEndian.PutUint64(raw[8*i:], w)
	}
	return base64.RawStdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Bits) UnmarshalText(text []byte) error {
	if base64.RawStdEncoding.DecodedLen(len(text)) > MaxOrdinal/8 {
		return fmt.Errorf("set of agents: %d characters is more than %d ordinals take", len(text), MaxOrdinal)
	}
	if bytes.ContainsAny(text, "\r\n") { // which the decoder would skip
		return errors.New("set of agents: has line breaks")
	}
	raw, err := base64.RawStdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("set of agents: %w", err)
	}
	if len(raw)%8 != 0 {
		return fmt.Errorf("set of agents: %d bytes is not a whole number of 64-bit words", len(raw))
	}
	set := make(Bits, len(raw)/8)
	for i := range set {
		set[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	for len(set) > 0 && set[len(set)-1] == 0 {
		set = set[:len(set)-1]
	}
	*b = set
	return nil
}

// SectorSet is a set of agents of one sector.
type SectorSet struct {
	Sector int  `json:"sector"`
	Agents Bits `json:"agents"`
}

// Targets is an exact set of agents of the mesh, by sector in ascending order,
// without empty sectors. It is never a bare count: who is missing can be named.
type Targets []SectorSet

// Len is the number of agents.
func (t Targets) Len() (n int) {
	for _, s := range t {
		n += s.Agents.Len()
	}
	return n
}

// Sector returns the set of sector s, nil where it has none.
func (t Targets) Sector(s int) Bits {
	for _, set := range t {
		if set.Sector == s {
			return set.Agents
		}
	}
	return nil
}
