//! The resolved section `network`.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

/// What the API may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Networks that cameras named by the API may be in; `None`: all but link-local ones.
    pub cameras: Option<Arc<[IpNet]>>,
    /// Where cameras may be searched for.
    pub discover: Vec<Searched>,
}

/// A place to search for cameras in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Searched {
    /// The addresses of a network.
    Network(Ipv4Net),
    /// The network that a device of this machine is in.
    Interface(String),
}
