//! Packets and their numbers.

use crate::zoo::coded::{Codec, Recipe};
use crate::zoo::rtsp::options::{Flow, Options, Packets, Reports, Times};
use crate::zoo::table::{Row, rtsp};

fn camera(packets: Packets) -> Options {
    Options { packets, ..Options::default() }
}

fn times(times: Times) -> Options {
    camera(Packets { times, ..Packets::default() })
}

fn reports(reports: Reports) -> Options {
    let flow = Flow { pictures: 70, ..Flow::default() };
    Options { flow, ..camera(Packets { reports, ..Packets::default() }) }
}

/// Each picture in several packets.
fn small(codec: Codec) -> Options {
    let recipe = Recipe { codec, ..Recipe::default() };
    Options { recipe, ..camera(Packets { most: 200, ..Packets::default() }) }
}

pub fn rows() -> Vec<Row> {
    let aggregate = |codec| {
        let recipe = Recipe { codec, slices: if codec == Codec::H264 { 3 } else { 1 }, ..Recipe::default() };
        Options { recipe, ..camera(Packets { aggregate: true, ..Packets::default() }) }
    };
    let new_source = camera(Packets { new_source_after: Some(15), ..Packets::default() });
    let all = Packets { padding: true, extension: true, contributors: true, ..Packets::default() };
    vec![
        rtsp("RTP padding", camera(Packets { padding: true, ..Packets::default() })),
        rtsp("RTP header extension", camera(Packets { extension: true, ..Packets::default() })),
        rtsp("RTP contributors", camera(Packets { contributors: true, ..Packets::default() })),
        rtsp("RTP padding, extension and contributors", camera(all)),
        rtsp("H.264 in fragments", small(Codec::H264)),
        rtsp("HEVC in fragments", small(Codec::Hevc)),
        rtsp("H.264 aggregated", aggregate(Codec::H264)),
        rtsp("HEVC aggregated", aggregate(Codec::Hevc)),
        // Nothing says whether something was lost there: five pictures on, a keyframe does.
        rtsp("SSRC changes in mid-stream", new_source).plays(0.8),
        rtsp("every packet twice", camera(Packets { copies: 2, ..Packets::default() })),
        rtsp("every packet three times, in fragments", {
            let mut options = small(Codec::H264);
            options.packets.copies = 3;
            options
        }),
        rtsp("sequence numbers wrap", camera(Packets { first_sequence: 65_520, ..Packets::default() })),
        rtsp("timestamps wrap", camera(Packets { first_time: u32::MAX - 100_000, ..Packets::default() })),
        rtsp("timestamps begin again at 0", times(Times::ResetAfter(15))).plays(0.9),
        rtsp("timestamps jump on by an hour", times(Times::JumpAfter(15))).plays(0.9),
        rtsp("timestamps jump back by 10 s", times(Times::BackAfter(15))).plays(0.9),
        rtsp("timestamps stand still", times(Times::Constant)),
        rtsp("timestamps run a tenth too fast", times(Times::Fast)),
        rtsp("no marker bits", camera(Packets { marker: false, ..Packets::default() })),
        rtsp("no marker bits, in fragments", {
            let mut options = small(Codec::H264);
            options.packets.marker = false;
            options
        }),
        rtsp(
            "RTP-Info tells of time 0",
            camera(Packets { zero_in_play: true, first_time: 3_000_000_000, ..Packets::default() }),
        ),
        rtsp("no RTP-Info", camera(Packets { no_info: true, ..Packets::default() })),
        rtsp("no sender reports", reports(Reports::Absent)),
        rtsp("sender reports of 1900", reports(Reports::Of1900)),
        rtsp("sender reports jump by a year", reports(Reports::Jumping)),
        rtsp("sender reports at random", reports(Reports::Random)),
    ]
}
