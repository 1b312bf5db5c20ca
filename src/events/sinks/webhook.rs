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
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::Sha256;

use super::{Progress, Sink, Trouble};
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
    timeout: Duration,
    login: Option<HeaderValue>,
    key: Option<Vec<u8>>,
}

impl Webhook {
    pub(super) fn new(plan: &WebhookPlan) -> anyhow::Result<Self> {
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
        Ok(Self { client, uri, timeout: *timeout, login, key })
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
        let request = self.request(record, SystemTime::now());
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
                Verdict::Later => {
                    let retry_after = retry_after(&headers, SystemTime::now());
                    let trouble = Trouble::new(format!("HTTP {status}"), "the server asks to be tried again later");
                    return Err(Trouble { retry_after, ..trouble });
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
    Later,
    Refused(&'static str),
}

fn verdict(status: StatusCode) -> Verdict {
    match status {
        _ if status.is_success() => Verdict::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Verdict::Later,
        _ if status.is_redirection() => Verdict::Refused("redirects are not followed: name the final address"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Refused("check secret and login"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => Verdict::Refused("check the url"),
        _ if status.is_client_error() => Verdict::Refused("the server does not understand events"),
        _ => Verdict::Later,
    }
}

/// When the server wants to be tried again: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
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
        assert!([200, 201, 202, 204].into_iter().all(|code| of(code) == Verdict::Taken));
        assert!([408, 425, 429, 500, 502, 503, 504].into_iter().all(|code| of(code) == Verdict::Later));
        assert!([301, 400, 401, 403, 404, 410, 422].into_iter().all(|code| matches!(of(code), Verdict::Refused(_))));
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
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
