//! What a device can send: the questions to its services, and what their answers mean. Pure.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::message::bounded;
use super::xml;
use crate::config::secret::CameraUrl;

/// Profiles that are looked at.
pub(super) const MOST_PROFILES: usize = 16;

/// The device's clock.
pub(super) const CLOCK: Ask = Ask {
    action: "http://www.onvif.org/ver10/device/wsdl/GetSystemDateAndTime",
    body: "<tds:GetSystemDateAndTime xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\"/>",
};
/// Where its Media service is.
pub(super) const CAPABILITIES: Ask = Ask {
    action: "http://www.onvif.org/ver10/device/wsdl/GetCapabilities",
    body: "<tds:GetCapabilities xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\">\
           <tds:Category>Media</tds:Category></tds:GetCapabilities>",
};
/// Its profiles.
pub(super) const PROFILES: Ask = Ask {
    action: "http://www.onvif.org/ver10/media/wsdl/GetProfiles",
    body: "<trt:GetProfiles xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\"/>",
};
/// The action of [`stream_uri`].
pub(super) const STREAM_URI: &str = "http://www.onvif.org/ver10/media/wsdl/GetStreamUri";

/// A question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) action: &'static str,
    pub(super) body: &'static str,
}

/// The question for a profile's stream.
pub(super) fn stream_uri(token: &str) -> String {
    format!(
        "<trt:GetStreamUri xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\" \
         xmlns:tt=\"http://www.onvif.org/ver10/schema\"><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream>\
         <tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup>\
         <trt:ProfileToken>{}</trt:ProfileToken></trt:GetStreamUri>",
        escaped(token)
    )
}

/// Text that may stand in XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a device can send in one go
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DiscoveredProfile")]
pub(crate) struct Profile {
    /// The device's own name for it
    pub(crate) token: String,
    /// For people
    pub(crate) name: Option<String>,
    /// Such as H264
    pub(crate) encoding: Option<String>,
    /// Pixels
    pub(crate) width: Option<u32>,
    /// Pixels
    pub(crate) height: Option<u32>,
    /// Pictures per second
    pub(crate) fps: Option<f64>,
    /// Thousand bits per second, at most
    pub(crate) bitrate_kbps: Option<u32>,
    /// Address of the stream, without user name and password
    pub(crate) url: Option<String>,
}

/// Path and query of the Media service; `None`: it is not told.
pub(super) fn media_service(answer: &str) -> Option<String> {
    let document = xml::parse(answer)?;
    let media = xml::find(document.root_element(), "Media")?;
    xml::text(media, "XAddr").map(str::to_owned)
}

/// Seconds by which the device's clock is ahead of `now` (since the Unix epoch).
pub(super) fn ahead(answer: &str, now: Duration) -> Option<i64> {
    let document = xml::parse(answer)?;
    let utc = xml::find(document.root_element(), "UTCDateTime")?;
    let part = |name: &str| xml::number::<i16>(utc, name);
    let small = |name: &str| part(name).and_then(|value| i8::try_from(value).ok());
    let (date, time) = (
        jiff::civil::Date::new(part("Year")?, small("Month")?, small("Day")?).ok()?,
        jiff::civil::Time::new(small("Hour")?, small("Minute")?, small("Second")?, 0).ok()?,
    );
    let told = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?.as_second();
    Some(told - i64::try_from(now.as_secs()).ok()?)
}

/// The profiles with pictures in an answer.
pub(super) fn profiles(answer: &str) -> Vec<Profile> {
    let Some(document) = xml::parse(answer) else { return Vec::new() };
    let root = document.root_element();
    let found = root.descendants().filter(|node| node.is_element() && node.tag_name().name() == "Profiles");
    found
        .filter_map(|profile| {
            let token = bounded(profile.attribute("token")?);
            let coding = xml::find(profile, "VideoEncoderConfiguration")?;
            let size = xml::find(coding, "Resolution");
            let rate = xml::find(coding, "RateControl");
            let name = profile.children().find(|node| node.tag_name().name() == "Name").and_then(|node| node.text());
            Some(Profile {
                token,
                name: name.map(|name| bounded(name.trim())),
                encoding: xml::text(coding, "Encoding").map(bounded),
                width: size.and_then(|size| xml::number(size, "Width")),
                height: size.and_then(|size| xml::number(size, "Height")),
                fps: rate.and_then(|rate| xml::number(rate, "FrameRateLimit")).filter(|fps: &f64| fps.is_finite()),
                bitrate_kbps: rate.and_then(|rate| xml::number(rate, "BitrateLimit")),
                url: None,
            })
        })
        .take(MOST_PROFILES)
        .collect()
}

/// The stream's address in an answer, without a login; `None`: there is none that a camera could have.
pub(super) fn stream(answer: &str) -> Option<String> {
    let document = xml::parse(answer)?;
    let mut url = url::Url::parse(xml::text(document.root_element(), "Uri")?).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    // Whatever a camera's address may not be is refused there.
    let url = CameraUrl::parse(url.as_str()).ok()?;
    // Some put the password where everybody reads it.
    let shown = if url.has_secret_looks() { url.to_string() } else { url.expose().to_owned() };
    Some(bounded(&shown))
}

/// Why a service refuses; `None`: it does not say.
pub(super) fn fault(answer: &str) -> Option<String> {
    let document = xml::parse(answer)?;
    let fault = xml::find(document.root_element(), "Fault")?;
    let text = xml::find(fault, "Reason").and_then(|reason| xml::text(reason, "Text"));
    Some(bounded(text.or_else(|| xml::text(fault, "faultstring")).unwrap_or("a fault without a reason")))
}

