package fleet

import "mesh30k/meshcore/wire"

// Profile is how a fleet behaves: the content of a fleet file. Every key, its
// unit and the source of its default are written in fleet.example.yaml.
type Profile struct {
	Host    Host    `yaml:"host"`
	Loss    Loss    `yaml:"loss"`
	Churn   Churn   `yaml:"churn"`
	Classes Classes `yaml:"classes"`
}

// Host is what is wrong with the clocks of the hosts, one host a sector.
type Host struct {
	ClockOffsetMS float64 `yaml:"clock_offset_sd_ms"` // standard deviation, ms
	ClockDriftPPM float64 `yaml:"clock_drift_sd_ppm"` // standard deviation, parts per million
}

// Loss is the share of trips between host and agent that get lost, 0–1.
type Loss struct {
	Probability float64 `yaml:"probability"`
}

// Churn is how agents crash and return.
type Churn struct {
	CrashesPerMin float64 `yaml:"crashes_per_min"` // over the whole fleet
	DownMedianS   float64 `yaml:"down_median_s"`
	DownLogSD     float64 `yaml:"down_log_sd"` // of ln(down time), dimensionless
	DownTail      Tail    `yaml:"down_tail"`
	DownMaxS      float64 `yaml:"down_max_s"`
}

// Classes holds the six classes of 2.2.
type Classes struct {
	A Class `yaml:"A"`
	B Class `yaml:"B"`
	C Class `yaml:"C"`
	D Class `yaml:"D"`
	E Class `yaml:"E"`
	F Class `yaml:"F"`
}

// Of is the profile of a class, to read or change; nil for no class of 2.2.
func (c *Classes) Of(class wire.Class) *Class {
	switch class {
	case wire.ClassEdge:
		return &c.A
	case wire.ClassServerless:
		return &c.B
	case wire.ClassPersistent:
		return &c.C
	case wire.ClassGPU:
		return &c.D
	case wire.ClassLocal:
		return &c.E
	case wire.ClassHuman:
		return &c.F
	}
	return nil
}

// Class is the behaviour of the agents of one class.
type Class struct {
	Share   float64 `yaml:"share"` // of the fleet, relative to the other classes' shares
	Network Network `yaml:"network"`
	Service Service `yaml:"service"`
	Work    Work    `yaml:"work"`
}

// Range is [low, high]; each agent draws its own value in it, evenly.
type Range [2]float64

// Tail multiplies a few values: with Probability a value is multiplied by
// From·Pareto(Index), at most by Max.
type Tail struct {
	Probability float64 `yaml:"probability"`
	Index       float64 `yaml:"index"` // of the Pareto law; below 2 its variance is infinite
	From        float64 `yaml:"from"`  // smallest multiplier
	Max         float64 `yaml:"max"`   // largest multiplier
}

// Network is the leg between host and agent. Every time is a round trip.
type Network struct {
	MedianMS     Range   `yaml:"median_ms"`
	JitterCV     float64 `yaml:"jitter_cv"` // from one round trip to the next
	DriftCV      float64 `yaml:"drift_cv"`  // slow drift, AR(1)
	DriftMin     float64 `yaml:"drift_min"` // time after which drift is forgotten to 1/e, minutes
	RoutesPerDay float64 `yaml:"route_shifts_per_day"`
	RouteLogSD   float64 `yaml:"route_shift_log_sd"`
	Retransmit   float64 `yaml:"retransmit_probability"`
	RetransmitMS Range   `yaml:"retransmit_ms"`
	Tail         Tail    `yaml:"tail"`
}

// Service is how long the work on a message takes.
type Service struct {
	BaseMS      float64 `yaml:"base_ms"`       // median over the class: payload of weight 1, empty queue
	SpreadLogSD float64 `yaml:"spread_log_sd"` // between agents
	BodyCV      float64 `yaml:"body_cv"`       // from one message to the next
	Weight      Range   `yaml:"weight_factor"` // a in (1 + a·weight)/(1 + a)
	Queue       Range   `yaml:"queue_factor"`  // b in 1 + b·queue
	Tail        Tail    `yaml:"tail"`
	Regime      Regime  `yaml:"regime"`
	Cold        Cold    `yaml:"cold_start"`
}

// Regime is a rare step of all service times of an agent that wears off.
type Regime struct {
	PerDay    float64 `yaml:"changes_per_day"`
	LogSD     float64 `yaml:"step_log_sd"`
	RevertMin float64 `yaml:"revert_min"` // time after which a step has shrunk to 1/e, minutes
}

// Cold is the start of a function that is not warm.
type Cold struct {
	Probability float64 `yaml:"probability"` // of a message that finds it warm by time: another instance is started
	IdleS       float64 `yaml:"idle_s"`      // without work for longer than this it is cold; 0: never
	ExtraMS     float64 `yaml:"extra_ms"`    // median of what a cold start adds
	LogSD       float64 `yaml:"log_sd"`
}

// Work is what an agent does of its own accord, so that queues live.
type Work struct {
	IntervalS    float64 `yaml:"interval_s"`    // mean time between tasks; 0: no work of its own
	BurstMean    float64 `yaml:"burst_mean"`    // tasks that come together, geometric; 1: singly
	WeightMedian float64 `yaml:"weight_median"` // payload weight of a task
	WeightLogSD  float64 `yaml:"weight_log_sd"`
}

// Counts splits n agents over the classes by their shares, in order of class;
// the sum is exactly n (largest remainder).
func (p *Profile) Counts(n int) map[wire.Class]int {
	sum := 0.0
	for _, c := range wire.Classes {
		sum += p.Classes.Of(c).Share
	}
	counts, rest := make(map[wire.Class]int), make(map[wire.Class]float64)
	left := n
	for _, c := range wire.Classes {
		exact := float64(n) * p.Classes.Of(c).Share / sum
		counts[c] = int(exact)
		rest[c] = exact - float64(counts[c])
		left -= counts[c]
	}
	for ; left > 0; left-- {
		best := wire.Classes[0]
		for _, c := range wire.Classes {
			if rest[c] > rest[best] {
				best = c
			}
		}
		counts[best]++
		rest[best] = -1
	}
	return counts
}
