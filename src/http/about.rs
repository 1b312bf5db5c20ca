//! What this program is and what runs in it.

use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::Shared;
use super::problem::Problem;
use super::tags;
use crate::metrics::COMMIT;

/// What runs
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Version {
    version: &'static str,
    /// Commit that it was built from, or unknown
    commit: &'static str,
    /// What of the API is switched on here
    features: Vec<&'static str>,
}

/// Networks that run
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Models {
    models: Vec<Model>,
}

/// A network
#[derive(Debug, Serialize, JsonSchema)]
struct Model {
    /// Name by its manifest
    name: String,
    #[schemars(extend("enum" = ["detection", "classification"]))]
    task: String,
    /// fp32, fp16 or int8
    precision: String,
    /// Where it runs
    #[schemars(extend("enum" = ["cpu", "openvino", "cuda", "tensorrt"]))]
    provider: &'static str,
    /// Threads of one run; null: it does not run on the processor's cores
    threads: Option<usize>,
}

pub(super) async fn version(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let version = Version { version: env!("CARGO_PKG_VERSION"), commit: COMMIT, features: state.features() };
    unless_had(&headers, &version)
}

pub(super) async fn models(state: Shared, headers: HeaderMap) -> Result<Response, Problem> {
    let model = |model: maskwatch_engine::ModelInfo| Model {
        provider: model.provider.as_str(),
        threads: model.threads,
        name: model.name,
        task: model.task,
        precision: model.precision,
    };
    unless_had(&headers, &Models { models: state.metrics.models().into_iter().map(model).collect() })
}

/// All of the answer changes seldom.
fn unless_had(headers: &HeaderMap, answer: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(answer).map_err(Problem::internal)?;
    Ok(tags::unless_had(headers, &tags::of_bytes(&bytes), Json(answer).into_response()))
}
