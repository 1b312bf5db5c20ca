//! Zones and lines of a camera.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A zone (`polygon`) or a line (`line`); points are `[x, y]` in 0..1 of the picture, from its left top corner.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Zone")]
pub struct RawZone {
    /// Unique on the camera; lower-case letters, digits and `-`. The label `zone` of the metrics. Needed
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: Option<String>,
    /// Corners of a zone, at least 3; people in it are counted, each once
    #[schemars(schema_with = "polygon_schema")]
    pub polygon: Option<Vec<Vec<f64>>>,
    /// Both ends of a line; people who cross it are counted, each once per direction. `forward`: from the left to the
    /// right of one who goes from the first end to the second
    #[schemars(schema_with = "line_schema")]
    pub line: Option<Vec<Vec<f64>>>,
    /// Faces in this zone are not looked at: a poster, a screen. Default: false
    pub ignore: Option<bool>,
}

fn points(least: usize, most: Option<usize>) -> Schema {
    let number = json_schema!({ "type": "number", "minimum": 0, "maximum": 1 });
    let point = json_schema!({ "type": "array", "items": number, "minItems": 2, "maxItems": 2 });
    let mut schema = json_schema!({ "type": "array", "items": point, "minItems": least });
    if let Some(most) = most {
        schema.insert("maxItems".into(), most.into());
    }
    schema
}

fn polygon_schema(_: &mut SchemaGenerator) -> Schema {
    points(3, None)
}

fn line_schema(_: &mut SchemaGenerator) -> Schema {
    points(2, Some(2))
}