/// The greatest picture first.
pub(super) fn order(profiles: &mut [Profile]) {
    profiles.sort_by_key(|profile| std::cmp::Reverse(pixels(profile)));
}

/// The greatest and the smallest picture of profiles that have a stream, in order.
pub(super) fn main_and_sub(profiles: &[Profile]) -> (Option<String>, Option<String>) {
    let fit: Vec<&Profile> = profiles.iter().filter(|profile| profile.url.is_some()).collect();
    let token = |profile: &&Profile| profile.token.clone();
    let smaller = fit.last().filter(|last| pixels(last) < fit.first().map_or(0, |first| pixels(first)));
    (fit.first().map(token), smaller.map(token))
}

fn pixels(profile: &Profile) -> u64 {
    u64::from(profile.width.unwrap_or(0)) * u64::from(profile.height.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: &str = "<e:Envelope xmlns:e='e' xmlns:t='t' xmlns:s='s'><e:Body><t:GetProfilesResponse>\
        <t:Profiles token='p&amp;1' fixed='true'><s:Name>main</s:Name><s:VideoEncoderConfiguration token='v'>\
        <s:Name>x</s:Name><s:Encoding>H264</s:Encoding><s:Resolution><s:Width>1920</s:Width><s:Height>1080</s:Height>\
        </s:Resolution><s:RateControl><s:FrameRateLimit>25</s:FrameRateLimit><s:BitrateLimit>4096</s:BitrateLimit>\
        </s:RateControl></s:VideoEncoderConfiguration></t:Profiles><t:Profiles token='p2'><s:Name>sub</s:Name>\
        <s:VideoEncoderConfiguration><s:Encoding>H264</s:Encoding><s:Resolution><s:Width>640</s:Width>\
        <s:Height>360</s:Height></s:Resolution></s:VideoEncoderConfiguration></t:Profiles>\
        <t:Profiles token='sound'><s:Name>sound</s:Name></t:Profiles></t:GetProfilesResponse></e:Body></e:Envelope>";

    fn uri(text: &str) -> Option<String> {
        stream(&format!("<a><MediaUri><Uri>{}</Uri></MediaUri></a>", escaped(text)))
    }

    #[test]
    fn profiles_are_read_and_the_greatest_and_the_smallest_chosen() {
        let mut found = profiles(TWO);
        assert_eq!(found.len(), 2, "one without pictures is none");
        let first = &found[0];
        assert_eq!((first.token.as_str(), first.name.as_deref()), ("p&1", Some("main")));
        assert_eq!((first.width, first.fps, first.bitrate_kbps), (Some(1920), Some(25.0), Some(4096)));
        assert_eq!((found[1].width, found[1].fps), (Some(640), None));
        assert!(stream_uri(&first.token).contains(">p&amp;1<"));
        found.iter_mut().for_each(|profile| profile.url = Some("rtsp://a/b".into()));
        found.reverse();
        order(&mut found);
        assert_eq!(main_and_sub(&found), (Some("p&1".into()), Some("p2".into())));
        assert_eq!(main_and_sub(&found[..1]), (Some("p&1".into()), None), "one stream is no sub stream of itself");
        assert_eq!(main_and_sub(&[]), (None, None));
    }

    #[test]
    fn addresses_of_streams_carry_no_login() {
        let plain = "rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0";
        assert_eq!(uri(plain).unwrap(), plain);
        assert_eq!(uri("rtsp://ops:hunter2@10.0.0.9/a").unwrap(), "rtsp://10.0.0.9/a");
        let hidden = uri("rtsp://10.0.0.9/user=ops_password=hunter2_channel=1").unwrap();
        assert!(!hidden.contains("hunter2"), "{hidden}");
        let hidden = uri("rtsp://10.0.0.9/a?user=ops&password=hunter2").unwrap();
        assert!(!hidden.contains("hunter2"), "{hidden}");
        assert_eq!(uri("ftp://10.0.0.9/a"), None);
        assert_eq!(uri("file:///etc/passwd"), None, "no file of this machine is a camera's stream");
    }

    #[test]
    fn clocks_faults_and_services_are_read() {
        let clock = "<a><UTCDateTime><Time><Hour>8</Hour><Minute>0</Minute><Second>5</Second></Time><Date>\
                     <Year>2026</Year><Month>11</Month><Day>24</Day></Date></UTCDateTime></a>";
        assert_eq!(ahead(clock, Duration::from_secs(1_795_507_200)), Some(5));
        assert_eq!(ahead(&clock.replace("2026", "99999"), Duration::ZERO), None);
        let reason = "<a><Fault><Reason><Text>Sender not Authorized</Text></Reason></Fault></a>";
        assert_eq!(fault(reason).as_deref(), Some("Sender not Authorized"));
        assert_eq!(fault("<a/>"), None);
        let services = "<a><Capabilities><Media><XAddr>http://10.0.0.9/onvif/media</XAddr></Media></Capabilities></a>";
        assert_eq!(media_service(services).as_deref(), Some("http://10.0.0.9/onvif/media"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(cut in 0..1200usize, text in ".{0,200}") {
            for text in [TWO.get(..cut.min(TWO.len())).unwrap_or_default(), text.as_str()] {
                profiles(text);
                stream(text);
                ahead(text, Duration::ZERO);
                fault(text);
                media_service(text);
            }
        }
    }
}
