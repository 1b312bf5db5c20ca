//! Tags of what clients may have read before (RFC 9110, section 8.8): a change that says which state it was made for
//! can be refused when another came between.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::access::User;
use crate::config::plan::CameraPlan;

/// Bytes of a digest that make a tag.
const LENGTH: usize = 12;

/// Makes tags of plans.
///
/// A plan holds a password, and a tag is told to whoever may look: so it is made with a key of this process, and nobody
/// can try passwords on it. After a restart all tags are others.
pub(super) struct Tags {
    key: [u8; 32],
}

impl Tags {
    pub(super) fn new() -> Self {
        Self { key: rand::random() }
    }

    /// Of one camera's configuration: another one after every change of it, whatever the camera does.
    pub(super) fn camera(&self, plan: &CameraPlan) -> String {
        self.all([plan])
    }

    /// Of the configuration of these cameras, in this order.
    pub(super) fn all<'a>(&self, plans: impl IntoIterator<Item = &'a CameraPlan>) -> String {
        self.made(|mac| {
            for plan in plans {
                let password = plan.credentials.as_ref().map_or("", |login| login.password.expose());
                // `Debug` has all but what may be secret.
                for part in [&format!("{plan:?}"), plan.url.expose(), password] {
                    mac.update(&(part.len() as u64).to_be_bytes());
                    mac.update(part.as_bytes());
                }
            }
        })
    }

    /// Of these users, in this order: another one after every change of them, passwords included.
    pub(super) fn users<'a>(&self, users: impl IntoIterator<Item = &'a User>) -> String {
        self.made(|mac| users.into_iter().for_each(|user| mac.update(&user.fingerprint())))
    }

    fn made(&self, fill: impl FnOnce(&mut Hmac<Sha256>)) -> String {
        // Keys of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        fill(&mut mac);
        quoted(&mac.finalize().into_bytes())
    }
}

/// The tag of bytes that are the same whenever the tag is.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    quoted(&Sha256::digest(bytes))
}

fn quoted(digest: &[u8]) -> String {
    let hex: String = digest.iter().take(LENGTH).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// An answer with its tag.
pub(super) fn tagged(tag: &str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The same where the whole answer is what the tag says: 304 for who has it.
pub(super) fn unless_had(headers: &HeaderMap, tag: &str, answer: impl IntoResponse) -> Response {
    let had = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let had = had.flat_map(|value| value.split(',')).map(str::trim);
    let same = |one: &str| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag;
    if had.into_iter().any(same) { tagged(tag, StatusCode::NOT_MODIFIED) } else { tagged(tag, answer) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Credentials;
    use crate::config::secret::{CameraUrl, Secret};

    #[test]
    fn every_change_of_a_plan_changes_its_tag_and_no_other() {
        let tags = Tags::new();
        let plan = CameraPlan::new("gate", CameraUrl::parse("rtsp://10.0.0.9/a?key=one").unwrap());
        let login = |password: &str| Credentials { username: "ops".into(), password: Secret::new(password) };
        let mut others = vec![
            CameraPlan { analyze_fps: 4.0, ..plan.clone() },
            CameraPlan { url: CameraUrl::parse("rtsp://10.0.0.9/a?key=two").unwrap(), ..plan.clone() },
            CameraPlan { credentials: Some(login("a")), ..plan.clone() },
            CameraPlan { credentials: Some(login("b")), ..plan.clone() },
        ];
        assert_eq!(tags.camera(&plan), tags.camera(&plan.clone()));
        assert_ne!(tags.camera(&plan), Tags::new().camera(&plan), "nobody can try passwords on a tag");
        others.push(plan);
        let mut seen: Vec<String> = others.iter().map(|plan| tags.camera(plan)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), others.len());
        assert_ne!(tags.all(&others[..2]), tags.all([&others[1], &others[0]]));
    }

    #[test]
    fn who_has_it_is_told_so() {
        let status = |had: &'static str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(had))]);
            unless_had(&headers, "\"a\"", "text").status().as_u16()
        };
        for (had, wanted) in [("\"a\"", 304), ("\"b\", W/\"a\"", 304), ("*", 304), ("\"b\"", 200), ("a", 200)] {
            assert_eq!(status(had), wanted, "{had}");
        }
        assert_eq!(unless_had(&HeaderMap::new(), "\"a\"", "text").headers()[header::ETAG], "\"a\"");
    }
}
