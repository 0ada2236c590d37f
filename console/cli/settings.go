package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mesh30k/meshcore/wire"
)

// Settings are what a person sets once and does not want to type: a flag goes
// before the environment, that before the file, that before the default.
//
// The tags: flag names the flag, env the variable, file the member of the YAML
// file, default the value without any of them.
type Settings struct {
	Mesh     string `flag:"mesh" env:"MESH30K_MESH" file:"mesh" help:"which mesh; empty: the one that runs"`
	As       string `flag:"as" env:"MESH30K_AS" file:"as" help:"as whom, of those whose credentials are here; empty: the only one"`
	Data     string `flag:"data" env:"MESH30K_DATA" file:"data" help:"folder of the meshes"`
	ReadOnly bool   `flag:"read-only" env:"MESH30K_READ_ONLY" file:"read_only" default:"false" help:"the core refuses every change; the console offers none"`
	Log      string `flag:"log" env:"MESH30K_LOG" file:"log" default:"warn" enum:"debug|info|warn|error" help:"least level that is logged to standard error"`

	File   string            // that was read; empty: there is none
	source map[string]string // by flag
}

// AddSettings adds the settings' flags to a command and all below it.
func AddSettings(root *cobra.Command) {
	flags := root.PersistentFlags()
	eachSetting(func(f reflect.StructField, name string) {
		if flags.Lookup(name) != nil {
			return
		}
		help := f.Tag.Get("help")
		if e := f.Tag.Get("enum"); e != "" {
			help += ": " + strings.ReplaceAll(e, "|", ", ")
		}
		if f.Type.Kind() == reflect.Bool {
			flags.Bool(name, false, help)
			return
		}
		flags.String(name, "", help)
	})
}

func eachSetting(do func(f reflect.StructField, flag string)) {
	t := reflect.TypeFor[Settings]()
	for field := range t.Fields() {
		if name := field.Tag.Get("flag"); name != "" {
			do(field, name)
		}
	}
}

// LoadSettings finds each setting: in cmd's flags, in the environment, in the
// file at path (missing: none), or its default. A file with unknown members or
// a value that cannot be is an error of code bad_message.
func LoadSettings(cmd *cobra.Command, path string, environ func(string) (string, bool)) (*Settings, error) {
	s := &Settings{source: map[string]string{}}
	file, err := s.read(path)
	if err != nil {
		return nil, err
	}
	var faults []error
	v := reflect.ValueOf(s).Elem()
	eachSetting(func(f reflect.StructField, flag string) {
		text, source := f.Tag.Get("default"), "default"
		if is, ok := file[f.Tag.Get("file")]; ok {
			text, source = is, "file "+path
		}
		if is, ok := environ(f.Tag.Get("env")); ok {
			text, source = is, "environment "+f.Tag.Get("env")
		}
		if fl := cmd.Flags().Lookup(flag); fl != nil && fl.Changed {
			text, source = fl.Value.String(), "flag --"+flag
		}
		s.source[flag] = source
		faults = append(faults, setField(v.FieldByIndex(f.Index), f, text, source))
	})
	if err := errors.Join(faults...); err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	return s, nil
}

func setField(v reflect.Value, f reflect.StructField, text, source string) error {
	if v.Kind() == reflect.Bool {
		is, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s: %q: want true or false", source, wire.Clean(text))
		}
		v.SetBool(is)
		return nil
	}
	if e := f.Tag.Get("enum"); e != "" && !strings.Contains("|"+e+"|", "|"+text+"|") {
		return fmt.Errorf("%s: %q: want one of %s", source, wire.Clean(text), strings.ReplaceAll(e, "|", ", "))
	}
	v.SetString(text)
	return nil
}

// read returns the file's members as text.
func (s *Settings) read(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "the settings cannot be read: %v", err)
	}
	s.File = path
	members := map[string]any{}
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&members); err != nil && !errors.Is(err, io.EOF) {
		return nil, wire.Errorf(wire.CodeBadMessage, "the settings in %s are not YAML: %v", path, err)
	}
	known := map[string]bool{}
	var names []string
	eachSetting(func(f reflect.StructField, _ string) {
		known[f.Tag.Get("file")] = true
		names = append(names, f.Tag.Get("file"))
	})
	texts := map[string]string{}
	for name, value := range members {
		if !known[name] {
			return nil, wire.Errorf(wire.CodeBadMessage, "%s: there is no setting %q", path, wire.Clean(name)).
				WithHint("settings are %s", strings.Join(names, ", "))
		}
		texts[name] = fmt.Sprint(value)
	}
	return texts, nil
}

// List is every setting with where it came from, for [Info].
func (s *Settings) List() []Setting {
	var all []Setting
	v := reflect.ValueOf(s).Elem()
	eachSetting(func(f reflect.StructField, flag string) {
		all = append(all, Setting{Name: flag, Value: fmt.Sprint(v.FieldByIndex(f.Index).Interface()), Source: s.source[flag]})
	})
	return all
}
