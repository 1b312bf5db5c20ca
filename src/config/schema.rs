//! The JSON Schema of the configuration file, made from the types that read it.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use super::raw::RawConfig;

/// The schema (draft 2020-12), as pretty JSON with a final line break. `config/maskwatch.schema.json` is this text.
///
/// # Errors
/// Where JSON cannot be written: never in practice.
pub fn json() -> Result<String, serde_json::Error> {
    let mut settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    settings.untagged_enum_variant_titles = false;
    let schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Options are keys that may be left out, not keys that may be null.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}
