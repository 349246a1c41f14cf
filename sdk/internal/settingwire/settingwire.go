// Package settingwire carries the settings of sources over the wire, the same
// way at both ends. What a setting means is not its business.
package settingwire

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/action-llama/gateway/sdk/providerv1"
)

// ToProto writes settings; see sdk.Settings for what their values are. A value
// of any other type is left out.
func ToProto(settings map[string]any) map[string]*providerv1.SettingValue {
	if len(settings) == 0 {
		return nil
	}
	out := make(map[string]*providerv1.SettingValue, len(settings))
	for name, value := range settings {
		if v := ValueToProto(value); v != nil {
			out[name] = v
		}
	}
	return out
}

// ValueToProto writes one value, or nil.
func ValueToProto(value any) *providerv1.SettingValue {
	switch v := value.(type) {
	case string:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_Text{Text: v}}
	case bool:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_Boolean{Boolean: v}}
	case int64:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_Integer{Integer: v}}
	case time.Duration:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_Duration{Duration: durationpb.New(v)}}
	case []string:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_List{List: &providerv1.StringList{Values: v}}}
	case map[string]string:
		return &providerv1.SettingValue{Value: &providerv1.SettingValue_Table{Table: &providerv1.StringTable{Values: v}}}
	default:
		return nil
	}
}

// FromProto reads settings. A value of a kind from the future is left out.
func FromProto(in map[string]*providerv1.SettingValue) map[string]any {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]any, len(in))
	for name, v := range in {
		if value := ValueFromProto(v); value != nil {
			out[name] = value
		}
	}
	return out
}

// ValueFromProto reads one value, or nil.
func ValueFromProto(in *providerv1.SettingValue) any {
	switch v := in.GetValue().(type) {
	case *providerv1.SettingValue_Text:
		return v.Text
	case *providerv1.SettingValue_Boolean:
		return v.Boolean
	case *providerv1.SettingValue_Integer:
		return v.Integer
	case *providerv1.SettingValue_Duration:
		return v.Duration.AsDuration()
	case *providerv1.SettingValue_List:
		return append([]string{}, v.List.GetValues()...)
	case *providerv1.SettingValue_Table:
		table := make(map[string]string, len(v.Table.GetValues()))
		for key, value := range v.Table.GetValues() {
			table[key] = value
		}
		return table
	default:
		return nil
	}
}
