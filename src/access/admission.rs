//! That somebody was let in, for what they do later with it.

use std::sync::Arc;

use super::caller::Kind;
use super::{Access, Caller};

/// Somebody who was let in, and by whom.
#[derive(Clone)]
pub struct Admission {
    access: Arc<Access>,
    caller: Caller,
}

impl Admission {
    /// Of a caller whom `access` has let in.
    pub fn new(access: &Arc<Access>, caller: &Caller) -> Self {
        Self { access: Arc::clone(access), caller: caller.clone() }
    }

    /// Whether they would be let in now. Whoever was let in as nobody in particular still is.
    pub fn holds(&self) -> bool {
        self.caller.kind == Kind::Stranger || self.access.stands(&self.caller)
    }
}
