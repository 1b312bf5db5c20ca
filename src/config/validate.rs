//! Checks what types cannot say, and fills in the defaults. Collects every problem.

mod access;
mod camera;
mod compliance;
mod events;
mod inference;
mod network;
mod privacy;
mod server;
mod state;
mod zones;

use std::path::{Path, PathBuf};

use super::plan::{Credentials, Plan};
use super::raw::{RawConfig, RawSecret};
use super::secret::{Secret, SecretProblem};
use super::tree::{Node, Place, Step};
use super::{Included, Problem, Surroundings, UsersPlace};
use crate::reach::Reach;

/// The plan; to be used only where no problem was found.
pub(super) fn plan(
    raw: &RawConfig,
    tree: &Node,
    included: &[Included],
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Plan {
    let mut check = Check { tree, file: None, folder: &surroundings.folder, surroundings, problems };
    let access = access::plan(&mut check, raw);
    let open = raw.insecure || raw.users_file.is_some();
    let http = server::listen(&mut check, &server::Written::http(&raw.http), open);
    let rtsp = server::listen(&mut check, &server::Written::rtsp(&raw.rtsp), open);
    server::apart(&mut check, http.listen, rtsp.listen);
    let network = network::plan(&mut check, &raw.network);
    let state_dir = Some(state::folder(&check, raw.state_dir.as_deref()));
    let inference = inference::plan(&mut check, &raw.inference);
    let statistics = privacy::statistics(&mut check, &raw.statistics);
    let compliance = compliance::plan(&mut check, &raw.compliance);
    let own_ports = [http.listen.port(), rtsp.listen.port()].into();
    let bounds = Reach::Bounded { networks: network.cameras.clone(), own_ports };
    let (cameras, included) = camera::all(&mut check, raw, (included, &bounds), statistics);
    let events = events::plan(&mut check, &raw.events);
    let (version, include) = (String::new(), None);
    Plan { http, rtsp, access, network, state_dir, inference, compliance, cameras, events, version, include, included }
}

/// Where users and tokens are; no problem is looked for.
pub(super) fn users_place(raw: &RawConfig, tree: &Node, surroundings: &Surroundings) -> UsersPlace {
    let (folder, problems) = (&surroundings.folder, &mut Vec::new());
    let check = Check { tree, file: None, folder, surroundings, problems };
    let users_file = raw.users_file.as_ref().map(|path| check.path(path));
    UsersPlace { users_file, state_dir: state::folder(&check, raw.state_dir.as_deref()) }
}

/// Longest name: a label of DNS.
const LONGEST_NAME: usize = 63;

/// Where problems go, and what places in the file are called.
struct Check<'a> {
    tree: &'a Node,
    /// The included file that the tree is of.
    file: Option<&'a Path>,
    /// Relative paths in the file start from here.
    folder: &'a Path,
    surroundings: &'a Surroundings<'a>,
    problems: &'a mut Vec<Problem>,
}

/// What a login was written as, at one place.
struct Login<'a> {
    username: Option<&'a String>,
    password: Option<&'a RawSecret>,
    password_file: Option<&'a PathBuf>,
}

/// Whether a text may be the name of a camera or a sink: it stands in paths, topics and labels.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = name.starts_with('-') || name.ends_with('-');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(fits) && !ends
}

impl Check<'_> {
    fn place(&self, at: &[Step]) -> Place {
        self.tree.place(at)
    }

    fn problem(&mut self, at: &[Step], what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(self.at(at, what, hint));
    }

    /// The same for what refuses nothing.
    fn warning(&self, at: &[Step], what: impl Into<String>, hint: impl Into<String>) {
        self.surroundings.warnings.borrow_mut().push(self.at(at, what, hint));
    }

    fn at(&self, at: &[Step], what: impl Into<String>, hint: impl Into<String>) -> Problem {
        let place = self.place(at);
        let problem = Problem::new(place.line, place.path, what).hint(hint);
        match self.file {
            Some(file) => problem.within(file),
            None => problem,
        }
    }

    /// `value` where it is inside, else a problem and the value nevertheless.
    fn range<T: PartialOrd + Copy>(&mut self, at: &[Step], value: T, (from, to): (T, T), shown: &str) -> T {
        if !(value >= from && value <= to) {
            let said = self.tree.said(at);
            self.problem(at, format!("{} is out of range", said.trim_matches('`')), shown);
        }
        value
    }

    /// A name that may stand in paths, topics and labels.
    fn name(&mut self, at: &[Step], name: &str, example: &str) {
        if !is_name(name) {
            let hint = format!("1 to 63 lower-case letters, digits and `-`, neither first nor last; such as {example}");
            let said = self.tree.said(at);
            self.problem(at, format!("{said} cannot be a name"), hint);
        }
    }

    /// A path of the file: relative ones start at the file's folder.
    fn path(&self, path: &std::path::Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A path as messages name it: what a variable gives stays hidden.
    fn said_path(&self, at: &[Step], path: &std::path::Path) -> String {
        if self.tree.is_hidden(at) { self.tree.said(at) } else { self.path(path).display().to_string() }
    }

    /// The login written at one place; `None` where none is, or after a problem. Its password is never empty.
    fn login(&mut self, at: &[Step], login: &Login) -> Option<Credentials> {
        let key = |name: &str| at.iter().cloned().chain([Step::from(name)]).collect::<Vec<_>>();
        if login.password.is_some() && login.password_file.is_some() {
            self.problem(&key("password_file"), "`password` is given too", "keep one of them");
        }
        let secret = match (login.password, login.password_file) {
            (Some(password), _) => Some(password.0.clone()),
            (None, Some(file)) => self.secret_of(&key("password_file"), file),
            (None, None) => None,
        };
        match (login.username, secret) {
            (Some(username), Some(password)) => {
                if username.contains(|c: char| c == ':' || c.is_control()) {
                    self.problem(&key("username"), "not a user name", "one line without a `:`");
                }
                Some(Credentials { username: username.clone(), password })
            }
            (None, None) => None,
            (Some(_), None) => {
                if !self.place(&key("password")).written && !self.place(&key("password_file")).written {
                    let hint = "add `password` or `password_file`";
                    self.problem(&key("username"), "a user name without a password", hint);
                }
                None
            }
            (None, Some(_)) => {
                if !self.place(&key("username")).written {
                    let which = if login.password.is_some() { "password" } else { "password_file" };
                    self.problem(&key(which), "a password without a user name", "add `username`");
                }
                None
            }
        }
    }

    fn secret_of(&mut self, at: &[Step], file: &std::path::Path) -> Option<Secret> {
        let said = self.said_path(at, file);
        let path = self.path(file);
        self.surroundings.note(&path);
        let what = match Secret::from_file(&path) {
            Ok(secret) => return Some(secret),
            Err(problem @ SecretProblem::Unreadable(_)) => format!("{said} {problem}"),
            Err(problem) => format!("{said} holds {problem}"),
        };
        self.problem(at, what, "the file holds the password and nothing else");
        None
    }
}
