//! Annotated streams out.
pub mod host;
