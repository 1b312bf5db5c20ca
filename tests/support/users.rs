//! Users and tokens, as people make them: by the commands.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::http::{self, Response};
use super::{App, Process, free_port, maskwatch, root};

/// Runs a command with a standard input.
pub fn command(config: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(maskwatch());
    command.args(arguments).arg("-c").arg(config).current_dir(root());
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap_or_default();
    child.wait_with_output().unwrap()
}

/// What a command that went well printed.
#[track_caller]
pub fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command that was refused said.
#[track_caller]
pub fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `Authorization` of a user's password (`anna:correct horse`) or a token (`mwt_…`).
pub fn authorization(login: &str) -> String {
    use base64::Engine;
    match login.strip_prefix("mwt_") {
        Some(_) => format!("Bearer {login}"),
        None => format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(login)),
    }
}

/// A request with a login, and a body in JSON unless that is null.
pub fn ask(port: u16, method: &str, path: &str, login: &str, body: &serde_json::Value) -> Response {
    ask_with(port, method, path, login, &[], body)
}

/// The same with more headers.
pub fn ask_with(
    port: u16,
    method: &str,
    path: &str,
    login: &str,
    headers: &[(&str, &str)],
    body: &serde_json::Value,
) -> Response {
    let login = authorization(login);
    let mut all = vec![("Authorization", login.as_str()), ("Content-Type", "application/json")];
    all.extend(headers);
    let text = if body.is_null() { String::new() } else { body.to_string() };
    http::request(port, method, path, &all, text.as_bytes()).unwrap()
}

/// The status of a GET with a login.
pub fn look(port: u16, path: &str, login: &str) -> u16 {
    ask(port, "GET", path, login, &serde_json::Value::Null).status
}

/// A service with `users_file: users.json`, of which `anna` is the operator, and whose cameras are `more` of the
/// configuration. Her password is `correct horse`.
#[track_caller]
pub fn service(more: &str) -> App {
    service_at(Path::new("users.json"), more)
}

/// The same with the users file at another place.
#[track_caller]
pub fn service_at(users: &Path, more: &str) -> App {
    let folder = super::temp_dir();
    let config = folder.path().join("maskwatch.yaml");
    let (http, rtsp) = (free_port(), free_port());
    let listen = format!("http: {{ listen: 127.0.0.1:{http} }}\nrtsp: {{ listen: 127.0.0.1:{rtsp} }}\n");
    std::fs::write(&config, format!("users_file: {}\nstate_dir: state\n{listen}{more}", users.display())).unwrap();
    done(&command(&config, &["user", "add", "anna", "--role", "operator"], "correct horse\n"));
    start(folder, http, rtsp)
}

/// Starts a service by the configuration in a folder.
#[track_caller]
pub fn start(folder: tempfile::TempDir, http: u16, rtsp: u16) -> App {
    let mut run = Command::new(maskwatch());
    run.args(["run", "-c"]).arg(folder.path().join("maskwatch.yaml")).current_dir(root());
    let mut app = App { process: Process::start("maskwatch", &mut run), http, rtsp, folder };
    app.wait_alive();
    app
}
