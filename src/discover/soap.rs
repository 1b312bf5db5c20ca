//! Questions to one device, by HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_auth::{PasswordClient, PasswordParams};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sha1::{Digest, Sha1};
use tracing_mutex::parking_lot::Mutex;
use url::Url;

use super::media::{self, Ask, Profile};
use super::search::Answer;
use crate::config::plan::Credentials;
use crate::reach::{Barred, Reach};

/// How long a connection may take to come about, and an answer to come.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(4);
/// Longest answer.
const MOST_BODY: usize = 512 * 1024;
const AGENT: &str = concat!("maskwatch/", env!("CARGO_PKG_VERSION"));

/// Why a device does not tell what it sends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It must not be asked.
    #[error("{0}")]
    Barred(#[from] Barred),
    /// It names no address of a service by HTTP.
    #[error("it names no service that is reached by http")]
    NoService,
    /// It asks for a password.
    #[error("it wants a login (POST it as username and password)")]
    Login,
    /// It has refused the password.
    #[error("it refuses the login")]
    Refused,
    /// Nothing comes.
    #[error("it does not answer in time")]
    Mute,
    /// No connection, or no HTTP.
    #[error("it cannot be asked: {0}")]
    Http(String),
    /// The service says no.
    #[error("it says: {0}")]
    Fault(String),
}

/// A device that is asked.
pub(super) struct Device<'a> {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Its device service, at the address that it answered from.
    service: Url,
    login: Option<&'a Credentials>,
    /// After its first challenge.
    challenge: Mutex<Option<PasswordClient>>,
}

impl<'a> Device<'a> {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// It must not or cannot be asked.
    pub(super) fn new(answer: &Answer, login: Option<&'a Credentials>, reach: &Reach) -> Result<Self, Refusal> {
        let by_http = |text: &String| Url::parse(text).ok().filter(|url| url.scheme() == "http");
        let services: Vec<Url> = answer.told.services.iter().filter_map(by_http).collect();
        // Devices with several addresses tell all of them.
        let own = |url: &&Url| url.host_str().is_some_and(|host| host.parse() == Ok(answer.from));
        let service = services.iter().find(own).or(services.first()).ok_or(Refusal::NoService)?;
        let service = at(answer.from, service).ok_or(Refusal::NoService)?;
        reach.check(SocketAddr::new(answer.from, service.port_or_known_default().unwrap_or(80)))?;
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(http);
        Ok(Self { client, service, login, challenge: Mutex::default() })
    }

    /// What it can send, with addresses as far as it tells them.
    pub(super) async fn profiles(&self) -> Result<Vec<Profile>, Refusal> {
        // A login holds for the device's time, not for ours.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = self.ask(&self.service, media::CLOCK.action, media::CLOCK.body, None).await;
        let ahead = clock.ok().and_then(|answer| media::ahead(&answer, now)).unwrap_or(0);
        let say = |service: &Url, Ask { action, body }: Ask| {
            let service = service.clone();
            async move { self.ask(&service, action, body, Some(ahead)).await }
        };
        let told = say(&self.service, media::CAPABILITIES).await?;
        let told = media::media_service(&told).and_then(|url| Url::parse(&url).ok());
        // Behind a translated address it names one that leads nowhere; some name none.
        let mut service = self.service.clone();
        if let Some(told) = told {
            service.set_path(told.path());
            service.set_query(told.query());
        }
        let mut profiles = media::profiles(&say(&service, media::PROFILES).await?);
        for profile in &mut profiles {
            let body = media::stream_uri(&profile.token);
            // One profile without a stream does not hide the others.
            let answer = self.ask(&service, media::STREAM_URI, &body, Some(ahead)).await;
            profile.url = answer.ok().and_then(|answer| media::stream(&answer));
        }
        Ok(profiles)
    }

    /// Asks once, and again with a proof of the password where that is asked for by HTTP. `ahead`: seconds by which the
    /// device's clock is ahead; `None`: without a login.
    async fn ask(&self, service: &Url, action: &str, body: &str, ahead: Option<i64>) -> Result<String, Refusal> {
        let login = self.login.filter(|_| ahead.is_some());
        let envelope = envelope(body, login.map(|login| token(login, ahead.unwrap_or(0))).as_deref());
        for attempt in 0..2 {
            let proof = login.and_then(|login| self.proof(service, login));
            let response = self.send(service, action, &envelope, proof).await?;
            let status = response.status();
            let asks = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
            let challenge = asks.and_then(|text| PasswordClient::try_from(text).ok());
            // The password itself is not for whoever answers on a network.
            let challenge = challenge.filter(|challenge| matches!(challenge, PasswordClient::Digest(_)));
            let text = text(response).await?;
            match (status, login, challenge) {
                (StatusCode::OK, ..) => return Ok(text),
                (StatusCode::UNAUTHORIZED, Some(_), Some(challenge)) if attempt == 0 => {
                    *self.challenge.lock() = Some(challenge);
                }
                (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, login, _) => return Err(refused(login)),
                _ => return Err(fault(&text, status, login)),
            }
        }
        Err(refused(login))
    }

