//! WS-Discovery: the question, and what an answer means.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::xml;

/// Longest text that is taken over from a device.
const LONGEST: usize = 256;

/// The question for cameras; `id` is in its answers.
pub(super) fn question(id: Uuid) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:w=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\"><e:Header>\
         <w:MessageID>uuid:{id}</w:MessageID>\
         <w:To e:mustUnderstand=\"true\">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>\
         <w:Action e:mustUnderstand=\"true\">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action>\
         </e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
    )
}

/// What a device says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) endpoint: String,
    pub(super) name: Option<String>,
    pub(super) hardware: Option<String>,
    /// Addresses of its device service.
    pub(super) services: Vec<String>,
}

/// The devices in an answer to the question `id`.
pub(super) fn told(text: &str, id: Uuid) -> Vec<Told> {
    let Some(document) = xml::parse(text) else { return Vec::new() };
    let root = document.root_element();
    // Some write it as urn:uuid:…, or in capitals.
    let ours = xml::text(root, "RelatesTo").is_some_and(|of| of.to_ascii_lowercase().ends_with(&id.to_string()));
    if !ours {
        return Vec::new();
    }
    let matches = root.descendants().filter(|node| node.is_element() && node.tag_name().name() == "ProbeMatch");
    matches
        .filter_map(|found| {
            let endpoint = xml::find(found, "EndpointReference").and_then(|node| xml::text(node, "Address"))?;
            let services = xml::text(found, "XAddrs")?.split_whitespace().map(bounded).collect();
            let scopes = xml::text(found, "Scopes").unwrap_or_default();
            let (name, hardware) = (scope(scopes, "name"), scope(scopes, "hardware"));
            Some(Told { endpoint: bounded(endpoint), name, hardware, services })
        })
        .collect()
}

/// `onvif://www.onvif.org/name/North%20gate` among others.
fn scope(scopes: &str, kind: &str) -> Option<String> {
    let prefix = format!("onvif://www.onvif.org/{kind}/");
    let found = scopes.split_whitespace().find_map(|scope| {
        let fits = scope.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(&prefix));
        fits.then(|| &scope[prefix.len()..])
    })?;
    let text = percent_decode_str(found).decode_utf8_lossy();
    Some(bounded(text.trim())).filter(|text| !text.is_empty())
}

/// A device's text, as long as texts have to be, and without what would move a terminal's cursor.
pub(super) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn answer(id: &str) -> String {
        format!(
            "<SOAP-ENV:Envelope xmlns:SOAP-ENV='http://www.w3.org/2003/05/soap-envelope' xmlns:a='x' xmlns:d='y'>\
             <SOAP-ENV:Header><a:RelatesTo>{id}</a:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches>\
             <d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference>\
             <d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video \
             onvif://www.onvif.org/Name/North%20gate onvif://www.onvif.org/hardware/X1</d:Scopes>\
             <d:XAddrs>http://10.0.0.9/onvif/device_service http://[fe80::1]/onvif/device_service</d:XAddrs>\
             </d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"
        )
    }

    #[test]
    fn an_answer_to_our_question_is_read_and_no_other() {
        for id in [format!("uuid:{ID}"), format!("urn:uuid:{}", ID.to_string().to_uppercase())] {
            let [told] = &told(&answer(&id), ID)[..] else { panic!("{id}") };
            assert_eq!((told.endpoint.as_str(), told.services.len()), ("urn:uuid:1", 2));
            assert_eq!((told.name.as_deref(), told.hardware.as_deref()), (Some("North gate"), Some("X1")));
        }
        assert!(told(&answer(&format!("uuid:{}", Uuid::nil())), ID).is_empty());
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        assert!(xml::parse(bomb).is_none() && told("no xml", ID).is_empty());
    }

    #[test]
    fn the_question_is_xml_and_has_its_id() {
        let text = question(ID);
        let document = xml::parse(&text).unwrap();
        assert_eq!(xml::text(document.root_element(), "MessageID"), Some(format!("uuid:{ID}").as_str()));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(text in ".{0,300}", cut in 0..700usize) {
            told(&text, ID);
            let whole = answer(&format!("uuid:{ID}"));
            told(whole.get(..cut.min(whole.len())).unwrap_or_default(), ID);
        }
    }
}
