//! The JSON Schema of the configuration file, made from the types that read it.

use schemars::generate::SchemaSettings;

use super::raw::RawConfig;

/// The schema (draft 2020-12), as pretty JSON with a final line break. `config/maskwatch.schema.json` is this text.
///
/// # Errors
/// Where JSON cannot be written: never in practice.
pub fn json() -> Result<String, serde_json::Error> {
    let mut settings = SchemaSettings::draft2020_12();
    // Options are keys that may be left out, not keys that may be null.
    settings.untagged_enum_variant_titles = false;
    let schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
