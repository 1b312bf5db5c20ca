//! Kinds of pictures.

use maskwatch::config::plan::{CameraPlan, Transport};

use crate::zoo::coded::{Codec, Recipe};
use crate::zoo::rtsp::options::{Flow, Options};
use crate::zoo::table::{Row, rtsp};

fn camera(recipe: Recipe) -> Options {
    Options { recipe, flow: Flow { pictures: 60, ..Flow::default() }, ..Options::default() }
}

fn h264(change: impl FnOnce(&mut Recipe)) -> Options {
    let mut recipe = Recipe::default();
    change(&mut recipe);
    camera(recipe)
}

fn hevc(change: impl FnOnce(&mut Recipe)) -> Options {
    h264(|recipe| {
        recipe.codec = Codec::Hevc;
        change(recipe);
    })
}

fn udp(plan: CameraPlan) -> CameraPlan {
    CameraPlan { transport: Transport::Udp, ..plan }
}

pub fn rows() -> Vec<Row> {
    let b = |recipe: &mut Recipe| recipe.bframes = 3;
    let fast_b = |r: &mut Recipe| (r.bframes, r.fps, r.gop, r.pictures) = (3, 25, 50, 100);
    let when_shown = |mut options: Options| {
        options.flow.when_shown = true;
        options.flow.pictures = 100;
        options
    };
    let larger = Recipe { width: 320, height: 240, ..Recipe::default() };
    let then = |recipe, then| Options {
        flow: Flow { then: Some((25, then)), pictures: 60, ..Flow::default() },
        ..camera(recipe)
    };
    let hevc_larger = Recipe { codec: Codec::Hevc, ..larger };
    vec![
        rtsp("H.264 with B-frames", h264(b)),
        rtsp("H.264 with B-frames, UDP", h264(b)).plan(udp),
        rtsp("H.264 with B-frames, open groups", h264(|r| (r.bframes, r.open_gop) = (3, true))),
        rtsp("H.264 with B-frames, 25 a second", h264(fast_b)),
        rtsp("H.264 with B-frames, sent when they are shown", when_shown(h264(b))),
        rtsp("H.264 with B-frames, sent when they are shown, UDP", when_shown(h264(b))).plan(udp),
        rtsp("H.264 with B-frames, 25 a second, sent when they are shown", when_shown(h264(fast_b))),
        rtsp("HEVC with B-frames, sent when they are shown", when_shown(hevc(b))),
        rtsp("HEVC with B-frames, 25 a second, sent when they are shown", when_shown(hevc(fast_b))),
        rtsp("HEVC with B-frames, 25 a second, sent when they are shown, UDP", when_shown(hevc(fast_b))).plan(udp),
        rtsp("HEVC", hevc(|_| ())),
        rtsp("HEVC with B-frames", hevc(b)),
        rtsp("HEVC with B-frames, UDP", hevc(b)).plan(udp),
        rtsp("HEVC with B-frames, open groups", hevc(|r| (r.bframes, r.open_gop) = (3, true))),
        rtsp("HEVC with B-frames, 25 a second", hevc(fast_b)),
        rtsp("H.264 in slices", h264(|r| r.slices = 4)),
        rtsp("H.264, 5 a second", h264(|r| (r.fps, r.gop) = (5, 10))),
        rtsp("H.264, a keyframe in 6 s", h264(|r| (r.gop, r.pictures) = (60, 60))),
        rtsp("H.264, refreshed in stripes", h264(|r| (r.stripes, r.pictures) = (true, 60))),
        rtsp("H.264 interlaced", h264(|r| r.interlaced = true)).shows(160, 120),
        rtsp("H.264 interlaced with B-frames", h264(|r| (r.interlaced, r.bframes) = (true, 3))),
        rtsp("H.264 4:2:2", h264(|r| r.pixels = "yuv422p")),
        rtsp("H.264 10 bit", h264(|r| r.pixels = "yuv420p10le")),
        rtsp("H.264 4:2:2 10 bit", h264(|r| r.pixels = "yuv422p10le")),
        rtsp("HEVC 10 bit", hevc(|r| r.pixels = "yuv420p10le")),
        rtsp("HEVC 4:2:2 10 bit", hevc(|r| r.pixels = "yuv422p10le")),
        rtsp("a size that is no multiple of 16", h264(|r| (r.width, r.height) = (170, 94))).shows(170, 94),
        rtsp("another size in mid-stream", then(Recipe::default(), larger)).shows(320, 240),
        rtsp("another size in mid-stream, HEVC", then(Recipe { codec: Codec::Hevc, ..Recipe::default() }, hevc_larger))
            .shows(320, 240),
        rtsp("B-frames from mid-stream on", then(Recipe::default(), Recipe { bframes: 3, ..Recipe::default() }))
            .plays(0.95),
    ]
}
