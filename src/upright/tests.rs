//! The portrait in every form that a camera or a phone may give: the same face at the same place, in the same colours.

use std::path::{Path, PathBuf};
use std::process::Command;

use gst_video::prelude::*;
use gstmaskwatch::meta::FaceMeta;
use maskwatch_vision::geometry::Rect;
use proptest::prelude::{prop_assert, proptest};

use super::*;
use crate::config::plan::InferencePlan;
use crate::metrics::Metrics;
use crate::service;

/// Size of the portrait's picture, as it is shown.
const SHOWN: (u32, u32) = (640, 480);
/// Middles of the coloured patches, which are 60 pixels wide.
const PATCHES: [(u32, u32); 4] = [(40, 40), (40, 440), (600, 40), (600, 440)];

fn caps(pixel: (i32, i32), height: i32) -> gst::Caps {
    gst::init().unwrap();
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 640)
        .field("height", height)
        .field("framerate", gst::Fraction::new(25, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(pixel.0, pixel.1))
        .build()
}

#[test]
fn roundings_and_broken_headers_are_square_and_real_shapes_stay() {
    for (pixel, kept) in
        [((640, 639), false), ((1, 1000), false), ((1000, 1), false), ((2, 1), true), ((8, 9), true), ((1, 1), true)]
    {
        let better = plausible(&caps(pixel, 480));
        assert_eq!(better.is_none(), kept, "{pixel:?}");
        let pixel = |caps: gst::Caps| caps.structure(0).unwrap().get::<gst::Fraction>("pixel-aspect-ratio").unwrap();
        assert!(better.is_none_or(|caps| pixel(caps) == SQUARE));
    }
}

#[test]
fn pictures_that_say_little_of_their_colours_have_those_of_their_size() {
    let colours = |caps: &gst::Caps| gst_video::VideoInfo::from_caps(caps).unwrap().colorimetry().matrix();
    let better = plausible(&caps((1, 1), 2160)).unwrap();
    assert_eq!(colours(&better), gst_video::VideoColorMatrix::Bt709);
    assert!(plausible(&caps((1, 1), 1080)).is_none());
    let mut half = caps((1, 1), 480);
    half.make_mut().set("colorimetry", "1:0:0:0");
    let better = gst_video::VideoInfo::from_caps(&plausible(&half).unwrap()).unwrap().colorimetry();
    let (matrix, range) = (gst_video::VideoColorMatrix::Bt601, gst_video::VideoColorRange::Range0_255);
    assert_eq!((better.matrix(), better.range()), (matrix, range), "the range is told, the matrix is not");
    let mut told = caps((1, 1), 2160);
    told.make_mut().set("colorimetry", "bt2020");
    assert!(plausible(&told).is_none(), "what is told is taken as it is");
}

proptest! {
    #[test]
    fn no_picture_is_scaled_to_more_than_four_times_its_width(numer in 1i32..100_000, denom in 1i32..100_000) {
        let left = plausible(&caps((numer, denom), 480)).is_none();
        let ratio = f64::from(numer) / f64::from(denom);
        prop_assert!(!left || (0.25..=4.0).contains(&ratio));
    }
}

/// A form: what is done to the picture, and how it is encoded.
struct Form {
    file: &'static str,
    filter: &'static str,
    codec: &'static str,
    /// The picture has colours to compare.
    coloured: bool,
}

const fn form(file: &'static str, filter: &'static str, codec: &'static str) -> Form {
    Form { file, filter, codec, coloured: true }
}

/// A quiet encoder: what is compared is the form, not the loss.
macro_rules! x264 {
    ($rest:literal) => {
        concat!("-c:v libx264 -preset ultrafast -crf 12 ", $rest)
    };
}

