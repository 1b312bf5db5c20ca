//! Logins and the users file.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::{counters, opts, register};

/// How a login went: the label `result` of `logins_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginResult {
    /// It was right.
    Ok,
    /// It was wrong.
    Failed,
    /// It came too soon after others that were wrong.
    Slowed,
}

impl LoginResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Slowed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Slowed => "slowed",
        }
    }
}

/// Families about who comes in.
pub struct AccessMetrics {
    logins: IntCounterVec,
    users_file_ok: IntGauge,
}

impl AccessMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// Where they are registered already: a defect of this program.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Logins by password and by tokens that were not known: ok (hashed anew), failed, slowed.";
        let logins = counters(registry, "logins_total", help, &["result"])?;
        for result in LoginResult::ALL {
            logins.with_label_values(&[result.as_str()]);
        }
        let help =
            "1: the users file as it is now is in use, or there is none; 0: it cannot be used, the old one stays.";
        let users_file_ok = register(registry, IntGauge::with_opts(opts("users_file_ok", help))?)?;
        users_file_ok.set(1);
        Ok(Self { logins, users_file_ok })
    }

    /// Somebody tried to log in.
    pub fn login(&self, result: LoginResult) {
        self.logins.with_label_values(&[result.as_str()]).inc();
    }

    /// Whether the users file is in use as it is.
    pub fn users_file_ok(&self, ok: bool) {
        self.users_file_ok.set(i64::from(ok));
    }
}
