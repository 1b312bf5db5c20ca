//! An event as it waits: its text, and the parts of it that sinks address it by.

use bytes::Bytes;
use serde::Deserialize;

/// An event in the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its number in the row; 0 before it has one.
    pub(crate) seq: u64,
    /// `id` of the event.
    pub(crate) id: String,
    /// `type` of the event.
    pub(crate) kind: String,
    /// `camera` of the event.
    pub(crate) camera: String,
    /// The event itself.
    pub(crate) json: Bytes,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    camera: String,
}

impl Record {
    /// Reads the parts out of the event's text.
    ///
    /// # Errors
    /// The text is no event.
    pub(crate) fn read(seq: u64, json: Bytes) -> Result<Self, serde_json::Error> {
        let Head { id, kind, camera } = serde_json::from_slice(&json)?;
        Ok(Self { seq, id, kind, camera, json })
    }

    /// `template` with `{camera}` and `{type}` put in.
    pub(crate) fn address(&self, template: &str) -> String {
        template.replace("{camera}", &self.camera).replace("{type}", &self.kind)
    }
}
