//! `maskwatch token`: machines that may look, change or read the metrics.

use std::time::SystemTime;

use serde_json::json;

use super::Usage;
use super::user::{cameras, place, table, told};
use crate::access::book::check_name;
use crate::access::edit::{Objection, check_grant};
use crate::access::{Grant, Scope, Token, store, used};
use crate::cli::{TokenAddArgs, TokenCommand, UsersFileArgs};
use crate::shutdown::ExitStatus;

/// Changes the users file, or shows its tokens. A running service takes the change up by itself.
pub(super) fn run(command: &TokenCommand) -> anyhow::Result<ExitStatus> {
    match command {
        TokenCommand::Add(args) => add(args)?,
        TokenCommand::Remove { name, file } => remove(name, file)?,
        TokenCommand::List { json, file } => list(*json, file)?,
    }
    Ok(ExitStatus::SUCCESS)
}

fn add(args: &TokenAddArgs) -> anyhow::Result<()> {
    check_name(&args.name).map_err(Usage)?;
    let grant = Grant { role: args.role, scope: Scope::of(args.labels.iter().cloned()) };
    check_grant(&grant).map_err(told)?;
    let (path, _) = place(&args.file)?;
    let change = store::change(&path, |book| book.add_token(&args.name, grant, args.expires, SystemTime::now()));
    let (_, ticket) = change.map_err(|objection| match objection {
        Objection::TokenThere(name) => {
            Usage(format!("there is a token {name} already (maskwatch token remove {name})")).into()
        }
        other => told(other),
    })?;
    super::tell(&format!("added the token {} to {}; it is shown this once:", args.name, path.display()));
    super::print(&format!("{}\n", ticket.expose()))
}

fn remove(name: &str, file: &UsersFileArgs) -> anyhow::Result<()> {
    let (path, _) = place(file)?;
    store::read(&path)?;
    store::change(&path, |book| book.remove_token(name)).map_err(told)?;
    super::tell(&format!("removed the token {name} from {}", path.display()));
    Ok(())
}

fn list(json: bool, file: &UsersFileArgs) -> anyhow::Result<()> {
    let (path, state_dir) = place(file)?;
    let book = store::read(&path)?;
    let used = state_dir.as_deref().map(used::read).unwrap_or_default();
    let now = SystemTime::now();
    let stamp = |time: SystemTime| humantime::format_rfc3339_seconds(time).to_string();
    if json {
        let view = |token: &Token| {
            json!({
                "name": token.name, "role": token.role, "labels": token.labels, "created": stamp(token.created),
                "expires": token.expires.map(stamp), "expired": token.expired(now),
                "last_used": used.get(&token.sha256).copied().map(stamp),
            })
        };
        let tokens: Vec<_> = book.tokens.iter().map(view).collect();
        return super::print(&(serde_json::to_string_pretty(&json!({ "tokens": tokens }))? + "\n"));
    }
    let row = |token: &Token| {
        let end = match token.expires {
            None => "never expires".to_owned(),
            Some(end) if token.expired(now) => format!("EXPIRED {}", stamp(end)),
            Some(end) => format!("expires {}", stamp(end)),
        };
        let last =
            used.get(&token.sha256).map_or("no use known".to_owned(), |time| format!("last used {}", stamp(*time)));
        [token.name.clone(), token.role.to_string(), cameras(&token.labels), end, last]
    };
    super::print(&table(book.tokens.iter().map(row)))
}
