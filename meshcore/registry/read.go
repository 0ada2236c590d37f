package registry

import (
	"bytes"
	"os"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// ReadTopology reads the topology of a mesh from a JSON file, as mesh.json has
// it; the mesh's name comes from the caller. A file that cannot be meant is an
// error of code bad_message that says where.
func ReadTopology(mesh, path string) (*wire.Topology, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "the topology cannot be read: %v", err)
	}
	var t wire.Topology
	if err := json.UnmarshalRead(bytes.NewReader(data), &t, json.RejectUnknownMembers(true)); err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "%s is not a topology: %v", path, err).
			WithHint(`want {"sectors":[{"name":"berlin","clusters":[{"name":"pis","seats":{"E":12}}]}]}`)
	}
	t.Mesh = mesh
	if err := t.Check(); err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "%s: %v", path, err)
	}
	return &t, nil
}
