//! What a camera offers (its answer to DESCRIBE), and which of it is taken.

use gst_sdp::{SDPMediaRef, SDPMessage};
use url::Url;

use super::wire::Headers;

/// The stream that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Where SETUP goes.
    pub(super) control: Url,
    /// Where PLAY and TEARDOWN go.
    pub(super) session: Url,
    /// What its packets are, for the depacketiser.
    pub(super) caps: gst::Caps,
    /// Payload type of its packets.
    pub(super) payload: u8,
    /// Its clock's ticks per second.
    pub(super) clock_rate: u32,
    /// Pictures per second, as announced. Cameras often announce what is not true.
    pub(super) rate: Option<f64>,
    /// What else was offered and is not taken: `audio`, `application`, `video`.
    pub(super) besides: Vec<String>,
}

/// Why nothing of it can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// No SDP.
    #[error("its description of the stream cannot be read")]
    Unreadable,
    /// No video in it.
    #[error("it offers no video{}", if .0.is_empty() { String::new() } else { format!(", only {}", .0.join(" and ")) })]
    NoVideo(Vec<String>),
    /// A coding for which there is no depacketiser.
    #[error("it sends {0}, which is not decoded here")]
    Coding(String),
}

impl Offer {
    /// Reads the answer to a DESCRIBE of `asked`. The first video stream is taken: cameras list the main one first.
    pub(super) fn read(asked: &Url, headers: &Headers, body: &[u8]) -> Result<Self, Unfit> {
        let sdp = SDPMessage::parse_buffer(body).map_err(|_| Unfit::Unreadable)?;
        let base = base(asked, headers);
        let mut besides = Vec::new();
        let mut taken = None;
        for media in sdp.medias() {
            let kind = media.media().unwrap_or("?").to_owned();
            match video(media).filter(|_| taken.is_none() && kind == "video") {
                Some(found) => taken = Some((media, found)),
                None => besides.push(kind),
            }
        }
        let Some((media, (payload, caps))) = taken else { return Err(Unfit::NoVideo(besides)) };
        let structure = caps.structure(0);
        if !depacketised(&caps) {
            let coding = structure.and_then(|structure| structure.get::<String>("encoding-name").ok());
            return Err(Unfit::Coding(coding.unwrap_or_default()));
        }
        let clock_rate = structure.and_then(|structure| structure.get::<i32>("clock-rate").ok()).unwrap_or(90_000);
        let rate = media.attribute_val("framerate").and_then(|rate| rate.trim().parse::<f64>().ok());
        Ok(Self {
            control: resolve(&base, media.attribute_val("control")),
            session: resolve(&base, sdp.attribute_val("control")),
            payload,
            clock_rate: u32::try_from(clock_rate).unwrap_or(90_000).max(1),
            rate: rate.filter(|rate| (0.01..=1000.0).contains(rate)),
            caps,
            besides,
        })
    }

    /// Name of the coding, such as `H264`.
    pub(super) fn coding(&self) -> String {
        let structure = self.caps.structure(0);
        structure.and_then(|structure| structure.get::<String>("encoding-name").ok()).unwrap_or_default()
    }
}

/// The first payload type that is a coding known to GStreamer's description of RTP.
fn video(media: &SDPMediaRef) -> Option<(u8, gst::Caps)> {
    (0..media.formats_len()).find_map(|index| {
        let payload: u8 = media.format(index)?.parse().ok()?;
        let mut caps = media.caps_from_media(i32::from(payload))?;
        let structure = caps.make_mut().structure_mut(0)?;
        // The depacketiser is found by this name.
        structure.set_name("application/x-rtp");
        structure.has_field("encoding-name").then_some(())?;
        // Sizes and rates that cameras announce here need not be those of the stream.
        for hint in ["a-framerate", "a-framesize", "a-x-dimensions", "framerate", "x-dimensions"] {
            structure.remove_field(hint);
        }
        Some((payload, caps))
    })
}

/// Whether GStreamer has an element that takes such packets apart.
fn depacketised(caps: &gst::Caps) -> bool {
    let known = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DEPAYLOADER, gst::Rank::MARGINAL);
    known.iter().any(|factory| factory.can_sink_any_caps(caps))
}

/// What addresses in the description are relative to. A camera behind a translated address names one that only it
/// knows: its host is never taken over.
fn base(asked: &Url, headers: &Headers) -> Url {
    let named = ["content-base", "content-location"].into_iter().find_map(|name| headers.get(name));
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return asked.clone() };
    let Ok(mut base) = asked.join(named) else { return asked.clone() };
    if base.scheme() != asked.scheme()
        || base.set_host(asked.host_str()).is_err()
        || base.set_port(asked.port()).is_err()
    {
        return asked.clone();
    }
    base
}

