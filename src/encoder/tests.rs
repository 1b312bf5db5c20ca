//! Encoders that take NV12 only, fail in the middle or give nothing, beside the machine's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::glib;
use gst::subclass::prelude::*;

use super::*;

/// x264 in a driver's clothes: the name and the properties of a hardware encoder, NV12 only, and a fault that begins with
/// a picture.
macro_rules! fake {
    ($module:ident, $name:literal, $type:literal, $from:expr, $fault:expr) => {
        pub(crate) mod $module {
            use std::sync::LazyLock;

            use super::*;

            #[derive(Default)]
            pub(super) struct Fake;

            #[glib::object_subclass]
            impl ObjectSubclass for Fake {
                const NAME: &'static str = $type;
                type Type = Element;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Fake {
                fn properties() -> &'static [glib::ParamSpec] {
                    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties);
                    &PROPERTIES
                }

                fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

                fn constructed(&self) {
                    self.parent_constructed();
                    let seen = AtomicU64::new(0);
                    inside(self.obj().upcast_ref(), move || seen.fetch_add(1, Ordering::Relaxed) >= $from, $fault);
                }
            }

            impl GstObjectImpl for Fake {}
            impl ElementImpl for Fake {}
            impl BinImpl for Fake {}

            glib::wrapper! {
                pub(super) struct Element(ObjectSubclass<Fake>) @extends gst::Bin, gst::Element, gst::Object,
                    @implements gst::ChildProxy;
            }

            pub(crate) fn register() {
                gst::Element::register(None, $name, gst::Rank::NONE, Element::static_type()).unwrap();
            }
        }
    };
}

fake!(healthy, "vah264enc", "FakeVa", u64::MAX, Err(gst::FlowError::Error));
fake!(refusing, "nvh264enc", "FakeNv", 5, Err(gst::FlowError::Error));
fake!(swallowing, "vaapih264enc", "FakeVaapi", 3, Ok(gst::FlowSuccess::Ok));

fn properties() -> Vec<glib::ParamSpec> {
    let number = |name: &str| glib::ParamSpecUInt::builder(name).build();
    let numbers = ["bitrate", "gop-size", "key-int-max", "b-frames", "target-usage", "keyframe-period", "max-bframes"];
    let texts = ["rate-control", "preset"].map(|name| glib::ParamSpecString::builder(name).build());
    let flag = glib::ParamSpecBoolean::builder("zerolatency").build();
    numbers.map(number).into_iter().chain(texts).chain([flag]).collect()
}

/// What is in a fake: from the picture on at which `faulty` becomes true, pictures end as `fault`.
fn inside(
    bin: &gst::Bin,
    faulty: impl Fn() -> bool + Send + Sync + 'static,
    fault: Result<gst::FlowSuccess, gst::FlowError>,
) {
    let nv12 = gst::Caps::builder("video/x-raw").field("format", "NV12").build();
    let filter = gst::ElementFactory::make("capsfilter").property("caps", nv12).build().unwrap();
    let encoder = gst::ElementFactory::make("x264enc").property_from_str("tune", "zerolatency").build().unwrap();
    bin.add_many([&filter, &encoder]).unwrap();
    filter.link(&encoder).unwrap();
    let entry = filter.static_pad("sink").unwrap();
    entry.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if !faulty() {
            return gst::PadProbeReturn::Ok;
        }
        info.flow_res = fault;
        gst::PadProbeReturn::Handled
    });
    bin.add_pad(&gst::GhostPad::with_target(&entry).unwrap()).unwrap();
    bin.add_pad(&gst::GhostPad::with_target(&encoder.static_pad("src").unwrap()).unwrap()).unwrap();
}

fn viewers() -> Task {
    Task::Stream(Demand { bitrate_kbps: 1000, width: 320, height: 240, fps: 25 })
}

/// How many of 200 pictures come out of an encoder, and how it ends.
fn encoded(kinds: &[Kind], task: Task) -> (u64, gst::MessageType, Option<Vec<Kind>>) {
    let pipeline = gst::Pipeline::new();
    let text = "videotestsrc num-buffers=200 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! identity";
    let source = gst::parse::bin_from_description(text, true).unwrap();
    let encoder = Encoder::new(kinds, task).unwrap();
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).build().unwrap();
    let chain = [source.upcast_ref::<gst::Element>(), encoder.upcast_ref(), &sink];
    pipeline.add_many(chain).unwrap();
    gst::Element::link_many(chain).unwrap();
    // The sink's own count begins again with each encoder's segment.
    let given = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&given);
    sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    (given.load(Ordering::Relaxed), end.type_(), encoder.rest())
}

#[test]
fn this_machine_encodes() {
    gst::init().unwrap();
    for task in [viewers(), Task::File] {
        let kinds = usable(task);
        assert!(!kinds.is_empty());
        assert_eq!(encoded(&kinds, task), (200, gst::MessageType::Eos, None));
    }
}

#[test]
fn an_encoder_of_nv12_that_passes_the_trial_encodes() {
    gst::init().unwrap();
    healthy::register();
    assert_eq!(usable(viewers())[0], Kind::Va);
    assert_eq!(encoded(&[Kind::Va], viewers()), (200, gst::MessageType::Eos, None));
    assert_eq!(encoded(&[Kind::Va], Task::File), (200, gst::MessageType::Eos, None));
}

#[test]
fn viewers_lose_no_picture_when_an_encoder_fails() {
    gst::init().unwrap();
    refusing::register();
    let kinds = usable(viewers());
    assert_eq!(kinds[0], Kind::Nvidia, "it passes its trial");
    assert_eq!(encoded(&kinds, viewers()), (200, gst::MessageType::Eos, None));
}

#[test]
fn an_encoder_that_gives_nothing_more_is_replaced() {
    gst::init().unwrap();
    swallowing::register();
    let kinds = usable(viewers());
    assert_eq!(kinds[0], Kind::Vaapi, "it passes its trial");
    let (given, end, rest) = encoded(&kinds, viewers());
    // Three came out, fifty were held; all from there on come out of the next.
    assert_eq!((given, end, rest), (150, gst::MessageType::Eos, None));
}

#[test]
fn a_file_is_not_spliced_and_what_is_left_to_try_is_told() {
    gst::init().unwrap();
    refusing::register();
    swallowing::register();
    let (given, end, rest) = encoded(&[Kind::Nvidia, Kind::X264], Task::File);
    assert_eq!((given, end, rest), (5, gst::MessageType::Error, Some(vec![Kind::X264])));
    let (given, end, rest) = encoded(&[Kind::Vaapi, Kind::X264], Task::File);
    assert_eq!((given, end, rest), (3, gst::MessageType::Eos, Some(vec![Kind::X264])));
}

#[test]
fn without_an_encoder_that_works_it_fails_with_a_word() {
    gst::init().unwrap();
    refusing::register();
    assert_eq!(encoded(&[Kind::Nvidia], viewers()).1, gst::MessageType::Error);
    assert!(Encoder::new(&[Kind::Va], viewers()).is_err(), "an element that is not there");
}

#[test]
fn large_pictures_get_more_threads() {
    let demand = Demand { bitrate_kbps: 2000, width: 3840, height: 2160, fps: 25 };
    assert!(Kind::X264.for_stream(demand).contains("threads=4"));
    assert!(Kind::X264.for_stream(Demand { width: 1280, height: 720, ..demand }).contains("key-int-max=50"));
}
