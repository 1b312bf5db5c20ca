//! HTTP POST, one event per request, signed as the Standard Webhooks have it: the key, HMAC-SHA256 over
//! `webhook-id.webhook-timestamp.body`, in Base64 (<https://www.standardwebhooks.com>). Receivers find libraries for it
//! in every language; the time in the signature keeps others from sending a recorded request again.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::Sha256;

use super::{Progress, Sink, Trouble};
use crate::clock::Clock;
use crate::config::plan::{Remote, WebhookPlan};
use crate::config::secret::signing_key;
use crate::events::spool::Record;
use crate::tls;

/// An answer's body is read so far, so that the connection can be used again.
const MOST_BODY: usize = 64 * 1024;
/// A server's wish to be left alone is granted up to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Connections are closed after so long without use.
const IDLE: Duration = Duration::from_secs(30);

/// The sink.
pub(super) struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    clock: Clock,
    timeout: Duration,
    login: Option<HeaderValue>,
    key: Option<Vec<u8>>,
}

impl Webhook {
    pub(super) fn new(plan: &WebhookPlan, clock: Clock) -> anyhow::Result<Self> {
        let Remote { url, credentials, timeout, ca_file } = &plan.remote;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(*timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        let login = credentials.as_ref().map(|login| {
            let encoded = BASE64_STANDARD.encode(format!("{}:{}", login.username, login.password.expose()));
            HeaderValue::from_str(&format!("Basic {encoded}")).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        // Neither error repeats the URL.
        let uri = url.expose().parse().map_err(|_| anyhow::anyhow!("the url cannot be used for HTTP"))?;
        let login = login.transpose().context("login")?;
        let key = plan.secret.as_ref().and_then(|secret| signing_key(secret.expose()));
        Ok(Self { client, uri, clock, timeout: *timeout, login, key })
    }

    fn request(&self, record: &Record, now: SystemTime) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("maskwatch/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &record.id)
            .header("webhook-timestamp", seconds);
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, login);
        }
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", sign(key, &record.id, seconds, &record.json));
        }
        request.body(Full::new(record.json.clone()))
    }

    async fn post(&self, record: &Record) -> Result<(StatusCode, HeaderMap), Trouble> {
        let request = self.request(record, self.clock.wall());
        let request = request.map_err(|error| Trouble::new(error.to_string(), "check the url"))?;
        let exchange = async {
            let response: Response<_> = self.client.request(request).await.map_err(|error| unreachable(&error))?;
            let (head, body) = response.into_parts();
            // Read, so that the connection can be used again; what it says does not matter.
            let _ = Limited::new(body, MOST_BODY).collect().await;
            Ok((head.status, head.headers))
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| Err(Trouble::silence(self.timeout)))
    }
}

impl Sink for Webhook {
    async fn deliver(&mut self, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        for record in records {
            let (status, headers) = self.post(record).await?;
            match verdict(status) {
                Verdict::Taken => progress.delivered(record),
                Verdict::Refused(why) => progress.rejected(record, &format!("HTTP {status}, {why}")),
                Verdict::Later(hint) => {
                    let retry_after = retry_after(&headers, self.clock.wall());
                    return Err(Trouble { retry_after, ..Trouble::new(format!("HTTP {status}"), hint) });
                }
            }
        }
        Ok(())
    }
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    /// The receiver is out of order, or its address or its login; the event is not at fault. What to do about it.
    Later(&'static str),
    /// This event will never be taken.
    Refused(&'static str),
}

/// Only what speaks of the event itself gives it up. Whatever else a server says, a proxy before it or a login page:
/// somebody mends it, and the event is there then.
fn verdict(status: StatusCode) -> Verdict {
    match status {
        _ if status.is_success() => Verdict::Taken,
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Verdict::Refused("the server does not understand this event")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::Refused("it is too large for the server"),
        _ if status.is_redirection() => Verdict::Later("redirects are not followed: name the final address as `url`"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Later("check `secret`, `username` and `password`"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => Verdict::Later("check `url`"),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Verdict::Later("a proxy before the server wants a login"),
        _ if status.is_client_error() => Verdict::Later("does `url` name the receiver of the events?"),
        _ => Verdict::Later("see the server's log"),
    }
}

/// When the server wants to be tried again: seconds, or a date by the server's own clock, which is told beside it.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let wish = text(RETRY_AFTER)?;
    let pause = match wish.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = text(DATE).and_then(date).unwrap_or(now);
            date(wish)?.duration_since(now).unwrap_or_default()
        }
    };
    Some(pause.clamp(Duration::from_millis(500), LONGEST_PAUSE))
}

/// The causes, innermost last, without the address.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Trouble {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    Trouble::new(cause, "is the server up and the url right?")
}

fn sign(key: &[u8], id: &str, seconds: u64, body: &[u8]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the Standard Webhooks' specification.
        let key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn answers_are_told_apart() {
        let of = |code: u16| verdict(StatusCode::from_u16(code).unwrap());
        let given_up = [400, 413, 415, 422];
        for code in 200..600 {
            let verdict = of(code);
            assert_eq!(verdict == Verdict::Taken, code < 300, "{code}");
            assert_eq!(matches!(verdict, Verdict::Refused(_)), given_up.contains(&code), "{code}: {verdict:?}");
        }
        let hint = |code: u16| match of(code) {
            Verdict::Later(hint) => hint,
            other => panic!("{code}: {other:?}"),
        };
        assert!(hint(301).contains("final address") && hint(401).contains("secret") && hint(404).contains("url"));
    }

    #[test]
    fn the_servers_wish_is_seconds_or_a_date_and_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wish = |text: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
        };
        assert_eq!(wish("7"), Some(Duration::from_secs(7)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(wish("999999999"), Some(LONGEST_PAUSE));
        assert_eq!(wish("soon"), None);
        // Whichever of the two clocks is wrong.
        let both = [(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:47 GMT"), (DATE, "Sun, 06 Nov 1994 08:49:40 GMT")];
        let headers = both.into_iter().map(|(name, text)| (name, HeaderValue::from_static(text))).collect();
        assert_eq!(retry_after(&headers, SystemTime::UNIX_EPOCH), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
