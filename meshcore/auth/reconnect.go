package auth

import (
	"math/rand/v2"
	"time"
)

// ReconnectDelay is how long to wait before attempt number attempts (from 1)
// to reach a broker that about connections clients want to reach: a random
// time between zero and a window (full jitter), so that those who lost the
// broker together do not come back together.
//
// The first window is 1 ms a client, at least 100 ms (a broker on one core
// took 1,750 JWT connects a second); it doubles with each attempt up to 10 ms
// a client, at least 5 s and at most 60 s, so that a broker that is down for
// long is asked at a bearable rate, and a small mesh returns soon.
func ReconnectDelay(attempts, connections int) time.Duration {
	return rand.N(reconnectWindow(attempts, connections))
}

func reconnectWindow(attempts, connections int) time.Duration {
	connections = min(max(connections, 1), 1_000_000)
	first := max(time.Duration(connections)*time.Millisecond, 100*time.Millisecond)
	last := min(max(10*time.Millisecond*time.Duration(connections), 5*time.Second), time.Minute)
	doubled := first << min(max(attempts-1, 0), 10)
	return min(doubled, last)
}
