//! The header `Transport` of SETUP: how packets are to travel, and what the camera made of it.

/// How the packets of the stream travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In the RTSP connection, on these channels.
    Interleaved { rtp: u8, rtcp: u8 },
    /// By UDP, from these ports of the camera; 0: it did not say.
    Udp { rtp: u16, rtcp: u16 },
}

/// What is asked for.
pub(super) fn ask(ports: Option<(u16, u16)>) -> String {
    match ports {
        None => "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned(),
        Some((rtp, rtcp)) => format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}"),
    }
}

/// What was agreed on. A camera that answers without channels uses those that were asked for; one that answers
/// with the other way of travelling has the last word. `udp`: what was asked for.
pub(super) fn agreed(answer: Option<&str>, udp: bool) -> Way {
    let first = answer.unwrap_or_default().split(',').next().unwrap_or_default();
    let mut fields = first.split(';').map(str::trim);
    let profile = fields.next().unwrap_or_default().to_ascii_uppercase();
    let value = |name: &str| {
        first.split(';').map(str::trim).find_map(|field| {
            let (key, value) = field.split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    let channels = value("interleaved").and_then(pair);
    if profile.ends_with("/TCP") || channels.is_some() || !udp {
        let (rtp, rtcp) = channels.unwrap_or((0, 1));
        let small = |channel: u16| u8::try_from(channel).ok();
        let (rtp, rtcp) = small(rtp).zip(small(rtcp)).unwrap_or((0, 1));
        return Way::Interleaved { rtp, rtcp };
    }
    let (rtp, rtcp) = value("server_port").and_then(pair).unwrap_or((0, 0));
    Way::Udp { rtp, rtcp }
}

/// `4-5`, or `4` alone for `4-5`.
fn pair(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.splitn(2, '-').map(|number| number.trim().parse::<u16>().ok());
    let first = numbers.next()??;
    Some((first, numbers.next().flatten().unwrap_or(first.wrapping_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_has_the_last_word() {
        let tcp = |text| agreed(Some(text), false);
        assert_eq!(tcp("RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=1234ABCD"), Way::Interleaved { rtp: 4, rtcp: 5 });
        assert_eq!(tcp("RTP/AVP/TCP;unicast"), Way::Interleaved { rtp: 0, rtcp: 1 });
        assert_eq!(tcp("RTP/AVP/TCP;unicast; Interleaved = 2"), Way::Interleaved { rtp: 0, rtcp: 1 });
        assert_eq!(tcp("RTP/AVP/TCP;unicast;interleaved=2"), Way::Interleaved { rtp: 2, rtcp: 3 });
        assert_eq!(tcp("RTP/AVP/TCP;unicast;interleaved=700-701"), Way::Interleaved { rtp: 0, rtcp: 1 });
        assert_eq!(agreed(None, false), Way::Interleaved { rtp: 0, rtcp: 1 });
        let udp = |text| agreed(Some(text), true);
        assert_eq!(udp("RTP/AVP;unicast;client_port=9-10;server_port=6970-6971"), Way::Udp { rtp: 6970, rtcp: 6971 });
        assert_eq!(udp("RTP/AVP/UDP;unicast;client_port=9-10"), Way::Udp { rtp: 0, rtcp: 0 });
        assert_eq!(udp("RTP/AVP/TCP;unicast;interleaved=0-1"), Way::Interleaved { rtp: 0, rtcp: 1 });
    }

    #[test]
    fn what_is_asked_for() {
        assert_eq!(ask(None), "RTP/AVP/TCP;unicast;interleaved=0-1");
        assert_eq!(ask(Some((5000, 5001))), "RTP/AVP;unicast;client_port=5000-5001");
    }
}
