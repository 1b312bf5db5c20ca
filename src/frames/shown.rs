//! Pictures that may be seen.

use std::time::{Duration, Instant, SystemTime};

use gstmaskwatch::hide;
use maskwatch_vision::privacy::Cover;

/// A picture as it may be seen by people: with `privacy: blur`, faces are hidden in it.
///
/// Only a [`super::Hub`] makes them, so whatever shows, encodes or stores pictures has been through the camera's privacy
/// mode, also what is written one day by somebody who does not know of it.
#[derive(Clone, Debug)]
pub struct Shown {
    sample: gst::Sample,
    at: Instant,
    wall: SystemTime,
}

impl Shown {
    /// The picture as the camera gave it: only for a camera without a privacy mode.
    pub(super) fn plain(sample: gst::Sample) -> Self {
        Self { sample, at: Instant::now(), wall: SystemTime::now() }
    }

    /// The picture without what `cover` hides.
    pub(super) fn hidden(raw: &Raw, cover: &Cover) -> Result<Self, hide::HideError> {
        Ok(Self { sample: hide::sample(&raw.sample, cover)?, at: Instant::now(), wall: raw.wall })
    }

    /// Buffer and caps (`video/x-raw`, I420 or NV12), with its faces (`FaceMeta`).
    pub fn sample(&self) -> &gst::Sample {
        &self.sample
    }

    /// How long ago it was fit to be shown.
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// When the camera gave it, on the wall.
    pub fn wall(&self) -> SystemTime {
        self.wall
    }
}

/// A picture as the camera gave it. It does not leave this module's parent.
#[derive(Clone)]
pub(super) struct Raw {
    /// Number of the connection that gave it.
    pub(super) connection: u64,
    pub(super) sample: gst::Sample,
    pub(super) wall: SystemTime,
}

impl Raw {
    pub(super) fn new(connection: u64, sample: gst::Sample) -> Self {
        Self { connection, sample, wall: SystemTime::now() }
    }

    /// Its running time; `None` for a sample without one.
    pub(super) fn time(&self) -> Option<Duration> {
        let segment = self.sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        segment.to_running_time(self.sample.buffer()?.pts()?).map(Duration::from)
    }
}
