//! What descriptions say, and don't.

use maskwatch::metrics::DisconnectReason;

use crate::zoo::coded::{Codec, Recipe};
use crate::zoo::journal::Journal;
use crate::zoo::rtsp::options::{Answers, Base, Control, Options, Other, Sdp, Sets};
use crate::zoo::table::{Row, rtsp};

fn camera(sdp: Sdp) -> Options {
    Options { sdp, ..Options::default() }
}

fn sets(sets: Sets) -> Options {
    camera(Sdp { sets, ..Sdp::default() })
}

fn hevc(options: Options) -> Options {
    Options { recipe: Recipe { codec: Codec::Hevc, ..Recipe::default() }, ..options }
}

/// Sound and metadata are not fetched.
fn video_alone(journal: &Journal) -> Result<(), String> {
    match journal.count("SETUP") {
        1 => Ok(()),
        count => Err(format!("{count} tracks are fetched")),
    }
}

pub fn rows() -> Vec<Row> {
    urls().into_iter().chain(media()).chain(parameter_sets()).collect()
}

fn urls() -> Vec<Row> {
    let base = |base| camera(Sdp { base, ..Sdp::default() });
    let control = |control| camera(Sdp { control, ..Sdp::default() });
    let queried = Options {
        answers: Answers { needs_in_url: Some("token=abc"), ..Answers::default() },
        ..control(Control::WithQuery)
    };
    vec![
        rtsp("Content-Base without a slash", base(Base::NoSlash)),
        rtsp("no Content-Base", base(Base::Absent)),
        rtsp("Content-Base is a path", base(Base::Relative)),
        rtsp("Content-Base of an inner network", base(Base::WrongHost)),
        rtsp("Content-Base is empty", base(Base::Empty)),
        rtsp("Content-Location for Content-Base", base(Base::Location)),
        rtsp("control is absolute", control(Control::Absolute)),
        rtsp("no control", control(Control::Absent)),
        rtsp("no control for the session", control(Control::NoSession)),
        rtsp("control is a rooted path", control(Control::RootedPath)),
        rtsp("control with the query at its end", queried).path("/live?token=abc"),
        rtsp("a url that ends in a slash", Options::default()).path("/live/"),
        rtsp("a url without a path", Options::default()).path(""),
    ]
}

fn media() -> Vec<Row> {
    let other = |before: &'static [Other], after: &'static [Other]| camera(Sdp { before, after, ..Sdp::default() });
    let lone = Sdp { no_video: true, before: &[Other::Audio], ..Sdp::default() };
    vec![
        rtsp("sound before the video", other(&[Other::Audio], &[])).also(video_alone),
        rtsp("metadata before the video", other(&[Other::Metadata], &[])).also(video_alone),
        rtsp("metadata after the video", other(&[], &[Other::Metadata])).also(video_alone),
        rtsp("sound, back channel and metadata", other(&[], &[Other::Audio, Other::BackChannel, Other::Metadata]))
            .also(video_alone),
        rtsp("two video tracks", other(&[], &[Other::Video])),
        rtsp("sound alone", camera(lone)).fails(DisconnectReason::Unsupported, "no video"),
        rtsp("a codec that nobody knows", camera(Sdp { unknown_codec: true, ..Sdp::default() }))
            .fails(DisconnectReason::Unsupported, "x-acme-zip"),
        rtsp("sizes and rates that aren't true", camera(Sdp { lies: true, ..Sdp::default() })).shows(160, 120),
    ]
}

fn parameter_sets() -> Vec<Row> {
    vec![
        rtsp("parameter sets in band only", sets(Sets::InBand)),
        rtsp("parameter sets in the description only", sets(Sets::InDescription)),
        rtsp("parameter sets cut off in the description", sets(Sets::HalfInDescription)),
        rtsp("parameter sets empty in the description", sets(Sets::EmptyInDescription)),
        rtsp("parameter sets of another stream in the description", sets(Sets::WrongInDescription)).shows(160, 120),
        rtsp("HEVC, parameter sets in band only", hevc(sets(Sets::InBand))),
        rtsp("HEVC, parameter sets in the description only", hevc(sets(Sets::InDescription))),
        rtsp("HEVC, parameter sets empty in the description", hevc(sets(Sets::EmptyInDescription))),
    ]
}
