package fleet_test

import (
	"fmt"

	"mesh30k/agentd/fleet"
)

// A file names only what differs from the default.
func ExampleParse() {
	p, err := fleet.Parse([]byte(`
churn: {crashes_per_min: 300}
classes:
  D:
    service:
      base_ms: 80
`))
	fmt.Println(p.Churn.CrashesPerMin, p.Classes.D.Service.BaseMS, p.Classes.A.Service.BaseMS, err)

	_, err = fleet.Parse([]byte("loss:\n  probability: 3\n"))
	fmt.Println(err)
	// Output:
	// 300 80 10 <nil>
	// fleet file, line 2: loss.probability: 3 is out of range; want 0 to 1
}
