//! `maskwatch user`: who may look or change.

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::json;

use super::Usage;
use crate::access::edit::{NewPassword, Objection, UserChange, check_user};
use crate::access::{DigestForm, Grant, Scope, User, UsersError, password, store};
use crate::cli::{UserAddArgs, UserCommand, UserPasswdArgs, UsersFileArgs};
use crate::config;
use crate::shutdown::ExitStatus;

/// Changes the users file, or shows it. A running service takes the change up by itself.
pub(super) fn run(command: &UserCommand) -> anyhow::Result<ExitStatus> {
    match command {
        UserCommand::Add(args) => add(args)?,
        UserCommand::Passwd(args) => passwd(args)?,
        UserCommand::Remove { name, file } => remove(name, file)?,
        UserCommand::List { json, file } => list(*json, file)?,
    }
    Ok(ExitStatus::SUCCESS)
}

/// The users file that is meant, and the state folder beside it where a configuration names one.
pub(super) fn place(args: &UsersFileArgs) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
    if let Some(path) = &args.users_file {
        return Ok((path.clone(), None));
    }
    let place = config::users_place(&args.config)?;
    let missing = || {
        let file = args.config.display();
        Usage(format!("{file} names no users file (add to it: users_file: users.json; or give --users-file FILE)"))
    };
    Ok((place.users_file.ok_or_else(missing)?, Some(place.state_dir)))
}

/// What is refused for what was asked is bad usage; what the file is at fault for is not.
pub(super) fn told(objection: Objection) -> anyhow::Error {
    match objection {
        Objection::File(error) => error.into(),
        other => Usage(other.to_string()).into(),
    }
}

fn add(args: &UserAddArgs) -> anyhow::Result<()> {
    let grant = Grant { role: args.role, scope: Scope::of(args.labels.iter().cloned()) };
    check_user(&args.name, &grant).map_err(told)?;
    let (path, _) = place(&args.file)?;
    let taken = |objection| match objection {
        Objection::UserThere(name) => {
            let hint = format!("another password: maskwatch user passwd {name}; another role: remove, then add");
            Usage(format!("{name} is there already ({hint})")).into()
        }
        other => told(other),
    };
    // Before the password is asked for; and again below, in case of two who add at once.
    match store::read(&path) {
        Ok(book) if book.user(&args.name).is_some() => return Err(taken(Objection::UserThere(args.name.clone()))),
        Ok(_) | Err(UsersError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let new = new_password(&args.name)?;
    store::change(&path, |book| book.add_user(&args.name, grant, new, args.rtsp_digest, SystemTime::now()))
        .map_err(taken)?;
    super::tell(&format!("added {} to {}", args.name, path.display()));
    Ok(())
}

/// Asks for a password.
fn new_password(name: &str) -> anyhow::Result<NewPassword> {
    let password = super::password::new(name)?;
    let hash = password::hash(&password).map_err(|problem| Usage(problem.to_string()))?;
    Ok(NewPassword { hash, form: DigestForm::of(name, &password) })
}

fn passwd(args: &UserPasswdArgs) -> anyhow::Result<()> {
    let (path, _) = place(&args.file)?;
    if store::read(&path)?.user(&args.name).is_none() {
        return Err(told(Objection::NoUser(args.name.clone())));
    }
    let rtsp_digest = match (args.rtsp_digest, args.no_rtsp_digest) {
        (_, true) => Some(false),
        (true, false) => Some(true),
        (false, false) => None,
    };
    let change = UserChange { password: Some(new_password(&args.name)?), rtsp_digest, ..UserChange::default() };
    store::change(&path, |book| book.change_user(&args.name, change, SystemTime::now())).map_err(told)?;
    super::tell(&format!("{} has another password; sessions with the old one end", args.name));
    Ok(())
}

fn remove(name: &str, file: &UsersFileArgs) -> anyhow::Result<()> {
    let (path, _) = place(file)?;
    // A missing file is not made for this.
    store::read(&path)?;
    store::change(&path, |book| book.remove_user(name)).map_err(told)?;
    super::tell(&format!("removed {name} from {}", path.display()));
    Ok(())
}

fn list(json: bool, file: &UsersFileArgs) -> anyhow::Result<()> {
    let book = store::read(&place(file)?.0)?;
    let stamp = |time| humantime::format_rfc3339_seconds(time).to_string();
    if json {
        let view = |user: &User| {
            json!({
                "name": user.name, "role": user.role, "labels": user.labels,
                "password_changed": stamp(user.changed), "rtsp_digest": user.rtsp_digest.is_some(),
            })
        };
        let users: Vec<_> = book.users.iter().map(view).collect();
        return super::print(&(serde_json::to_string_pretty(&json!({ "users": users }))? + "\n"));
    }
    let row = |user: &User| {
        let digest = if user.rtsp_digest.is_some() { ", kept for RTSP's Digest" } else { "" };
        let password = format!("password of {}{digest}", stamp(user.changed));
        [user.name.clone(), user.role.to_string(), cameras(&user.labels), password]
    };
    super::print(&table(book.users.iter().map(row)))
}

/// What somebody sees, for a table.
pub(super) fn cameras(scope: &Scope) -> String {
    if scope.is_whole() { "all cameras".to_owned() } else { scope.to_string() }
}

/// Columns as wide as they have to be.
pub(super) fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
