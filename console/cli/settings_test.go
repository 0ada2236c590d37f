package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// settle loads the settings of a command line, an environment and a file.
func settle(t *testing.T, args []string, env map[string]string, file string) (*Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if file != "" {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := &cobra.Command{Use: "mesh30k", Run: func(*cobra.Command, []string) {}}
	AddSettings(root)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return LoadSettings(root, path, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestAFlagGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		env    map[string]string
		file   string
		mesh   string
		source string
	}{
		{"nothing said", nil, nil, "", "", "default"},
		{"a file", nil, nil, "mesh: from-file", "from-file", "file"},
		{"the environment too", nil, map[string]string{"MESH30K_MESH": "from-env"}, "mesh: from-file", "from-env", "environment MESH30K_MESH"},
		{"a flag too", []string{"--mesh", "from-flag"}, map[string]string{"MESH30K_MESH": "from-env"}, "mesh: from-file", "from-flag", "flag --mesh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := settle(t, c.args, c.env, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if s.Mesh != c.mesh || !strings.HasPrefix(s.List()[0].Source, c.source) {
				t.Errorf("mesh %q from %q, want %q from %q", s.Mesh, s.List()[0].Source, c.mesh, c.source)
			}
		})
	}
}

func TestAFileThatCannotBeMeantIsRefused(t *testing.T) {
	for name, file := range map[string]string{
		"a setting that is none": "mash: demo",
		"a truth that is none":   "read_only: perhaps",
		"a level that is none":   "log: loud",
		"no YAML":                "mesh: [",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := settle(t, nil, nil, file); err == nil {
				t.Errorf("%q was taken", file)
			}
		})
	}
}
