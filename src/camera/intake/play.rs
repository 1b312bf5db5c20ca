//! Hands pictures that have times of their own to a [`Feed`], each when it is due.

use std::time::{Duration, Instant};

use super::{Feed, Stopped};
use crate::camera::failure::Failure;
use crate::coded::{Coded, Due, Times, interval};
use crate::metrics::DisconnectReason;

/// A picture that is later than this is not caught up with: all that follow are later, too.
const LATE: Duration = Duration::from_secs(1);
/// How often the pipeline's clock is asked for before it runs.
const CLOCK: Duration = Duration::from_millis(10);

/// Why no more pictures are taken.
pub(super) enum Halt {
    Stopped,
    Failed(Failure),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Plays one connection's pictures.
pub(super) struct Player<'a> {
    feed: &'a Feed,
    times: Times<Coded>,
    caps: Option<gst::Caps>,
    tags: Option<gst::TagList>,
    /// Our clock and the pipeline's at the time of the first picture.
    start: Option<(Instant, gst::ClockTime)>,
}

impl<'a> Player<'a> {
    /// `window`: how many pictures may be read ahead.
    pub(super) fn new(feed: &'a Feed, window: usize) -> Self {
        Self { feed, times: Times::new(window), caps: None, tags: None, start: None }
    }

    /// Takes a picture, and waits until those whose turn is known have been handed on.
    pub(super) fn picture(&mut self, coded: Coded) -> Result<(), Halt> {
        if let Some(interval) = interval(&coded.caps) {
            self.times.set_interval(interval);
        }
        self.times.push(coded.stamp, coded);
        self.hand_on(false)
    }

    /// The round is over: what waits is handed on, and the next picture is the first of another round.
    pub(super) fn seam(&mut self) -> Result<(), Halt> {
        self.hand_on(true)?;
        self.times.seam();
        Ok(())
    }

    fn hand_on(&mut self, last: bool) -> Result<(), Halt> {
        while let Some((due, coded)) = self.times.pop(last) {
            self.tell(&coded)?;
            let start = self.wait(due.at)?;
            self.feed.push(stamped(coded.buffer, due, start))?;
        }
        Ok(())
    }

    /// Tells what is new about the pictures from here on.
    fn tell(&mut self, coded: &Coded) -> Result<(), Failure> {
        if self.caps.as_ref() != Some(&coded.caps) {
            let name = |caps: &gst::Caps| caps.structure(0).map(|structure| structure.name().to_string());
            if let Some(before) = &self.caps
                && name(before) != name(&coded.caps)
            {
                // The decoder that was chosen is of no use for it.
                let cause = "the file was replaced by one that is coded in another way";
                return Err(Failure::hinted(DisconnectReason::Eos, cause, "it is opened anew"));
            }
            self.feed.caps(&coded.caps);
            self.caps = Some(coded.caps.clone());
        }
        if let Some(tags) = &coded.tags
            && self.tags.as_ref() != Some(tags)
        {
            self.feed.tags(tags);
            self.tags = Some(tags.clone());
        }
        Ok(())
    }

    /// Waits for a moment; gives the pipeline's time of the first picture.
    fn wait(&mut self, at: Duration) -> Result<gst::ClockTime, Stopped> {
        let (begin, running) = match self.start {
            Some(start) => start,
            None => self.begin()?,
        };
        let now = Instant::now();
        let moment = begin + at;
        let late = now.saturating_duration_since(moment);
        let late = if late > LATE { late } else { Duration::ZERO };
        let running = running + gst::ClockTime::try_from(late).unwrap_or_default();
        self.start = Some((begin + late, running));
        if self.feed.stop().wait_timeout(moment.saturating_duration_since(now)) {
            return Err(Stopped);
        }
        Ok(running)
    }

    fn begin(&self) -> Result<(Instant, gst::ClockTime), Stopped> {
        loop {
            // Once the pipeline runs. Its time is that of the file: the first picture is at its beginning, so that which
            // pictures are analysed does not hang on how long the start took.
            if self.feed.running_time().is_some() {
                return Ok((Instant::now(), gst::ClockTime::ZERO));
            }
            if self.feed.stop().wait_timeout(CLOCK) {
                return Err(Stopped);
            }
        }
    }
}

/// The same picture in the pipeline's time.
fn stamped(mut buffer: gst::Buffer, due: Due, start: gst::ClockTime) -> gst::Buffer {
    let moment = |time| start + gst::ClockTime::try_from(time).unwrap_or_default();
    let envelope = buffer.make_mut();
    // Over a seam, too, nothing is missing.
    envelope.unset_flags(gst::BufferFlags::DISCONT);
    envelope.set_dts(moment(due.at));
    envelope.set_pts(due.shown.map(moment));
    buffer
}
