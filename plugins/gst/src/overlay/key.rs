//! What the bitmaps of the overlay are kept under.

use maskwatch_vision::face::MaskState;

/// What a cached bitmap shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A face's label.
    Label(String, MaskState, u32),
    /// Name of a zone, em.
    Zone(String, u32),
    /// A caption: camera, clock, status, em, room in pixels.
    Caption(String, String, String, u32, u32),
    /// The fixed part of a slate: camera, message, picture's width and height.
    Slate(String, String, u32, u32),
    /// The clock of a slate.
    SlateClock(String, u32),
}
