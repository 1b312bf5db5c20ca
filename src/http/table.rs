//! What each route asks of who calls it. A route that is not here answers nobody: none can be added without a word on
//! who may use it.

use axum::http::Method;

use crate::access::Role;

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: probes have no login.
    Open,
    /// A login that covers this role.
    Role(Role),
}

/// Which cameras a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// None.
    Nothing,
    /// The one that its path names as `{name}`: for who does not see it, it is not there.
    Camera,
    /// Several: the handler leaves out those that the caller does not see.
    Seen,
    /// All of them: not for who sees only some.
    All,
}

/// A route, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// As the router has it.
    pub(super) path: &'static str,
    /// For GET and HEAD.
    look: Need,
    /// For all other methods.
    change: Need,
    pub(super) about: About,
}

const OPEN: Need = Need::Open;
const METRICS: Need = Need::Role(Role::Metrics);
const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);

const fn row(path: &'static str, look: Need, change: Need, about: About) -> Row {
    Row { path, look, change, about }
}

/// All routes.
pub(super) const TABLE: &[Row] = &[
    row("/", VIEWER, OPERATOR, About::Nothing),
    row("/page.js", VIEWER, OPERATOR, About::Nothing),
    row("/livez", OPEN, OPERATOR, About::Nothing),
    row("/readyz", OPEN, OPERATOR, About::Seen),
    row("/metrics", METRICS, OPERATOR, About::All),
    row("/api/v1/openapi.json", VIEWER, OPERATOR, About::Nothing),
    row("/api/v1/version", VIEWER, OPERATOR, About::Nothing),
    row("/api/v1/models", VIEWER, OPERATOR, About::Nothing),
    row("/api/v1/people", VIEWER, OPERATOR, About::Seen),
    // What they find is of the network, not of a camera.
    row("/api/v1/probe", OPERATOR, OPERATOR, About::All),
    row("/api/v1/discover", OPERATOR, OPERATOR, About::All),
    row("/api/v1/cameras", VIEWER, OPERATOR, About::Seen),
    row("/api/v1/cameras/{name}", VIEWER, OPERATOR, About::Camera),
    row("/api/v1/cameras/{name}/people", VIEWER, OPERATOR, About::Camera),
    row("/api/v1/cameras/{name}/snapshot.jpg", VIEWER, OPERATOR, About::Camera),
    row("/api/v1/config", VIEWER, OPERATOR, About::All),
    row("/api/v1/config/reload", OPERATOR, OPERATOR, About::All),
    row("/api/v1/events", VIEWER, OPERATOR, About::Seen),
    // A login is begun by who has none yet, and ended by whoever has the cookie.
    row("/api/v1/session", VIEWER, OPEN, About::Nothing),
    row("/api/v1/users", OPERATOR, OPERATOR, About::All),
    row("/api/v1/users/{name}", OPERATOR, OPERATOR, About::All),
    row("/api/v1/tokens", OPERATOR, OPERATOR, About::All),
    row("/api/v1/tokens/{name}", OPERATOR, OPERATOR, About::All),
    row("/api/v1/audit", OPERATOR, OPERATOR, About::All),
];

/// What is asked for where there is nothing: as much as to look, so that strangers cannot find out what is there.
const NOTHING: Row = row("", VIEWER, VIEWER, About::Nothing);

impl Row {
    /// The row of a route as the router matched it; `None` for a route of the router that is not in the table.
    pub(super) fn of(matched: Option<&str>) -> Option<Self> {
        match matched {
            None => Some(NOTHING),
            Some(path) => TABLE.iter().find(|row| row.path == path).copied(),
        }
    }

    pub(super) fn need(&self, method: &Method) -> Need {
        if is_look(method) { self.look } else { self.change }
    }
}

/// Whether a method changes nothing.
pub(super) fn is_look(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
