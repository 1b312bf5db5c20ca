//! The command line of `user` and `token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::access::Role;
pub use crate::access::edit::Expiry;

/// What `user` does.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add somebody; the password is asked for, or read from the standard input
    Add(UserAddArgs),
    /// Give somebody another password, asked for likewise; ends their sessions
    Passwd(UserPasswdArgs),
    /// Take somebody out; ends their sessions and streams
    Remove {
        /// Who
        name: String,
        /// Where users are.
        #[command(flatten)]
        file: UsersFileArgs,
    },
    /// Show everybody; never a password
    List {
        /// Write JSON instead of a table
        #[arg(long)]
        json: bool,
        /// Where users are.
        #[command(flatten)]
        file: UsersFileArgs,
    },
}

/// What `token` does.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it: once, it is kept nowhere
    Add(TokenAddArgs),
    /// Make a token worthless
    Remove {
        /// Which
        name: String,
        /// Where tokens are.
        #[command(flatten)]
        file: UsersFileArgs,
    },
    /// Show all tokens' names, roles, ends and last uses; never a token
    List {
        /// Write JSON instead of a table
        #[arg(long)]
        json: bool,
        /// Where tokens are.
        #[command(flatten)]
        file: UsersFileArgs,
    },
}

/// Where users and tokens are.
#[derive(Args, Clone, Debug)]
pub struct UsersFileArgs {
    /// Configuration file, whose `users_file` is meant
    #[arg(short, long, value_name = "FILE", default_value = "config/maskwatch.yaml")]
    pub config: PathBuf,
    /// The users file itself; no configuration is read then
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub users_file: Option<PathBuf>,
}

/// Arguments of `user add`.
#[derive(Args, Debug)]
pub struct UserAddArgs {
    /// Who
    pub name: String,
    /// viewer: may look; operator: may change, too
    #[arg(long, value_parser = person)]
    pub role: Role,
    /// A viewer sees only cameras with this label; with several, those that have them all
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Keep the password as MD5, too: for players of the streams without TLS. Who reads it can log in with it there
    #[arg(long)]
    pub rtsp_digest: bool,
    /// Where users are.
    #[command(flatten)]
    pub file: UsersFileArgs,
}

/// Arguments of `user passwd`.
#[derive(Args, Debug)]
pub struct UserPasswdArgs {
    /// Who
    pub name: String,
    /// Keep the password as MD5, too, as `user add --rtsp-digest` does; whoever has it keeps it by themselves
    #[arg(long)]
    pub rtsp_digest: bool,
    /// Keep the password as MD5 no longer
    #[arg(long, conflicts_with = "rtsp_digest")]
    pub no_rtsp_digest: bool,
    /// Where users are.
    #[command(flatten)]
    pub file: UsersFileArgs,
}

/// Arguments of `token add`.
#[derive(Args, Debug)]
pub struct TokenAddArgs {
    /// What it is for
    pub name: String,
    /// metrics: may read /metrics; viewer: may look; operator: may change, too
    #[arg(long, value_enum)]
    pub role: Role,
    /// A viewer sees only cameras with this label; with several, those that have them all
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// How long it holds, as 90d or 12h; or never, for one that ends only by `token remove`
    #[arg(long, value_name = "TIME", default_value = Expiry::USUAL, value_parser = Expiry::read)]
    pub expires: Expiry,
    /// Where tokens are.
    #[command(flatten)]
    pub file: UsersFileArgs,
}

fn person(text: &str) -> Result<Role, String> {
    match text {
        "viewer" => Ok(Role::Viewer),
        "operator" => Ok(Role::Operator),
        _ => Err("the roles are viewer and operator".to_owned()),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, for example site=mall-a".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_roles_are_read() {
        assert_eq!(label("site=mall-a"), Ok(("site".to_owned(), "mall-a".to_owned())));
        assert!(label("site").is_err() && label("=a").is_err() && label("a=").is_err());
        assert!(person("metrics").is_err());
    }
}
