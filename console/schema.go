package console

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schema is the part of JSON Schema (2020-12) that actions need.
type schema struct {
	Type        string             `json:"type"`
	Description string             `json:"description,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Minimum     *float64           `json:"minimum,omitempty"`
	Maximum     *float64           `json:"maximum,omitempty"`
	MinLength   int                `json:"minLength,omitzero"`
	Default     jsontext.Value     `json:"default,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Additional  *bool              `json:"additionalProperties,omitempty"`
}

// Schema is the JSON Schema of the action's arguments, without "action": the
// parameters of a tool of that name. It accepts every canonical form.
func (e *Entry) Schema() jsontext.Value {
	no := false
	s := schema{Type: "object", Description: e.Summary, Properties: map[string]*schema{}, Additional: &no}
	for i := range e.Args {
		a := &e.Args[i]
		s.Properties[a.Name] = a.schema()
		if a.Required {
			s.Required = append(s.Required, a.Name)
		}
	}
	data, err := json.Marshal(&s, json.Deterministic(true))
	if err != nil {
		panic("console: schema of " + e.Name + ": " + err.Error())
	}
	return data
}

const durationPattern = `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

func (a *Arg) schema() *schema {
	s := &schema{Type: "string", Description: a.Help, Enum: a.Enum}
	switch a.Kind {
	case KindInt, KindNumber:
		s.Type = string(a.Kind)
		s.Minimum, s.Maximum = bound(a.Min), bound(a.Max)
	case KindBool:
		s.Type = "boolean"
	case KindDuration:
		s.Pattern = durationPattern
	case KindClass:
		s.Pattern = "^[A-F]?$"
	case KindTarget, KindTime, KindText, KindFact:
		if a.Required {
			s.MinLength = 1
		}
		if a.Enum != nil && !slices.Contains(a.Enum, a.Default) && !a.Required {
			s.Enum = append(slices.Clone(a.Enum), a.Default)
		}
	}
	if len(a.Enum) == 0 && a.Kind != KindText && a.Kind != KindTime && a.Kind != KindBool {
		s.Description += " (" + a.Wants() + ")"
	}
	if !a.Required {
		s.Default = a.defaultJSON()
	}
	return s
}

func bound(s string) *float64 {
	if s == "" {
		return nil
	}
	x, _ := strconv.ParseFloat(s, 64) // a test reads every tag
	return &x
}

func (a *Arg) defaultJSON() jsontext.Value {
	if a.jsonKind() == '"' {
		return quote(a.Default)
	}
	return jsontext.Value(a.Default)
}
