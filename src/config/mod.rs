//! Configuration: from the YAML file to a checked [`Plan`].

pub mod plan;
pub mod secret;

pub use plan::Plan;
