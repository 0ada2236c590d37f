package registry

import "slices"

// p95 is the 95th percentile as 4.2 asks for it: Python's
// statistics.quantiles(values, n=20)[18] with its exclusive method, which takes
// the values for a sample and interpolates between ranks. With fewer than 19
// values it therefore extrapolates beyond the largest, as Python does; one value
// is its own percentile, and of none it is 0. It sorts values.
func p95(values []float64) float64 {
	const n, i = 20, 19
	ld := len(values)
	switch ld {
	case 0:
		return 0
	case 1:
		return values[0]
	}
	slices.Sort(values)
	m := ld + 1
	j := min(max(i*m/n, 1), ld-1)
	delta := float64(i*m - j*n)
	return (values[j-1]*(n-delta) + values[j]*delta) / n
}

// mean is 0 of no values.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