const FORMS: [Form; 29] = [
    form("422.mp4", "format=yuv422p", x264!("")),
    form("444.mp4", "format=yuv444p", x264!("")),
    form("10bit.mp4", "format=yuv420p10le", x264!("")),
    form("422-10bit.mp4", "format=yuv422p10le", x264!("")),
    form("hevc-10bit.mp4", "format=yuv420p10le", "-c:v libx265 -preset ultrafast -crf 12 -x265-params log-level=error"),
    form("full.mp4", "scale=out_range=full,format=yuvj420p", x264!("-color_range pc")),
    form("mjpeg.mkv", "scale=out_range=full,format=yuvj422p", "-c:v mjpeg -q:v 2"),
    form("bt601.mp4", "scale=out_color_matrix=bt601,format=yuv420p", x264!("-colorspace smpte170m")),
    form("bt709.mp4", "scale=out_color_matrix=bt709,format=yuv420p", x264!("-colorspace bt709")),
    form("bt2020.mp4", "scale=out_color_matrix=bt2020,format=yuv420p10le", x264!("-colorspace bt2020nc")),
    form("240m.mp4", "scale=out_color_matrix=smpte240m,format=yuv420p", x264!("-colorspace smpte240m")),
    form("tff.mp4", "interlace=scan=tff,format=yuv420p", x264!("-flags +ilme+ildct -x264opts tff=1")),
    form("bff.mp4", "interlace=scan=bff,format=yuv420p", x264!("-flags +ilme+ildct -x264opts bff=1")),
    form("interlaced-422.mp4", "interlace=scan=tff,format=yuv422p", x264!("-flags +ilme+ildct -x264opts tff=1")),
    form("mpeg2.ts", "interlace=scan=tff,format=yuv420p", "-c:v mpeg2video -q:v 2 -flags +ilme+ildct -top 1"),
    form("odd.mkv", "crop=639:479:0:0,format=yuv420p", "-c:v ffv1"),
    form("odd.mjpeg", "crop=639:479:0:0,scale=out_range=full,format=yuvj444p", "-c:v mjpeg -q:v 2"),
    form("wide.mp4", "scale=320:480,setsar=2,format=yuv420p", x264!("")),
    form("tall.mp4", "scale=1280:480,setsar=1/2,format=yuv420p", x264!("")),
    form("d1.mp4", "scale=704:480,setsar=10/11,format=yuv420p", x264!("")),
    form("turned-90.mp4", "transpose=clock,format=yuv420p", x264!("")),
    form("turned-180.mp4", "hflip,vflip,format=yuv420p", x264!("")),
    form("turned-270.mp4", "transpose=cclock,format=yuv422p", x264!("")),
    form("alpha.webm", "format=yuva420p", "-c:v libvpx -b:v 4M -auto-alt-ref 0"),
    form("rgba.mov", "format=rgba", "-c:v png"),
    form("rgb.mkv", "format=gbrp", "-c:v libx264rgb -preset ultrafast -crf 12"),
    Form { file: "grey.mp4", filter: "format=gray", codec: x264!(""), coloured: false },
    Form { file: "grey.mkv", filter: "format=gray16le", codec: "-c:v ffv1", coloured: false },
    form("420.avi", "format=yuv420p", "-c:v rawvideo"),
];

/// The portrait on grey, with a patch of red, green, blue and white in its corners, in a form.
fn encode(folder: &Path, form: &Form) -> PathBuf {
    let path = folder.join(form.file);
    let patch = |(x, y): (u32, u32), colour: &str| format!("drawbox={}:{}:60:60:{colour}:fill", x - 30, y - 30);
    let colours = ["0xd02020", "0x20b040", "0x2040d0", "0xe0e0e0"];
    let patches: Vec<_> = PATCHES.into_iter().zip(colours).map(|(place, colour)| patch(place, colour)).collect();
    let filter = format!("scale=480:480,pad=640:480:80:0:0x606060,format=rgb24,{},{}", patches.join(","), form.filter);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-loop", "1", "-framerate", "50", "-i"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(".fetched/demo/astronaut.png"));
    command.args(["-vf", &filter, "-frames:v", "4"]).args(form.codec.split_whitespace()).arg(&path);
    assert!(command.status().unwrap().success(), "{}", form.file);
    let Some(turn) = form.file.strip_prefix("turned-").and_then(|rest| rest.strip_suffix(".mp4")) else { return path };
    // FFmpeg writes the turn when it copies.
    let turned = folder.join(format!("tagged-{turn}.mp4"));
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&path).args(["-c", "copy", "-metadata:s:v:0"]);
    assert!(command.arg(format!("rotate={turn}")).arg(&turned).status().unwrap().success(), "{}", form.file);
    turned
}

