//! Which H.264 encoder: the machine's own where it works, else x264, else OpenH264.

use gst::prelude::*;

/// Seconds between keyframes.
const KEYFRAME_INTERVAL_S: u32 = 2;
/// How long an encoder may take to show that it works.
const TRIAL: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// Pixels from which one thread is too slow in software.
const LARGE: u32 = 1920 * 1088 + 1;

/// The encoders known, best first.
const KINDS: [Kind; 6] = [Kind::Nvidia, Kind::Va, Kind::Vaapi, Kind::V4l2, Kind::X264, Kind::OpenH264];

/// One encoder element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nvidia,
    Va,
    Vaapi,
    V4l2,
    X264,
    OpenH264,
}

/// What a stream asks of its encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    pub(super) bitrate_kbps: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Rounded frames per second.
    pub(super) fps: u32,
}

/// The encoder of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder(Kind);

impl Kind {
    fn element(self) -> &'static str {
        match self {
            Self::Nvidia => "nvh264enc",
            Self::Va => "vah264enc",
            Self::Vaapi => "vaapih264enc",
            Self::V4l2 => "v4l2h264enc",
            Self::X264 => "x264enc",
            Self::OpenH264 => "openh264enc",
        }
    }

    /// The element in the launch syntax: low delay, no B-frames, a bounded bit rate.
    fn launch(self, demand: Demand) -> String {
        let Demand { bitrate_kbps: kbps, fps, width, height } = demand;
        let gop = fps.max(1) * KEYFRAME_INTERVAL_S;
        let name = self.element();
        match self {
            Self::Nvidia => {
                format!("{name} name=enc preset=low-latency-hq zerolatency=true bitrate={kbps} gop-size={gop}")
            }
            Self::Va => {
                format!("{name} name=enc rate-control=cbr bitrate={kbps} key-int-max={gop} b-frames=0 target-usage=6")
            }
            Self::Vaapi => {
                format!("{name} name=enc rate-control=cbr bitrate={kbps} keyframe-period={gop} max-bframes=0")
            }
            Self::V4l2 => format!(
                "{name} name=enc extra-controls=\"controls,video_bitrate={},h264_i_frame_period={gop}\" ! \
                 video/x-h264,level=(string)4",
                kbps.saturating_mul(1000)
            ),
            Self::X264 => {
                let threads = if width.saturating_mul(height) >= LARGE { 4 } else { 1 };
                format!(
                    "{name} name=enc tune=zerolatency speed-preset=superfast bitrate={kbps} vbv-buf-capacity=500 \
                     key-int-max={gop} bframes=0 threads={threads}"
                )
            }
            Self::OpenH264 => format!(
                "{name} name=enc rate-control=bitrate bitrate={} gop-size={gop} complexity=low",
                kbps.saturating_mul(1000)
            ),
        }
    }

    /// Whether it encodes three pictures. A driver's element may be there without the hardware.
    fn works(self) -> bool {
        if gst::ElementFactory::find(self.element()).is_none() {
            return false;
        }
        let text = format!(
            "videotestsrc num-buffers=3 ! video/x-raw,width=640,height=360,framerate=25/1 ! videoconvert ! {} ! fakesink",
            self.launch(Demand { bitrate_kbps: 1000, width: 640, height: 360, fps: 25 })
        );
        let Ok(pipeline) = gst::parse::launch(&text) else { return false };
        pipeline.set_state(gst::State::Playing).ok();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let outcome = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(TRIAL, &wanted));
        pipeline.set_state(gst::State::Null).ok();
        outcome.is_some_and(|message| message.type_() == gst::MessageType::Eos)
    }
}

impl Encoder {
    /// Tries them in turn; `None` where this GStreamer encodes no H.264.
    pub(super) fn find() -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.works()).map(Self)
    }

    /// Name of the element.
    pub(super) fn name(self) -> &'static str {
        self.0.element()
    }

    /// From raw pictures to H.264 with its headers before each keyframe, in the launch syntax; the encoder is `enc`.
    pub(super) fn launch(self, demand: Demand) -> String {
        format!("{} ! h264parse config-interval=-1", self.0.launch(demand))
    }
}

/// Asks the encoder for a keyframe with its next picture.
pub(super) fn force_keyframe(encoder: &gst::Element) {
    encoder.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_encodes() {
        gst::init().unwrap();
        let encoder = Encoder::find().expect("a GStreamer H.264 encoder");
        assert!(KINDS.iter().any(|kind| kind.element() == encoder.name()));
    }

    #[test]
    fn large_pictures_get_more_threads() {
        let demand = Demand { bitrate_kbps: 2000, width: 3840, height: 2160, fps: 25 };
        assert!(Kind::X264.launch(demand).contains("threads=4"));
        assert!(Kind::X264.launch(Demand { width: 1280, height: 720, ..demand }).contains("key-int-max=50"));
    }
}
