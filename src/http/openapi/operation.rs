//! One operation of the document.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::http::problem::{PROBLEM, Problem};

type Make = fn(&mut SchemaGenerator) -> Schema;

/// What an operation takes and gives.
pub(in crate::http) struct Operation {
    id: &'static str,
    summary: &'static str,
    query: Option<Make>,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Make>,
    answers: Vec<Answer>,
    open: bool,
    tagged: bool,
}

struct Answer {
    status: u16,
    description: &'static str,
    content: Vec<(&'static str, Make)>,
}

impl Operation {
    /// `id`: its name in clients that are made from the document.
    pub(in crate::http) fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            query: None,
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            open: false,
            tagged: false,
        }
    }

    /// It takes these keys in the query.
    pub(in crate::http) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|generator| generator.root_schema_for::<T>());
        self
    }

    /// It takes this header.
    pub(in crate::http) fn header(mut self, name: &'static str, description: &'static str) -> Self {
        self.headers.push((name, description));
        self
    }

    /// It takes a body in JSON.
    pub(in crate::http) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// It gives JSON.
    pub(in crate::http) fn json<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, "application/json", |generator| generator.subschema_for::<T>())
    }

    /// It gives text or a picture.
    pub(in crate::http) fn media(self, media: &'static str, description: &'static str) -> Self {
        self.answer(200, description, media, |_| Schema::default())
    }

    /// Its body may be wrong in the ways in which bodies are.
    pub(in crate::http) fn bad_body(self) -> Self {
        self.problem(400, "The body is not JSON")
            .problem(413, "The body is too long")
            .problem(415, "The body is not said to be JSON")
            .problem(422, "The body does not fit")
    }

    /// It may fail so.
    pub(in crate::http) fn problem(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, PROBLEM, |generator| generator.subschema_for::<Problem>())
    }

    /// It gives nothing but the status.
    pub(in crate::http) fn done(mut self, status: u16, description: &'static str) -> Self {
        self.answers.push(Answer { status, description, content: Vec::new() });
        self
    }

    /// It may say that the client has it already.
    pub(in crate::http) fn unchanged(mut self) -> Self {
        self.answers.push(Answer { status: 304, description: "It is there already", content: Vec::new() });
        self
    }

    /// It is answered without a login.
    pub(in crate::http) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The answer has an `ETag`.
    pub(in crate::http) fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    fn answer(mut self, status: u16, description: &'static str, media: &'static str, make: Make) -> Self {
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            Some(answer) => answer.content.push((media, make)),
            None => self.answers.push(Answer { status, description, content: vec![(media, make)] }),
        }
        self
    }

    /// As it stands in the document.
    pub(super) fn told(
        self,
        path: &str,
        login: bool,
        answers: &mut SchemaGenerator,
        questions: &mut SchemaGenerator,
    ) -> Value {
        let asks = login && !self.open;
        let slowed = "Too many failed logins, or too many at a time: Retry-After says when to come again";
        let this = if asks { self.problem(401, "A login is needed").problem(429, slowed) } else { self };
        let mut parameters: Vec<Value> = in_path(path);
        parameters.extend(this.query.iter().flat_map(|make| in_query(make(questions))));
        parameters.extend(this.headers.iter().map(|(name, description)| {
            json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } })
        }));
        let told = this.answers.iter().map(|answer| {
            let content: serde_json::Map<String, Value> = answer
                .content
                .iter()
                .map(|(media, make)| {
                    let schema = make(answers);
                    // Bytes have no schema.
                    let about = if schema.as_object().is_none_or(|schema| schema.is_empty()) {
                        json!({})
                    } else {
                        json!({ "schema": schema })
                    };
                    ((*media).to_owned(), about)
                })
                .collect();
            let mut told = json!({ "description": answer.description });
            if !content.is_empty() {
                told["content"] = Value::Object(content);
            }
            if this.tagged && matches!(answer.status, 200 | 304) {
                let schema = json!({ "type": "string" });
                told["headers"] = json!({ "ETag": { "required": true, "schema": schema } });
            }
            (answer.status.to_string(), told)
        });
        let told: serde_json::Map<String, Value> = told.collect();
        let mut operation = json!({ "operationId": this.id, "summary": this.summary, "responses": told });
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(make) = this.body {
            let schema = make(questions);
            operation["requestBody"] = json!({
                "required": true,
                "content": { "application/json": { "schema": schema } },
            });
        }
        if login && this.open {
            operation["security"] = json!([]);
        }
        operation
    }
}

/// The parameters that a path names.
fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    // Letters of users' names are those of all languages, which no pattern that all tools read can say.
    let schema = if path.starts_with("/api/v1/cameras/") {
        json!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" })
    } else {
        json!({ "type": "string", "minLength": 1, "maxLength": 64 })
    };
    names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": schema })).collect()
}

/// The keys of a query, out of the schema of what it is read into.
fn in_query(schema: Schema) -> Vec<Value> {
    let mut schema = schema.to_value();
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties").map(Value::take) else { return Vec::new() };
    properties
        .into_iter()
        .map(|(name, mut schema)| {
            let mut parameter = json!({ "name": name, "in": "query" });
            if required.contains(&Value::from(name)) {
                parameter["required"] = true.into();
            }
            if let Some(object) = schema.as_object_mut() {
                object.remove("default");
                // A key that may be left out; it cannot be null.
                if let Some(Value::Array(types)) = object.get_mut("type") {
                    types.retain(|name| name != "null");
                }
                if let Some(description) = object.remove("description") {
                    parameter["description"] = description;
                }
            }
            parameter["schema"] = schema;
            parameter
        })
        .collect()
}
