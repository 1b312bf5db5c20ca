//! The router and its OpenAPI document, made in one go: whoever adds a route says what it takes and gives, and there is
//! no other way to add one.
//!
//! Schemas are those of `schemars`, as those of the configuration and of events are: OpenAPI 3.1 speaks the same JSON
//! Schema (draft 2020-12).

mod operation;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{delete, get, post, put};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub(super) use operation::Operation;

use super::State;

/// Where the document keeps its schemas.
const SCHEMAS: &str = "/components/schemas";

/// Routes as they are collected.
pub(super) struct Routes {
    router: Router<Arc<State>>,
    document: Document,
}

impl Routes {
    /// None yet. `login`: whether one is asked for.
    pub(super) fn new(login: bool) -> Self {
        Self { router: Router::new(), document: Document::new(login) }
    }

    /// What GET gives at `path`.
    pub(super) fn get<H, T>(self, path: &str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<State>>,
        T: 'static,
    {
        let Self { router, mut document } = self;
        document.add(path, "get", operation);
        Self { router: router.route(path, get(handler)), document }
    }

    /// What POST does at `path`.
    pub(super) fn post<H, T>(self, path: &str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<State>>,
        T: 'static,
    {
        let Self { router, mut document } = self;
        document.add(path, "post", operation);
        Self { router: router.route(path, post(handler)), document }
    }

    /// What PUT does at `path`.
    pub(super) fn put<H, T>(self, path: &str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<State>>,
        T: 'static,
    {
        let Self { router, mut document } = self;
        document.add(path, "put", operation);
        Self { router: router.route(path, put(handler)), document }
    }

    /// What DELETE does at `path`.
    pub(super) fn delete<H, T>(self, path: &str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<State>>,
        T: 'static,
    {
        let Self { router, mut document } = self;
        document.add(path, "delete", operation);
        Self { router: router.route(path, delete(handler)), document }
    }

    /// Both.
    pub(super) fn finish(self) -> (Router<Arc<State>>, Value) {
        (self.router, self.document.finish())
    }
}

/// A document as it grows.
struct Document {
    login: bool,
    answers: SchemaGenerator,
    questions: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Document {
    fn new(login: bool) -> Self {
        let settings = || {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = SCHEMAS.into();
            settings.meta_schema = None;
            settings
        };
        let answers = settings().for_serialize().into_generator();
        Self { login, answers, questions: settings().for_deserialize().into_generator(), paths: Map::new() }
    }

    fn add(&mut self, path: &str, method: &str, operation: Operation) {
        let told = operation.told(path, self.login, &mut self.answers, &mut self.questions);
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = told;
    }

    fn finish(mut self) -> Value {
        let mut schemas = self.questions.take_definitions(true);
        let answers = self.answers.take_definitions(true);
        // A name is one thing: what is asked for would be checked by what is given.
        let twice: Vec<_> =
            answers.iter().filter(|(name, of)| schemas.get(*name).is_some_and(|other| other != *of)).collect();
        debug_assert!(twice.is_empty(), "two schemas have one name: {twice:?}");
        schemas.extend(answers);
        let mut components = json!({ "schemas": schemas });
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Maskwatch",
                "summary": "Counts people with a face mask, with a badly worn one and without, on many cameras at once",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "paths": self.paths,
        });
        if self.login {
            components["securitySchemes"] = json!({
                "basic": { "type": "http", "scheme": "basic" },
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": super::session::COOKIE },
            });
            document["security"] = json!([{ "basic": [] }, { "token": [] }, { "session": [] }]);
        }
        document["components"] = components;
        document
    }
}
