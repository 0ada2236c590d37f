package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of the protocol, as MAJOR.MINOR.
//
// Within a major version members are only added, never removed, renamed or
// given another meaning, so that a minor version more or less is no hindrance.
type Version struct{ Major, Minor int }

// Current is the version that this program speaks.
var Current = Version{1, 0}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Speaks reports whether a program of version v can work with one of version
// other: the same major version, whatever the minor.
func (v Version) Speaks(other Version) bool { return v.Major == other.Major }

// MarshalText implements [encoding.TextMarshaler].
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Version) UnmarshalText(text []byte) error {
	major, minor, ok := strings.Cut(string(text), ".")
	if !ok {
		return fmt.Errorf("protocol version %q: want MAJOR.MINOR, such as %s", text, Current)
	}
	x, err1 := strconv.ParseUint(major, 10, 16)
	y, err2 := strconv.ParseUint(minor, 10, 16)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("protocol version %q: want MAJOR.MINOR, such as %s", text, Current)
	}
	*v = Version{int(x), int(y)}
	return nil
}
