//! Who may come in, and who did what.

use crate::http::openapi::{Operation, Routes};
use crate::http::{audit, session, tokens, users};

/// Sessions, users, tokens and the audit.
pub(super) fn access(routes: Routes) -> Routes {
    tokens_of_machines(users_of_the_file(routes))
        .get(
            "/api/v1/session",
            session::who,
            Operation::new("getSession", "Who has come in").json::<session::Who>(200, "That is you"),
        )
        .post(
            "/api/v1/session",
            session::begin,
            Operation::new("beginSession", "Comes in by name and password, for browsers: a cookie is set")
                .open()
                .body::<session::Login>()
                .json::<session::Who>(200, "That is you")
                .bad_body()
                .problem(401, "The user name or the password is wrong")
                .problem(403, "Sessions are for users, and for pages of this server")
                .problem(409, "There is no login here")
                .problem(429, "Too many failed logins, or too many at a time"),
        )
        .delete(
            "/api/v1/session",
            session::end,
            Operation::new("endSession", "Goes; the cookie is taken away").open().done(204, "Gone"),
        )
        .get(
            "/api/v1/audit",
            audit::latest,
            Operation::new("getAudit", "Who did what, the newest first")
                .query::<audit::Which>()
                .json::<audit::Audit>(200, "The latest entries")
                .problem(400, "The query is not understood"),
        )
}

fn users_of_the_file(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/users",
            users::list,
            Operation::new("listUsers", "Who may come in by a password")
                .query::<users::Which>()
                .tagged()
                .json::<users::Users>(200, "A page; the tag is that of all users")
                .problem(400, "The query is not understood")
                .problem(409, "The configuration names no users file"),
        )
        .post(
            "/api/v1/users",
            users::add,
            edits(Operation::new("addUser", "Somebody comes"))
                .body::<users::NewUser>()
                .json::<users::UserView>(201, "They may come in")
                .bad_body(),
        )
        .get(
            "/api/v1/users/{name}",
            users::one,
            Operation::new("getUser", "Somebody who may come in")
                .tagged()
                .json::<users::UserView>(200, "The user; the tag changes with the password, too")
                .problem(404, "No such user")
                .problem(409, "The configuration names no users file"),
        )
        .put(
            "/api/v1/users/{name}",
            users::change,
            edits(Operation::new("changeUser", "Somebody has another role, other cameras or another password"))
                .header("If-Match", "Tag of the user as they were seen")
                .body::<users::ChangedUser>()
                .json::<users::UserView>(200, "It is in force; sessions and streams of before have ended")
                .bad_body()
                .problem(404, "No such user")
                .problem(412, "They have been changed meanwhile"),
        )
        .delete(
            "/api/v1/users/{name}",
            users::remove,
            edits(Operation::new("removeUser", "Somebody goes"))
                .header("If-Match", "Tag of the user as they were seen")
                .done(204, "Their sessions and streams have ended")
                .problem(404, "No such user")
                .problem(412, "They have been changed meanwhile"),
        )
}

fn tokens_of_machines(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/tokens",
            tokens::list,
            Operation::new("listTokens", "Machines that may come in")
                .query::<users::Which>()
                .json::<tokens::Tokens>(200, "A page; never a token itself")
                .problem(400, "The query is not understood")
                .problem(409, "The configuration names no users file"),
        )
        .post(
            "/api/v1/tokens",
            tokens::add,
            edits(Operation::new("addToken", "A machine may come in by a token, which is told this once"))
                .body::<tokens::NewToken>()
                .json::<tokens::Made>(201, "The token")
                .bad_body(),
        )
        .delete(
            "/api/v1/tokens/{name}",
            tokens::remove,
            edits(Operation::new("removeToken", "A token is worth nothing any more"))
                .done(204, "Streams of it have ended")
                .problem(404, "No such token"),
        )
}

/// What changes of users and tokens have in common.
fn edits(operation: Operation) -> Operation {
    operation
        .problem(409, "There is one already, it would be the last operator or yourself, or there is no users file")
        .problem(503, "Too many changes wait")
        .problem(507, "The disk refuses")
}
