//! A picture of a camera on its way through the engine.

use gst_video::{VideoFrame, video_frame::Readable};
use maskwatch_engine::{Analysis, Outcome, Subject};
use maskwatch_vision::{face::Detection, frame::FrameView, track::Link};

use super::{
    run::{FrameFacts, Ticket},
    scores::Looked,
};
use crate::frame::view;

/// Holds the mapped buffer until the result is there.
pub(super) struct Picture {
    frame: VideoFrame<Readable>,
    facts: FrameFacts,
    links: Option<Vec<Link>>,
    /// Last: who waits for it may count on the buffer being released.
    ticket: Ticket,
}

impl Picture {
    pub(super) fn new(frame: VideoFrame<Readable>, facts: FrameFacts, ticket: Ticket) -> Self {
        Self { frame, facts, links: None, ticket }
    }
}

impl Subject for Picture {
    fn frame(&self) -> FrameView<'_> {
        view(&self.frame)
    }

    fn select(&mut self, found: &[Detection]) -> Vec<usize> {
        let run = self.ticket.run();
        self.links = run.associate(&self.facts, found);
        // In sync mode every face found gets its own state; in live use the tracker saves what is known already.
        let all = run.mode().sync;
        let wanted = |(index, link): (usize, &Link)| (all || link.classify).then_some(index);
        self.links.iter().flatten().enumerate().filter_map(wanted).collect()
    }

    fn finish(self: Box<Self>, outcome: Outcome) {
        let Self { frame, facts, links, ticket } = *self;
        let looked = Looked::at(&outcome, &view(&frame));
        drop(frame);
        let run = ticket.run();
        match outcome {
            Outcome::Done(Analysis { faces: raw, .. }) => {
                // An engine need not ask about a picture without faces; the tracker must hear of it all the same.
                let found = || raw.iter().map(|face| face.detection).collect::<Vec<_>>();
                let links = links.or_else(|| run.associate(&facts, &found())).unwrap_or_default();
                run.done(&facts, &links, raw, looked);
            }
            Outcome::Dropped(reason) => run.given_up(&facts, reason.as_str()),
            Outcome::Failed(error) => run.failed(&facts, error),
        }
    }
}
