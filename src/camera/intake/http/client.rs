//! One request, up to the answer that holds the stream: login, redirects, patience.
//!
//! A camera gets the password once per attempt: many lock an address out after a few wrong ones.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::{Host, Url};

use super::words;
use crate::camera::failure::Failure;
use crate::camera::login::{Denied, Login};
use crate::config::plan::CameraPlan;
use crate::reach::{Reach, Resolver};

/// What this program calls itself.
pub(super) const USER_AGENT: &str = concat!("maskwatch/", env!("CARGO_PKG_VERSION"));
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(8);
/// How long an answer may take, unless the plan is more patient.
const ANSWER: Duration = Duration::from_secs(10);
/// Addresses that a request is sent on to.
const REDIRECTS: u32 = 5;
/// An answer's headers may be so many, and so long together.
const HEADERS: usize = 256;
const HEAD: usize = 512 << 10;
/// An answer that is not the stream is read so far, so that the connection can be used again.
const MOST_BODY: usize = 64 << 10;

/// Asks a camera for its stream.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>,
    reach: Reach,
    resolver: Resolver,
    url: Url,
    login: Login,
    answer: Duration,
    redirects: u32,
    /// The request was sent on to somebody who is not to know the password.
    foreign: bool,
}

impl Client {
    pub(super) fn new(plan: &CameraPlan) -> Result<Self, Failure> {
        let tls = if plan.insecure_tls { crate::tls::unverified_client() } else { crate::tls::client(None) };
        let tls = tls.map_err(|error| words::internal(&error.to_string()))?;
        let resolver = Resolver::new(plan.reach.clone());
        let mut http = HttpConnector::new_with_resolver(resolver.clone());
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .http1_max_headers(HEADERS)
            .http1_max_buf_size(HEAD)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .build(connector);
        let mut url = Url::parse(plan.url.expose()).map_err(|_| words::unusable_url())?;
        url.set_fragment(None);
        let login = Login::new(plan.credentials.clone());
        Ok(Self {
            pool,
            reach: plan.reach.clone(),
            resolver,
            url,
            login,
            answer: ANSWER.max(plan.timeout),
            redirects: 0,
            foreign: false,
        })
    }

    /// The answer with the stream.
    pub(super) async fn open(mut self) -> Result<Response<Incoming>, Failure> {
        loop {
            let response = self.ask().await?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED {
                self.challenged(response.headers())?;
            } else if status.is_redirection() && response.headers().contains_key(LOCATION) {
                self.redirected(response.headers())?;
            } else if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
                return Ok(response);
            } else {
                return Err(words::status(status));
            }
            // Some cameras know their own challenge on the same connection only.
            let rest = Limited::new(response.into_body(), MOST_BODY).collect();
            tokio::time::timeout(self.answer, rest).await.ok();
        }
    }

    async fn ask(&mut self) -> Result<Response<Incoming>, Failure> {
        self.check()?;
        let target = self.target();
        let mut request = Request::get(self.url.as_str())
            .header(hyper::header::USER_AGENT, USER_AGENT)
            .header(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(answer) = self.login.authorization("GET", &target).filter(|_| !self.foreign) {
            let mut value = HeaderValue::from_str(&answer).map_err(|_| words::wrong_password())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Empty::new()).map_err(|_| words::unusable_url())?;
        let answer = tokio::time::timeout(self.answer, self.pool.request(request)).await;
        let encrypted = self.url.scheme() == "https";
        let answer = answer.map_err(|_| words::mute(&self.host(), self.answer.as_secs_f64()))?;
        answer.map_err(|error| words::unanswered(&error, &self.host(), encrypted))
    }

    /// Addresses that are written as such are not looked up, and so are checked here; also those of a redirect. Names are
    /// checked by the resolver.
    fn check(&self) -> Result<(), Failure> {
        let port = self.url.port_or_known_default().unwrap_or_default();
        let written = match self.url.host() {
            Some(Host::Ipv4(v4)) => SocketAddr::new(v4.into(), port),
            Some(Host::Ipv6(v6)) => SocketAddr::new(v6.into(), port),
            Some(Host::Domain(_)) | None => {
                self.resolver.aim(port);
                return Ok(());
            }
        };
        self.reach.check(written).map_err(|barred| words::barred(&barred.to_string()))
    }

    /// Path and query, as the request line has them.
    fn target(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// Host and port.
    fn host(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    fn challenged(&mut self, headers: &HeaderMap) -> Result<(), Failure> {
        if self.foreign {
            return Err(words::foreign_password(&self.host()));
        }
        let challenges = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
        self.login.challenged(challenges).map_err(|denied| match denied {
            Denied::Missing => words::no_password(),
            Denied::Refused => words::wrong_password(),
            Denied::Unknown(schemes) => words::unknown_login(&schemes),
        })
    }

    fn redirected(&mut self, headers: &HeaderMap) -> Result<(), Failure> {
        self.redirects += 1;
        if self.redirects > REDIRECTS {
            return Err(words::redirects());
        }
        let location = headers.get(LOCATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let mut next = location.and_then(|text| self.url.join(text).ok()).ok_or_else(words::redirected_nowhere)?;
        if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none_or(str::is_empty) {
            return Err(words::redirected_nowhere());
        }
        // A password in somebody's answer is not ours to send.
        let cleared = next.set_username("").is_ok() && next.set_password(None).is_ok();
        if !cleared {
            return Err(words::redirected_nowhere());
        }
        next.set_fragment(None);
        self.foreign |= !trusted(&self.url, &next);
        self.url = next;
        Ok(())
    }
}

/// Whether the password for one address may be given to another: the same origin, or the same host's usual port for TLS
/// where it was the usual port without.
fn trusted(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http"
        && to.scheme() == "https"
        && from.port_or_known_default() == Some(80)
        && to.port_or_known_default() == Some(443);
    from.origin() == to.origin() || (upgraded && from.host() == to.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_to_the_same_origin_only() {
        for (from, to, fit) in [
            ("http://cam/a", "http://cam/b?c", true),
            ("http://cam/a", "http://cam:80/b", true),
            ("http://cam/a", "https://cam/a", true),
            ("http://cam:8080/a", "https://cam/a", false),
            ("https://cam/a", "http://cam/a", false),
            ("http://cam/a", "http://cam:8080/a", false),
            ("http://cam/a", "http://cam.evil/a", false),
        ] {
            let url = |text| Url::parse(text).unwrap();
            assert_eq!(trusted(&url(from), &url(to)), fit, "{from} -> {to}");
        }
    }
}
