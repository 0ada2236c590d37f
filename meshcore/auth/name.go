package auth

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// namePattern is that of wire.CheckName, which this package may not import;
// a test of package meshcore keeps the two alike. Names go into permission
// templates, where a `*` or `>` would stand for everybody else.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// CoreName is the name of the core's own user. No host, person or token may
// have it: replies to the core go to an inbox of that name.
const CoreName = "core"

// CheckName returns an error unless s may name a mesh, host, person or token:
// [a-z][a-z0-9-]{0,62}, and not [CoreName].
func CheckName(kind, s string) error {
	if !namePattern.MatchString(s) {
		return fmt.Errorf("%s name %q: want a lower-case letter, then up to 62 letters, digits or '-'", kind, s)
	}
	if s == CoreName {
		return fmt.Errorf("%s name %q belongs to the core itself: choose another", kind, s)
	}
	return nil
}

// clusterOf reads the cluster's number from an address such as 7.4, which must
// lie in sector.
func clusterOf(address string, sector int) (int, error) {
	left, right, ok := strings.Cut(address, ".")
	s, err1 := strconv.Atoi(left)
	c, err2 := strconv.Atoi(right)
	plain := ok && err1 == nil && err2 == nil && s >= 1 && c >= 1 &&
		address == strconv.Itoa(s)+"."+strconv.Itoa(c)
	if !plain {
		return 0, fmt.Errorf("cluster %q: want SECTOR.CLUSTER, such as 7.4", address)
	}
	if s != sector {
		return 0, fmt.Errorf("cluster %s is not in sector %d, whose key signs", address, sector)
	}
	return c, nil
}
