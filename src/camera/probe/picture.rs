//! What caps say of pictures, coded and decoded.

use gst_video::{VideoColorMatrix, VideoColorRange, VideoInfo, VideoInterlaceMode};

use super::report::Video;

/// Names of codings by those of their caps.
const CODECS: [(&str, &str); 6] = [
    ("video/x-h264", "h264"),
    ("video/x-h265", "h265"),
    ("image/jpeg", "mjpeg"),
    ("video/x-vp8", "vp8"),
    ("video/x-vp9", "vp9"),
    ("video/x-av1", "av1"),
];

/// The fields of a [`Video`] that caps know. `turn`: the value of the tag for the picture's orientation.
pub(super) fn video(coded: Option<&gst::Caps>, decoded: Option<&gst::Caps>, turn: Option<&str>) -> Video {
    let mut video = Video { codec: "raw".into(), rotation: degrees(turn), ..Video::default() };
    if let Some(structure) = coded.and_then(|caps| caps.structure(0)) {
        from_coded(&mut video, structure);
    }
    if let Some(info) = decoded.and_then(|caps| VideoInfo::from_caps(caps).ok()) {
        from_decoded(&mut video, &info);
    }
    video
}

fn from_coded(video: &mut Video, structure: &gst::StructureRef) {
    let text = |name: &str| structure.get::<String>(name).ok();
    let number = |name: &str| structure.get::<i32>(name).ok().and_then(|value| u32::try_from(value).ok());
    video.codec = codec(structure);
    video.profile = text("profile");
    video.level = text("level");
    (video.width, video.height) = (number("width"), number("height"));
    if let Ok(aspect) = structure.get::<gst::Fraction>("pixel-aspect-ratio") {
        shown(video, aspect);
    }
    video.interlaced = text("interlace-mode").map(|mode| mode != "progressive");
    video.chroma = text("chroma-format");
    video.bit_depth = structure.get::<u32>("bit-depth-luma").ok();
    video.announced_rate = structure.get::<gst::Fraction>("framerate").ok().and_then(rate);
}

fn codec(structure: &gst::StructureRef) -> String {
    let name = structure.name().as_str();
    if let Some((_, short)) = CODECS.iter().find(|(caps, _)| *caps == name) {
        return (*short).to_owned();
    }
    match structure.get::<i32>("mpegversion") {
        Ok(version) if name == "video/mpeg" => format!("mpeg{version}"),
        _ => {
            let kinds = ["video/", "image/", "x-", "gst-libav-"];
            kinds.iter().fold(name, |name, kind| name.strip_prefix(kind).unwrap_or(name)).to_owned()
        }
    }
}

/// A rate that means something: 0 stands for a changing one, 1000 and more for a clock's.
fn rate(rate: gst::Fraction) -> Option<f64> {
    let value = f64::from(rate.numer()) / f64::from(rate.denom().max(1));
    (value > 0.0 && value < 1000.0).then_some(value)
}

/// The decoder has the last word, but for what it converts.
fn from_decoded(video: &mut Video, info: &VideoInfo) {
    (video.width, video.height) = (Some(info.width()), Some(info.height()));
    shown(video, info.par());
    video.interlaced = Some(info.interlace_mode() != VideoInterlaceMode::Progressive);
    let format = info.format_info();
    if video.chroma.is_none() && (format.is_yuv() || format.is_gray()) {
        let chroma = match (format.is_gray(), format.w_sub().get(1), format.h_sub().get(1)) {
            (true, ..) => "4:0:0",
            (_, Some(0), Some(0)) => "4:4:4",
            (_, Some(1), Some(0)) => "4:2:2",
            (_, Some(2), _) => "4:1:1",
            _ => "4:2:0",
        };
        video.chroma = Some(chroma.to_owned());
    }
    video.bit_depth = video.bit_depth.or(format.depth().first().copied());
    video.range = match info.colorimetry().range() {
        VideoColorRange::Range0_255 => Some("full"),
        VideoColorRange::Range16_235 => Some("limited"),
        _ => None,
    };
    video.matrix = match info.colorimetry().matrix() {
        VideoColorMatrix::Bt601 => Some("bt601"),
        VideoColorMatrix::Bt709 => Some("bt709"),
        VideoColorMatrix::Bt2020 => Some("bt2020"),
        _ => None,
    };
    video.announced_rate = video.announced_rate.or_else(|| rate(info.fps()));
}

/// Pixel aspect, and the size that follows from it: players keep the height.
fn shown(video: &mut Video, aspect: gst::Fraction) {
    let (wide, high) = (aspect.numer().max(1), aspect.denom().max(1));
    video.pixel_aspect = Some(format!("{wide}:{high}"));
    video.shown = video.width.zip(video.height).map(|(width, height)| {
        let width = (f64::from(width) * f64::from(wide) / f64::from(high)).round() as u32;
        if video.rotation % 180 == 90 { [height, width] } else { [width, height] }
    });
}

/// Of `rotate-90` or `flip-rotate-90`.
fn degrees(turn: Option<&str>) -> u32 {
    let turn = turn.and_then(|turn| turn.rsplit_once("rotate-"));
    turn.and_then(|(_, degrees)| degrees.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        gst::Caps::from_str(text).unwrap()
    }

    #[test]
    fn coded_and_decoded_add_up() {
        let coded = caps(
            "video/x-h264, profile=(string)high, level=(string)4.1, width=720, height=576, framerate=25/1, \
             pixel-aspect-ratio=16/11, interlace-mode=(string)interleaved, chroma-format=(string)4:2:0, \
             bit-depth-luma=(uint)8",
        );
        let decoded = caps(
            "video/x-raw, format=I420, width=720, height=576, framerate=25/1, pixel-aspect-ratio=16/11, \
             interlace-mode=interleaved, colorimetry=bt601",
        );
        let found = video(Some(&coded), Some(&decoded), None);
        let text = |value: &Option<String>| value.clone().unwrap();
        assert_eq!(
            (found.codec.as_str(), text(&found.profile), text(&found.level)),
            ("h264", "high".into(), "4.1".into())
        );
        assert_eq!((found.width, found.height, found.shown), (Some(720), Some(576), Some([1047, 576])));
        assert_eq!((found.interlaced, found.bit_depth, found.range), (Some(true), Some(8), Some("limited")));
        assert_eq!((text(&found.chroma), found.matrix), ("4:2:0".into(), Some("bt601")));
        assert_eq!(found.announced_rate, Some(25.0));
    }

    #[test]
    fn the_decoder_tells_what_the_parser_does_not() {
        let decoded = caps("video/x-raw, format=Y42B, width=640, height=360, framerate=0/1, colorimetry=1:4:0:0");
        let found = video(Some(&caps("image/jpeg")), Some(&decoded), Some("rotate-90"));
        assert_eq!(
            (found.codec.as_str(), found.chroma.as_deref(), found.range),
            ("mjpeg", Some("4:2:2"), Some("full"))
        );
        assert_eq!((found.rotation, found.shown, found.announced_rate), (90, Some([360, 640]), None));
    }

    #[test]
    fn other_codings_have_names_too() {
        for (text, wanted) in [
            ("video/mpeg, mpegversion=4", "mpeg4"),
            ("video/x-av1", "av1"),
            ("video/x-theora", "theora"),
            ("image/gif", "gif"),
            ("video/x-gst-libav-gif", "gif"),
        ] {
            assert_eq!(video(Some(&caps(text)), None, None).codec, wanted);
        }
        assert_eq!(video(None, None, None).codec, "raw");
    }
}
