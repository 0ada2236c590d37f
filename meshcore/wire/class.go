package wire

import "fmt"

// Class is an impedance class of the specification's 2.2.
type Class byte

// The six classes.
const (
	ClassEdge       Class = 'A' // edge workers
	ClassServerless Class = 'B' // serverless functions
	ClassPersistent Class = 'C' // long-running containers, VPS
	ClassGPU        Class = 'D' // GPU instances, Jetson
	ClassLocal      Class = 'E' // Raspberry Pi, local hardware, IoT
	ClassHuman      Class = 'F' // people in the loop
)

// Classes lists the classes in order.
var Classes = [...]Class{ClassEdge, ClassServerless, ClassPersistent, ClassGPU, ClassLocal, ClassHuman}

// classTraits holds what the specification and rulings fix of a class.
var classTraits = map[Class]struct {
	name         string
	baseMS       float64 // 3.1: processing of a standard payload
	refMS        float64 // rulings: Z_ref, the impedance that scores 500
	count        int     // 2.2: count_allocation
	capabilities []string
}{
	ClassEdge:       {"EDGE", 10, 30, 10_000, []string{"routing", "lightweight_transforms", "cache_operations"}},
	ClassServerless: {"SERVERLESS", 50, 200, 8_000, []string{"api_handlers", "database_operations", "integrations"}},
	ClassPersistent: {"PERSISTENT", 200, 500, 5_000, []string{"complex_reasoning", "batch_processing", "training"}},
	ClassGPU:        {"GPU", 100, 600, 2_000, []string{"embedding_generation", "llm_inference", "vision"}},
	ClassLocal:      {"LOCAL", 150, 450, 3_000, []string{"sensor_data", "local_state", "physical_world_bridge"}},
	ClassHuman:      {"HUMAN", 60_000, 120_000, 2_000, []string{"high_stakes_decisions", "novel_situations", "oversight"}},
}

// Valid reports whether c is one of the six classes.
func (c Class) Valid() bool { return c >= ClassEdge && c <= ClassHuman }

func (c Class) String() string { return string(rune(c)) }

// LongName is the specification's spelling, such as CLASS_D_GPU.
func (c Class) LongName() string { return "CLASS_" + c.String() + "_" + classTraits[c].name }

// BaseMS is the processing time in ms of a standard payload that 3.1 assumes
// of an agent of this class about which nothing is known.
func (c Class) BaseMS() float64 { return classTraits[c].baseMS }

// RefMS is the impedance in ms that scores 500 (rulings: Z_ref).
func (c Class) RefMS() float64 { return classTraits[c].refMS }

// Allocation is 2.2's count of agents of this class in a mesh of 30,000.
func (c Class) Allocation() int { return classTraits[c].count }

// Capabilities is 2.2's best_for, as capabilities; the caller must not change it.
func (c Class) Capabilities() []string { return classTraits[c].capabilities }

// MarshalText implements [encoding.TextMarshaler].
func (c Class) MarshalText() ([]byte, error) {
	if !c.Valid() {
		return nil, fmt.Errorf("class %q: want A to F", string(rune(c)))
	}
	return []byte{byte(c)}, nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]; see [ParseClass].
func (c *Class) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClass(string(text))
	return err
}

// ParseClass reads a class as one letter or as the specification spells it
// (CLASS_D_GPU), in any case.
func ParseClass(s string) (Class, error) {
	for _, c := range Classes {
		if equalFold(s, c.String()) || equalFold(s, c.LongName()) || equalFold(s, "CLASS_"+c.String()) {
			return c, nil
		}
	}
	return 0, fmt.Errorf("class %q: want one of A B C D E F", Clean(s))
}
