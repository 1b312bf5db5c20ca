//! Which hosts the API may be told to connect to.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// What the API may connect to: looks at cameras (`/api/v1/probe`) and the search for them (`/api/v1/discover`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Network")]
pub struct RawNetwork {
    /// Networks that cameras named by the API may be in, such as 10.0.0.0/8, or single addresses, at most 64. Default: all
    /// but link-local addresses; never our own ports
    #[schemars(schema_with = "networks_schema")]
    pub cameras: Option<Vec<String>>,
    /// IPv4 networks or network devices, such as 10.0.0.0/24 or eth0, on which ONVIF cameras may be searched for; at most
    /// 16. Default: none
    #[schemars(schema_with = "networks_schema")]
    pub discover: Option<Vec<String>>,
}

fn networks_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 })
}