    fn proof(&self, service: &Url, login: &Credentials) -> Option<HeaderValue> {
        let uri = service.query().map_or(service.path().to_owned(), |query| format!("{}?{query}", service.path()));
        let (username, password) = (login.username.as_str(), login.password.expose());
        let params = PasswordParams { username, password, uri: &uri, method: "POST", body: None };
        let mut challenge = self.challenge.lock();
        let mut value = HeaderValue::from_str(&challenge.as_mut()?.respond(&params).ok()?).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    async fn send(
        &self,
        service: &Url,
        action: &str,
        envelope: &str,
        proof: Option<HeaderValue>,
    ) -> Result<Response<hyper::body::Incoming>, Refusal> {
        let mut request = Request::post(service.as_str())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, format!("application/soap+xml; charset=utf-8; action=\"{action}\""));
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        let request = request.body(Full::from(envelope.to_owned())).map_err(|_| Refusal::NoService)?;
        let answer = tokio::time::timeout(ANSWER, self.client.request(request)).await.map_err(|_| Refusal::Mute)?;
        answer.map_err(|error| Refusal::Http(innermost(&error)))
    }
}

async fn text(response: Response<hyper::body::Incoming>) -> Result<String, Refusal> {
    let body = tokio::time::timeout(ANSWER, Limited::new(response.into_body(), MOST_BODY).collect()).await;
    let body = body.map_err(|_| Refusal::Mute)?.map_err(|error| Refusal::Http(error.to_string()))?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

/// What it was all about.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn refused(login: Option<&Credentials>) -> Refusal {
    if login.is_some() { Refusal::Refused } else { Refusal::Login }
}

fn fault(answer: &str, status: StatusCode, login: Option<&Credentials>) -> Refusal {
    match media::fault(answer) {
        // Devices say so in a fault as often as by the status.
        Some(_) if ["NotAuthorized", "FailedAuthentication"].iter().any(|code| answer.contains(code)) => refused(login),
        Some(text) => Refusal::Fault(text),
        None => Refusal::Fault(format!("HTTP {}", status.as_u16())),
    }
}

/// The service at the address that the device has for us.
fn at(address: IpAddr, service: &Url) -> Option<Url> {
    let mut url = service.clone();
    url.set_ip_host(address).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_fragment(None);
    Some(url)
}

fn envelope(body: &str, security: Option<&str>) -> String {
    let header = security.map(|token| format!("<s:Header>{token}</s:Header>")).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">{header}<s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// WS-Security's UsernameToken: a proof of the password for this moment of the device's.
fn token(login: &Credentials, ahead: i64) -> String {
    let now = jiff::Timestamp::now().as_second().saturating_add(ahead);
    let created = jiff::Timestamp::from_second(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
    token_of(login, &created, &rand::random())
}

fn token_of(login: &Credentials, created: &str, nonce: &[u8; 16]) -> String {
    const WSS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";
    let proof = Sha1::new().chain_update(nonce).chain_update(created).chain_update(login.password.expose()).finalize();
    let (proof, nonce) = (BASE64_STANDARD.encode(proof), BASE64_STANDARD.encode(nonce));
    let username = media::escaped(&login.username);
    format!(
        "<w:Security xmlns:w=\"{WSS}-wssecurity-secext-1.0.xsd\" xmlns:u=\"{WSS}-wssecurity-utility-1.0.xsd\" \
         s:mustUnderstand=\"true\"><w:UsernameToken><w:Username>{username}</w:Username>\
         <w:Password Type=\"{WSS}-username-token-profile-1.0#PasswordDigest\">{proof}</w:Password>\
         <w:Nonce EncodingType=\"{WSS}-soap-message-security-1.0#Base64Binary\">{nonce}</w:Nonce>\
         <u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;
    use crate::discover::message::Told;

    #[test]
    fn the_proof_is_that_of_the_standard_and_holds_no_password() {
        // The example of ONVIF's application programmer's guide.
        let login = Credentials { username: "user".into(), password: Secret::new("userpassword") };
        let nonce: [u8; 16] = BASE64_STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap().try_into().unwrap();
        let token = token_of(&login, "2010-09-16T07:50:45Z", &nonce);
        assert!(token.contains(">tuOSpGlFlIXsozq4HFNeeGeFLEI=<") && !token.contains("userpassword"), "{token}");
        assert!(crate::discover::xml::parse(&envelope("<a/>", Some(&token))).is_some());
    }

    #[test]
    fn a_device_is_asked_at_the_address_that_it_answered_from() {
        let from: IpAddr = "10.0.0.9".parse().unwrap();
        let told = |services: &[&str]| Told {
            services: services.iter().map(|text| (*text).to_owned()).collect(),
            ..Told::default()
        };
        let service = |services: &[&str], reach: &Reach| {
            let answer = Answer { from, told: told(services) };
            Device::new(&answer, None, reach)
                .map(|device| device.service.to_string())
                .map_err(|error| error.to_string())
        };
        let anywhere = Reach::Anywhere;
        for (services, wanted) in [
            (&["http://169.254.1.1/onvif", "http://10.0.0.9:8000/onvif/x"][..], "http://10.0.0.9:8000/onvif/x"),
            (&["http://192.168.1.64/onvif/device_service"], "http://10.0.0.9/onvif/device_service"),
            (&["http://ops:pw@127.0.0.1:8080/onvif#x"], "http://10.0.0.9:8080/onvif"),
        ] {
            assert_eq!(service(services, &anywhere).as_deref(), Ok(wanted));
        }
        assert!(service(&["https://10.0.0.9/onvif"], &anywhere).unwrap_err().contains("http"));
        let elsewhere = ["10.1.0.0/16".parse().unwrap()];
        let bounded = Reach::Bounded { networks: Some(elsewhere.into()), own_ports: [].into() };
        assert!(service(&["http://10.0.0.9/onvif"], &bounded).unwrap_err().contains("network.cameras"));
    }
}
