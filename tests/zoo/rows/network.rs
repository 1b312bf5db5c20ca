//! What networks do: losses, order, bursts, stalls, and what is between the packets.

use std::time::Duration;

use maskwatch::config::plan::{CameraPlan, Transport};

use crate::zoo::coded::{Codec, Recipe};
use crate::zoo::rtsp::options::{Flow, Options, Packets};
use crate::zoo::table::{Row, rtsp};

fn camera(flow: Flow) -> Options {
    Options { flow, ..Options::default() }
}

/// Each picture in several packets.
fn fragments(flow: Flow) -> Options {
    Options { packets: Packets { most: 200, ..Packets::default() }, ..camera(flow) }
}

fn udp(plan: CameraPlan) -> CameraPlan {
    CameraPlan { transport: Transport::Udp, ..plan }
}

pub fn rows() -> Vec<Row> {
    let stalls = Flow { pictures: 80, stalls: Some((20, Duration::from_millis(400))), ..Flow::default() };
    let lossy = |each| Flow { pictures: 100, lose_each: Some(each), ..Flow::default() };
    let rare = Recipe { gop: 400, pictures: 400, ..Recipe::default() };
    let shuffled = fragments(Flow { shuffle: true, ..Flow::default() });
    let lossy_hevc = Options { recipe: Recipe { codec: Codec::Hevc, ..Recipe::default() }, ..camera(lossy(50)) };
    let lossy_b = Options { recipe: Recipe { bframes: 3, ..Recipe::default() }, ..camera(lossy(50)) };
    vec![
        // A loss costs what is built upon the lost, up to the next keyframe, and nothing else.
        // Hardly a picture is whole; what matters is that some come, and that it stays up, with the usual patience.
        rtsp("40 s between keyframes, 2.7 % of the packets lost", Options { recipe: rare, ..fragments(lossy(37)) })
            .plan(|plan| CameraPlan { timeout: Duration::from_millis(2500), ..plan })
            .gives(20),
        rtsp("2 % lost", camera(lossy(50))),
        rtsp("2 % lost, HEVC", lossy_hevc),
        rtsp("2 % lost, B-frames", lossy_b),
        rtsp("1 % lost, UDP", camera(lossy(100))).plan(udp),
        rtsp("1 % lost, UDP, in fragments", fragments(lossy(100))).plan(udp),
        rtsp("packets out of order, UDP", shuffled).plan(udp),
        rtsp("stalls of 400 ms", camera(stalls.clone())),
        rtsp(
            "stalls of 400 ms, B-frames",
            Options { recipe: Recipe { bframes: 3, ..Recipe::default() }, ..camera(stalls.clone()) },
        ),
        rtsp("stalls of 400 ms, UDP", camera(stalls)).plan(udp),
        rtsp("two seconds at once in the beginning", camera(Flow { head_start: 20, ..Flow::default() })),
        rtsp("begins between keyframes", camera(Flow { joins_at: 4, ..Flow::default() })),
        rtsp("bytes between packets that belong to nobody", camera(Flow { noise_each: Some(10), ..Flow::default() })),
        rtsp("packets on a channel that nobody asked for", camera(Flow { foreign_channel: true, ..Flow::default() })),
    ]
}