/// What is seen of a file's first picture, and how many there are.
struct Seen {
    size: (u32, u32),
    faces: Vec<Rect>,
    colours: [[i32; 3]; 4],
    pictures: usize,
}

fn see(path: &Path) -> Seen {
    let pipeline = gst::Pipeline::new();
    let file = gst::ElementFactory::make("filesrc").property("location", path).build().unwrap();
    let decode = gst::ElementFactory::make("decodebin").build().unwrap();
    let upright = bin().unwrap();
    let infer = gst::ElementFactory::make("maskinfer")
        .property("engine", "forms")
        .property("sync", true)
        .property("analyze-fps", 0.0)
        .build()
        .unwrap();
    let sink = gst_app::AppSink::builder().sync(false).build();
    pipeline.add_many([&file, &decode, upright.upcast_ref(), &infer, sink.upcast_ref()]).unwrap();
    file.link(&decode).unwrap();
    gst::Element::link_many([upright.upcast_ref(), &infer, sink.upcast_ref()]).unwrap();
    let entry = upright.static_pad("sink").unwrap();
    decode.connect_pad_added(move |_, pad| {
        pad.link(&entry).unwrap();
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let samples: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok()).collect();
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none() && !samples.is_empty(), "{}: {error:?}", path.display());
    let sample = &samples[0];
    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    assert!(info.par() == SQUARE && !info.is_interlaced(), "{}: {info:?}", path.display());
    let faces = FaceMeta::get(sample.buffer().unwrap()).unwrap().faces().iter().map(|face| face.rect).collect();
    Seen { size: (info.width(), info.height()), faces, colours: colours(sample, &info), pictures: samples.len() }
}

/// Mean colours of the patches' middles.
fn colours(sample: &gst::Sample, info: &gst_video::VideoInfo) -> [[i32; 3]; 4] {
    let target = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, info.width(), info.height())
        .fps(info.fps())
        .build()
        .unwrap();
    let mut rgb = gst::Buffer::with_size(target.size()).unwrap();
    {
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), info).unwrap();
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(rgb.get_mut().unwrap(), &target).unwrap();
        gst_video::VideoConverter::new(info, &target, None).unwrap().frame_ref(&from, &mut to);
    }
    let (map, stride) = (rgb.map_readable().unwrap(), target.stride()[0] as usize);
    PATCHES.map(|(x, y)| {
        // A picture of another size is told by its size.
        if x + 5 >= info.width() || y + 5 >= info.height() {
            return [-1; 3];
        }
        let pixels = (0..10).flat_map(|dy| (0..10).map(move |dx| (x as usize - 5 + dx, y as usize - 5 + dy)));
        let sum = pixels.fold([0i32; 3], |sum, (x, y)| {
            std::array::from_fn(|channel| sum[channel] + i32::from(map[y * stride + 3 * x + channel]))
        });
        sum.map(|value| value / 100)
    })
}