/// A control address as cameras write them: whole, relative, `*` for the base itself, or absent. A relative one is hung
/// on the base with a slash, whatever stands at its end, as live555 and ffmpeg do.
fn resolve(base: &Url, control: Option<&str>) -> Url {
    let control = control.map(str::trim).filter(|control| !control.is_empty() && *control != "*");
    let Some(control) = control else { return base.clone() };
    if let Ok(whole) = Url::parse(control)
        && whole.has_host()
    {
        let mut own = whole;
        let moved = own.set_host(base.host_str()).is_ok() && own.set_port(base.port()).is_ok();
        return if moved { own } else { base.clone() };
    }
    let text = base.as_str();
    let joined = if control.starts_with('/') {
        base.join(control).map(Url::into)
    } else if text.ends_with('/') {
        Ok(format!("{text}{control}"))
    } else {
        Ok(format!("{text}/{control}"))
    };
    joined.ok().and_then(|text: String| Url::parse(&text).ok()).unwrap_or_else(|| base.clone())
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Item, Wire};
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\na=control:*\r\n\
        m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:trackID=1\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n\
        a=framerate:15.0\r\na=x-dimensions:3840,2160\r\na=control:trackID=2\r\n\
        m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=3\r\n";

    fn read(asked: &str, head: &str, sdp: &str) -> Result<Offer, Unfit> {
        gst::init().unwrap();
        let mut wire = Wire::default();
        wire.feed(format!("RTSP/1.0 200 OK\r\n{head}\r\n").as_bytes());
        let Ok(Some(Item::Answer(answer))) = wire.next() else { panic!("an answer") };
        Offer::read(&Url::parse(asked).unwrap(), &answer.headers, sdp.as_bytes())
    }

    #[test]
    fn the_first_video_is_taken() {
        let offer = read("rtsp://cam/live", "Content-Base: rtsp://cam/live/\r\n", SDP).unwrap();
        assert_eq!(offer.control.as_str(), "rtsp://cam/live/trackID=2");
        assert_eq!(offer.session.as_str(), "rtsp://cam/live/");
        assert_eq!((offer.payload, offer.clock_rate, offer.rate), (96, 90_000, Some(15.0)));
        assert_eq!(
            (offer.coding().as_str(), &offer.besides[..]),
            ("H264", &["audio".to_owned(), "application".into()][..])
        );
        assert!(!offer.caps.to_string().contains("3840"), "{}", offer.caps);
    }

    #[test]
    fn control_addresses_are_found_however_the_base_is_written() {
        let control = |head: &str| read("rtsp://cam:8554/live", head, SDP).unwrap().control.to_string();
        for head in [
            "",
            "Content-Base: \r\n",
            "Content-Base: rtsp://cam:8554/live\r\n",
            "Content-Base: rtsp://cam:8554/live/\r\n",
            "Content-Base: rtsp://192.168.1.108:554/live/\r\n",
            "Content-Base: /live/\r\n",
            "Content-Location: rtsp://cam:8554/live/\r\n",
        ] {
            assert_eq!(control(head), "rtsp://cam:8554/live/trackID=2", "{head:?}");
        }
    }

    #[test]
    fn whole_absent_and_query_controls() {
        let with = |control: &str| {
            let sdp = SDP.replace("a=control:trackID=2\r\n", control);
            read("rtsp://cam/live?ch=1&sub=0", "", &sdp).unwrap().control.to_string()
        };
        assert_eq!(with("a=control:rtsp://10.0.0.9/live/trackID=2?ch=1\r\n"), "rtsp://cam/live/trackID=2?ch=1");
        assert_eq!(with(""), "rtsp://cam/live?ch=1&sub=0");
        assert_eq!(with("a=control:*\r\n"), "rtsp://cam/live?ch=1&sub=0");
        assert_eq!(with("a=control:trackID=2\r\n"), "rtsp://cam/live?ch=1&sub=0/trackID=2", "as live555 and ffmpeg do");
    }

    #[test]
    fn without_video_the_camera_is_told_so() {
        let cut = SDP.replace("m=video", "m=text");
        assert_eq!(
            read("rtsp://cam/", "", &cut).unwrap_err().to_string(),
            "it offers no video, only audio and text and application"
        );
        assert_eq!(read("rtsp://cam/", "", "hello").unwrap_err(), Unfit::NoVideo(Vec::new()));
        let odd = SDP.replace("H264/90000", "X-ACME/90000");
        assert_eq!(
            read("rtsp://cam/", "", &odd).unwrap_err().to_string(),
            "it sends X-ACME, which is not decoded here"
        );
    }
}
