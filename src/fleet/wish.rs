//! What others want of the owner of the fleet.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use maskwatch_engine::Engine;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::standing::{Cause, Outcome};
use super::written::Objection;
use crate::config::plan::{CameraPlan, InferencePlan};

/// Wishes that may wait.
const WAITING: usize = 64;

/// What became of a wish to reload; `None`: the service ends.
pub type Answer = oneshot::Sender<Outcome>;

/// One wish.
pub enum Wish {
    /// The service shall end.
    End,
    /// The configuration shall be read again.
    Reload(Cause, Option<Answer>),
    /// A camera shall be written, or taken away.
    Camera(CameraWish, oneshot::Sender<Result<(), Objection>>),
    /// Models that were asked for have been loaded, or not.
    Models(Box<InferencePlan>, anyhow::Result<Arc<Engine>>),
}

/// What is wanted of a camera in a file of its own.
#[derive(Clone, Debug)]
pub struct CameraWish {
    /// Its name.
    pub name: String,
    /// What is to become of it.
    pub deed: Deed,
    /// The plan that whoever wishes it has seen; another one in force refuses the wish.
    pub seen: Option<Box<CameraPlan>>,
    /// Who; `None`: whoever reaches a server without a login.
    pub by: Option<String>,
    /// From where.
    pub from: IpAddr,
}

/// What is done with a camera's file. Values as in the configuration, but for `name`.
#[derive(Clone, Debug)]
pub enum Deed {
    /// It comes; refused where it is there already.
    Add(Map<String, Value>),
    /// It has these values, whatever was before; refused where it is absent.
    Change(Map<String, Value>),
    /// It goes.
    Remove,
}

/// Where wishes are put. Clones lead to the same owner.
#[derive(Clone)]
pub struct Wishes(Sender<Wish>);

impl Wishes {
    /// A way to an owner, who has the other end.
    pub fn new() -> (Self, Receiver<Wish>) {
        let (sender, receiver) = bounded(WAITING);
        (Self(sender), receiver)
    }

    /// Waits while too many wait already. An owner that is gone grants no wishes.
    pub fn put(&self, wish: Wish) {
        self.0.send(wish).ok();
    }

    /// The same without waiting; false where too many wait, or the owner is gone.
    pub fn try_put(&self, wish: Wish) -> bool {
        self.0.try_send(wish).is_ok()
    }
}