#[test]
fn the_portrait_is_the_same_in_every_form() {
    service::start_media().unwrap();
    let engine = service::start_engine(&InferencePlan::default(), &Metrics::new().unwrap()).unwrap();
    gstmaskwatch::engines::register("forms", engine);
    let folder = tempfile::tempdir().unwrap();
    let plain = see(&encode(folder.path(), &form("plain.mp4", "format=yuv420p", x264!(""))));
    assert_eq!((plain.size, plain.faces.len(), plain.pictures), (SHOWN, 1, 4));
    let mut wrong = Vec::new();
    for form in &FORMS {
        let seen = see(&encode(folder.path(), form));
        let near = |a: u32, b: u32| a.abs_diff(b) <= 1;
        let sized = near(seen.size.0, SHOWN.0) && near(seen.size.1, SHOWN.1);
        let overlap = seen.faces.first().map_or(0.0, |face| face.iou(&plain.faces[0]));
        let pairs = seen.colours.iter().flatten().zip(plain.colours.iter().flatten());
        let off = pairs.map(|(a, b)| (a - b).abs()).max().unwrap_or(0);
        let good = sized && seen.faces.len() == 1 && overlap > 0.8 && (off <= 8 || !form.coloured);
        if !good || seen.pictures != 4 {
            let Seen { size, faces, pictures, .. } = seen;
            wrong.push(format!(
                "{}: {size:?}, {faces:?}, overlap {overlap}, colours off by {off}, {pictures}",
                form.file
            ));
        }
    }
    gstmaskwatch::engines::unregister("forms");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The pixels of a 4 x 2 picture whose tag says `orientation`: the values of its rows, and its size.
fn turned(orientation: &str) -> (Vec<u8>, u32) {
    gst::init().unwrap();
    let source = gst_app::AppSrc::builder().format(gst::Format::Time).build();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 4, 2).fps(gst::Fraction::new(25, 1));
    let info = info.build().unwrap();
    source.set_caps(Some(&info.to_caps().unwrap()));
    let (pipeline, bin, sink) = (gst::Pipeline::new(), bin().unwrap(), gst_app::AppSink::builder().sync(false).build());
    pipeline.add_many([source.upcast_ref::<gst::Element>(), bin.upcast_ref(), sink.upcast_ref()]).unwrap();
    gst::Element::link_many([source.upcast_ref::<gst::Element>(), bin.upcast_ref(), sink.upcast_ref()]).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::ImageOrientation>(&orientation, gst::TagMergeMode::Append);
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    {
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &info).unwrap();
        let stride = frame.plane_stride()[0] as usize;
        let luma = frame.plane_data_mut(0).unwrap();
        for (y, x) in (0..2).flat_map(|y| (0..4).map(move |x| (y, x))) {
            luma[y * stride + x] = 100 + (y * 4 + x) as u8;
        }
    }
    source.push_buffer(buffer.clone()).unwrap();
    source.send_event(gst::event::Tag::new(tags));
    source.push_buffer(buffer).unwrap();
    source.end_of_stream().unwrap();
    let sample = std::iter::from_fn(|| sink.pull_sample().ok()).last().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
    let (luma, stride) = (frame.plane_data(0).unwrap(), frame.plane_stride()[0] as usize);
    let rows = (0..info.height() as usize).flat_map(|y| luma[y * stride..][..info.width() as usize].to_vec());
    (rows.map(|value| value - 100).collect(), info.width())
}

#[test]
fn every_orientation_is_shown_upright_also_when_it_comes_in_the_middle() {
    for (tag, pixels, width) in [
        ("rotate-0", [0, 1, 2, 3, 4, 5, 6, 7], 4),
        ("rotate-90", [4, 0, 5, 1, 6, 2, 7, 3], 2),
        ("rotate-180", [7, 6, 5, 4, 3, 2, 1, 0], 4),
        ("rotate-270", [3, 7, 2, 6, 1, 5, 0, 4], 2),
        ("flip-rotate-0", [3, 2, 1, 0, 7, 6, 5, 4], 4),
        ("flip-rotate-180", [4, 5, 6, 7, 0, 1, 2, 3], 4),
    ] {
        assert_eq!(turned(tag), (pixels.to_vec(), width), "{tag}");
    }
}
