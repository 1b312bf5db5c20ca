//! H.264 encoders: the machine's own where it works, else x264, else OpenH264.
//!
//! One chain serves the trial and the use: `videoconvert ! ENCODER ! h264parse`. Hardware takes NV12 only, so what passes
//! the trial has the same conversion as what encodes. [`Encoder`] goes on with the next one where one fails later.

mod fallback;
#[cfg(test)]
pub(crate) mod tests;

use gst::prelude::*;

pub(crate) use fallback::Encoder;

/// Seconds between keyframes of a stream.
const KEYFRAME_INTERVAL_S: u32 = 2;
/// How long an encoder may take to show that it works.
const TRIAL: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// Pictures of a trial.
const TRIAL_PICTURES: u32 = 3;
/// Pixels from which one thread is too slow in software.
const LARGE: u32 = 1920 * 1088 + 1;
/// Bit rate of a file where an encoder cannot aim at a quality.
const FILE_KBPS: u32 = 8000;

/// One encoder element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nvidia,
    Va,
    Vaapi,
    V4l2,
    X264,
    OpenH264,
}

/// What a stream asks of its encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) bitrate_kbps: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Rounded frames per second.
    pub(crate) fps: u32,
}

/// What is encoded for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// Viewers: low delay, no B-frames, a bounded bit rate. Its parameters may change in the middle.
    Stream(Demand),
    /// A file: good quality. It has one set of parameters from its first picture on.
    File,
}

impl Task {
    /// The encoders known, best first.
    fn kinds(self) -> [Kind; 6] {
        match self {
            Self::Stream(_) => [Kind::Nvidia, Kind::Va, Kind::Vaapi, Kind::V4l2, Kind::X264, Kind::OpenH264],
            Self::File => [Kind::X264, Kind::OpenH264, Kind::Nvidia, Kind::Va, Kind::Vaapi, Kind::V4l2],
        }
    }
}

impl Kind {
    /// Name of the element.
    pub(crate) fn element(self) -> &'static str {
        match self {
            Self::Nvidia => "nvh264enc",
            Self::Va => "vah264enc",
            Self::Vaapi => "vaapih264enc",
            Self::V4l2 => "v4l2h264enc",
            Self::X264 => "x264enc",
            Self::OpenH264 => "openh264enc",
        }
    }

    /// From raw pictures to H.264, in the launch syntax; the encoder is `enc`. Streams have their headers before each
    /// keyframe.
    fn chain(self, task: Task) -> String {
        let (encoder, headers) = match task {
            Task::Stream(demand) => (self.for_stream(demand), -1),
            Task::File => (self.for_file(), 0),
        };
        format!("videoconvert n-threads=1 ! {encoder} ! h264parse config-interval={headers}")
    }

    fn for_file(self) -> String {
        let name = self.element();
        match self {
            Self::X264 => format!("{name} name=enc pass=qual quantizer=23 speed-preset=veryfast key-int-max=100"),
            Self::OpenH264 => format!("{name} name=enc rate-control=quality bitrate=4000000 gop-size=100"),
            // Low delay costs a file little, and hardware keeps to a bit rate best.
            _ => self.for_stream(Demand { bitrate_kbps: FILE_KBPS, width: 1920, height: 1080, fps: 25 }),
        }
    }

    fn for_stream(self, demand: Demand) -> String {
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

    /// Whether the element is there.
    fn exists(self) -> bool {
        gst::ElementFactory::find(self.element()).is_some()
    }

    /// Whether it encodes a few pictures. A driver's element may be there without the hardware.
    fn works(self, task: Task) -> bool {
        let text = format!(
            "videotestsrc num-buffers={TRIAL_PICTURES} ! video/x-raw,format=I420,width=640,height=360,framerate=25/1 ! \
             {} ! fakesink name=end sync=false",
            self.chain(task)
        );
        let Some(pipeline) = gst::parse::launch(&text).ok().and_then(|pipeline| pipeline.downcast::<gst::Bin>().ok())
        else {
            return false;
        };
        pipeline.set_state(gst::State::Playing).ok();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let outcome = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(TRIAL, &wanted));
        let given =
            pipeline.by_name("end").and_then(|end| end.property::<gst::Structure>("stats").get("rendered").ok());
        pipeline.set_state(gst::State::Null).ok();
        let ended = outcome.is_some_and(|message| message.type_() == gst::MessageType::Eos);
        ended && given.is_some_and(|given: u64| given >= u64::from(TRIAL_PICTURES))
    }
}

/// The encoders of this machine that are worth trying, best first: the first has shown that it works.
pub(crate) fn usable(task: Task) -> Vec<Kind> {
    let mut kinds = task.kinds().into_iter().filter(|kind| kind.exists()).skip_while(|kind| !kind.works(task));
    kinds.by_ref().collect()
}
