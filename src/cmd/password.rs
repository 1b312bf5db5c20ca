//! Passwords from people and scripts: never from the command line, which others can read.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;

/// From the keyboard without an echo, or the first line of the standard input. May end with a line break.
pub(super) fn asked(prompt: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let terminal = console::Term::stderr();
        terminal.write_str(prompt).context("the terminal")?;
        return terminal.read_secure_line().context("the password");
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("the password on the standard input")?;
    Ok(line)
}

/// A new password, from the keyboard twice.
pub(super) fn new(name: &str) -> anyhow::Result<String> {
    let trimmed = |text: String| text.trim_end_matches(['\n', '\r']).to_owned();
    let password = trimmed(asked(&format!("New password of {name}: "))?);
    if std::io::stdin().is_terminal() && trimmed(asked("The same again: ")?) != password {
        return Err(super::Usage("the two passwords are not the same".to_owned()).into());
    }
    Ok(password)
}
