//! The section `events`.

use std::collections::HashMap;
use std::time::Duration;

use url::{ParseError, Url};

use super::{Check, Login};
use crate::config::plan::{
    ComplianceAlert, EventsPlan, HistoryPlan, JsonlPlan, MqttPlan, NatsPlan, Remote, SinkPlan, SinkTarget, SinkUrl,
    WebhookPlan,
};
use crate::config::raw::{RawEvents, RawHistory, RawSink, RawSinkKind};
use crate::config::secret::{Secret, login_in, signing_key};
use crate::config::tree::Step;

const MOST_SINKS: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1 << 20;
/// What a template may name.
const PLACES: [&str; 2] = ["{camera}", "{type}"];

pub(super) fn plan(check: &mut Check, raw: &RawEvents) -> EventsPlan {
    let usual = EventsPlan::default();
    let at = |keys: &[&str]| ["events"].iter().chain(keys).map(|key| Step::from(*key)).collect::<Vec<_>>();
    if raw.sinks.len() > MOST_SINKS {
        check.problem(&at(&["sinks"]), format!("{} sinks", raw.sinks.len()), format!("at most {MOST_SINKS}"));
    }
    let every = raw.person_every.map_or(usual.person_every, |every| every.0);
    let spool = raw.spool.max_mb.unwrap_or(64);
    let mut names = HashMap::new();
    let sinks = raw.sinks.iter().enumerate().filter_map(|(index, sink)| one(check, index, sink, &mut names)).collect();
    EventsPlan {
        person_every: check.range(&at(&["person_every"]), every, (Duration::ZERO, DAY), "0s to 24h"),
        compliance: compliance(check, raw),
        sinks,
        spool_bytes: u64::from(check.range(&at(&["spool", "max_mb"]), spool, (1, 65_536), "1 to 65536")) * MIB,
        history: history(check, &raw.history),
    }
}

fn history(check: &mut Check, raw: &RawHistory) -> HistoryPlan {
    let at = |key: &str| [Step::from("events"), Step::from("history"), Step::from(key)];
    let usual = HistoryPlan::default();
    let keep = raw.keep.map_or(usual.keep, |keep| keep.0);
    let most = raw.max_events.map_or(usual.most, |most| most as usize);
    HistoryPlan {
        keep: check.range(&at("keep"), keep, (Duration::from_secs(3600), 366 * DAY), "1h to 366d"),
        most: check.range(&at("max_events"), most, (100, 10_000_000), "100 to 10000000"),
    }
}

fn compliance(check: &mut Check, raw: &RawEvents) -> Option<ComplianceAlert> {
    let at = |key: &str| [Step::from("events"), Step::from("compliance"), Step::from(key)];
    let raw = &raw.compliance;
    let hold = raw.hold.map_or(Duration::from_secs(300), |hold| hold.0);
    let hold = check.range(&at("for"), hold, (Duration::ZERO, DAY), "0s to 24h");
    let minimum = check.range(&at("minimum"), raw.minimum.unwrap_or(20), (1, 1_000_000), "1 to 1000000");
    let Some(target) = raw.target else {
        if (raw.hold.is_some() || raw.minimum.is_some()) && !check.place(&at("target")).written {
            check.problem(
                &at("target")[..2],
                "no `target`",
                "such as target: 0.9; without it there are no such events",
            );
        }
        return None;
    };
    let target = check.range(&at("target"), target, (f64::MIN_POSITIVE, 1.0), "above 0 to 1, such as 0.9");
    Some(ComplianceAlert { target, hold, minimum: u64::from(minimum) })
}

/// One sink, as far as it can be made out.
struct Sink<'a> {
    at: [Step; 3],
    raw: &'a RawSink,
}

impl Sink<'_> {
    fn key(&self, key: &str) -> Vec<Step> {
        self.at.iter().cloned().chain([Step::from(key)]).collect()
    }
}

fn one(check: &mut Check, index: usize, raw: &RawSink, names: &mut HashMap<String, usize>) -> Option<SinkPlan> {
    let sink = Sink { at: ["events".into(), "sinks".into(), index.into()], raw };
    let name = name(check, &sink, names);
    let Some(kind) = raw.kind else {
        if !check.place(&sink.key("type")).written {
            check.problem(&sink.at, "the sink has no `type`", "one of: jsonl, webhook, mqtt, nats");
        }
        return None;
    };
    foreign_keys(check, &sink, kind);
    let target = match kind {
        RawSinkKind::Jsonl => jsonl(check, &sink).map(SinkTarget::Jsonl),
        RawSinkKind::Webhook => {
            let secret = secret(check, &sink);
            remote(check, &sink, kind).map(|remote| SinkTarget::Webhook(WebhookPlan { remote, secret }))
        }
        RawSinkKind::Mqtt => {
            let topic = template(check, &sink, "topic", raw.topic.as_deref(), "maskwatch/{camera}/{type}", "+#\0");
            remote(check, &sink, kind).map(|remote| SinkTarget::Mqtt(MqttPlan { remote, topic }))
        }
        RawSinkKind::Nats => {
            let subject =
                template(check, &sink, "subject", raw.subject.as_deref(), "maskwatch.{camera}.{type}", "*> \t");
            let stream = stream(check, &sink);
            remote(check, &sink, kind).map(|remote| SinkTarget::Nats(NatsPlan { remote, stream, subject }))
        }
    };
    Some(SinkPlan { name: name?, target: target? })
}

fn name(check: &mut Check, sink: &Sink, names: &mut HashMap<String, usize>) -> Option<String> {
    let at = sink.key("name");
    let place = check.place(&at);
    let Some(name) = &sink.raw.name else {
        if !place.written {
            check.problem(&sink.at, "the sink has no `name`", "lower-case letters, digits and `-`, such as broker");
        }
        return None;
    };
    check.name(&at, name, "broker");
    if let Some(line) = names.insert(name.clone(), place.line) {
        let what = format!("{} is the name of another sink", check.tree.said(&at));
        check.problem(&at, what, format!("see line {line}"));
    }
    Some(name.clone())
}

/// Keys that another kind of sink has are a mistake, not a choice.
fn foreign_keys(check: &mut Check, sink: &Sink, kind: RawSinkKind) {
    use RawSinkKind::{Jsonl, Mqtt, Nats, Webhook};
    let raw = sink.raw;
    let network: &[RawSinkKind] = &[Webhook, Mqtt, Nats];
    let keys: [(&str, bool, &[RawSinkKind]); 14] = [
        ("path", raw.path.is_some(), &[Jsonl]),
        ("rotate_mb", raw.rotate_mb.is_some(), &[Jsonl]),
        ("keep", raw.keep.is_some(), &[Jsonl]),
        ("secret", raw.secret.is_some(), &[Webhook]),
        ("secret_file", raw.secret_file.is_some(), &[Webhook]),
        ("topic", raw.topic.is_some(), &[Mqtt]),
        ("stream", raw.stream.is_some(), &[Nats]),
        ("subject", raw.subject.is_some(), &[Nats]),
        ("url", raw.url.is_some(), network),
        ("timeout", raw.timeout.is_some(), network),
        ("ca_file", raw.ca_file.is_some(), network),
        ("username", raw.username.is_some(), network),
        ("password", raw.password.is_some(), network),
        ("password_file", raw.password_file.is_some(), network),
    ];
    for (key, written, kinds) in keys {
        if written && !kinds.contains(&kind) {
            let kinds: Vec<_> = kinds.iter().map(|kind| word(*kind)).collect();
            let what = format!("a sink of type {} has no such key", word(kind));
            check.problem(&sink.key(key), what, format!("it belongs to: {}", kinds.join(", ")));
        }
    }
}

fn word(kind: RawSinkKind) -> &'static str {
    match kind {
        RawSinkKind::Jsonl => "jsonl",
        RawSinkKind::Webhook => "webhook",
        RawSinkKind::Mqtt => "mqtt",
        RawSinkKind::Nats => "nats",
    }
}

fn jsonl(check: &mut Check, sink: &Sink) -> Option<JsonlPlan> {
    let rotate = check.range(&sink.key("rotate_mb"), sink.raw.rotate_mb.unwrap_or(16), (1, 65_536), "1 to 65536");
    let keep = check.range(&sink.key("keep"), sink.raw.keep.unwrap_or(5), (0, 100), "0 to 100");
    let Some(path) = &sink.raw.path else {
        if !check.place(&sink.key("path")).written {
            check.problem(&sink.at, "the sink has no `path`", "the file to write, such as path: events.jsonl");
        }
        return None;
    };
    let said = check.said_path(&sink.key("path"), path);
    let path = check.path(path);
    if path.is_dir() {
        let what = format!("{said} is a folder");
        check.problem(&sink.key("path"), what, "name a file, such as events.jsonl");
    }
    Some(JsonlPlan { path, rotate_bytes: u64::from(rotate) * MIB, keep })
}

fn secret(check: &mut Check, sink: &Sink) -> Option<Secret> {
    let secret = match (&sink.raw.secret, &sink.raw.secret_file) {
        (Some(_), Some(_)) => {
            check.problem(&sink.key("secret_file"), "`secret` is given too", "keep one of them");
            return None;
        }
        (Some(secret), None) => secret.0.clone(),
        (None, Some(file)) => check.secret_of(&sink.key("secret_file"), file)?,
        (None, None) => return None,
    };
    let key = if sink.raw.secret.is_some() { "secret" } else { "secret_file" };
    if signing_key(secret.expose()).is_none() {
        check.problem(&sink.key(key), "not a signing key", "any text, or `whsec_` and Base64; not empty");
    }
    Some(secret)
}

fn remote(check: &mut Check, sink: &Sink, kind: RawSinkKind) -> Option<Remote> {
    let raw = sink.raw;
    let login = Login {
        username: raw.username.as_ref(),
        password: raw.password.as_ref(),
        password_file: raw.password_file.as_ref(),
    };
    let credentials = check.login(&sink.at, &login);
    let timeout = raw.timeout.map_or(Duration::from_secs(5), |timeout| timeout.0);
    let bounds = (Duration::from_millis(100), Duration::from_secs(300));
    let timeout = check.range(&sink.key("timeout"), timeout, bounds, "100ms to 5m");
    let ca_file = raw.ca_file.as_ref().map(|file| check.path(file));
    if let Some(file) = raw.ca_file.as_ref().filter(|file| !check.path(file).is_file()) {
        let what = format!("{} is not there", check.said_path(&sink.key("ca_file"), file));
        check.problem(&sink.key("ca_file"), what, "a file with certificates in PEM form");
    }
    Some(Remote { url: url(check, sink, kind)?, credentials, timeout, ca_file })
}

fn url(check: &mut Check, sink: &Sink, kind: RawSinkKind) -> Option<SinkUrl> {
    let (schemes, example): (&[&str], _) = match kind {
        RawSinkKind::Webhook => (&["https", "http"], "https://example.org/hook"),
        RawSinkKind::Mqtt => (&["mqtt", "mqtts"], "mqtt://127.0.0.1:1883"),
        RawSinkKind::Nats | RawSinkKind::Jsonl => (&["nats", "tls"], "nats://127.0.0.1:4222"),
    };
    let at = sink.key("url");
    let Some(text) = &sink.raw.url else {
        if !check.place(&at).written {
            check.problem(&sink.at, "the sink has no `url`", format!("such as {example}"));
        }
        return None;
    };
    let text = text.trim();
    let (what, hint) = match login_in(text) {
        Some(problem) => problem.said(),
        None => match parse_url(text, kind, schemes, example) {
            Ok(url) => return Some(SinkUrl::new(url)),
            Err(problem) => problem,
        },
    };
    check.problem(&at, what, hint);
    None
}

/// The address, or what is wrong with it and a hint. The text may hold a password: it is not repeated.
fn parse_url(text: &str, kind: RawSinkKind, schemes: &[&str], example: &str) -> Result<Url, (String, String)> {
    let such = || format!("such as {example}");
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let word_like = |scheme: &String| scheme.chars().all(|c| c.is_ascii_alphanumeric());
    match scheme {
        None => return Err(("not a URL: `://` is missing".to_owned(), such())),
        Some(scheme) if !schemes.contains(&scheme.as_str()) => {
            let named = Some(scheme).filter(word_like).unwrap_or_default();
            let what = format!("scheme `{named}` does not belong to a sink of type {}", word(kind));
            return Err((what, format!("use {}, such as {example}", schemes.join(" or "))));
        }
        Some(_) => {}
    }
    match Url::parse(text) {
        Err(ParseError::EmptyHost) => Err(("no host".to_owned(), such())),
        Err(ParseError::InvalidIpv6Address) if text.contains('%') => {
            let hint = "write the address without its zone (`%eth0`), or a name".to_owned();
            Err(("an IPv6 address with a zone, which sinks do not take".to_owned(), hint))
        }
        Err(error) => Err((format!("not a URL: {error}"), such())),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Err(("no host".to_owned(), such())),
        Ok(url) if kind != RawSinkKind::Webhook && url.path().len() > 1 => {
            Err(("a path, where a broker has none".to_owned(), such()))
        }
        Ok(url) => Ok(url),
    }
}

/// A topic or subject whose places are known and that a broker takes.
fn template(check: &mut Check, sink: &Sink, key: &str, given: Option<&str>, usual: &str, bad: &str) -> String {
    let Some(given) = given else { return usual.to_owned() };
    let rest = PLACES.iter().fold(given.to_owned(), |text, place| text.replace(place, "x"));
    let hint = format!("such as {usual}");
    if rest.contains(['{', '}']) {
        let what = format!("{} names something unknown", check.tree.said(&sink.key(key)));
        check.problem(&sink.key(key), what, "{camera} and {type} can be named");
    } else if rest.is_empty() || rest.len() > 255 || rest.contains(|c: char| bad.contains(c) || c.is_control()) {
        check.problem(&sink.key(key), format!("{} is no {key}", check.tree.said(&sink.key(key))), hint);
    } else if key == "subject" && rest.split('.').any(str::is_empty) {
        check.problem(
            &sink.key(key),
            format!("{} has an empty part between its dots", check.tree.said(&sink.key(key))),
            hint,
        );
    }
    given.to_owned()
}

fn stream(check: &mut Check, sink: &Sink) -> String {
    let name = sink.raw.stream.clone().unwrap_or_else(|| "MASKWATCH".to_owned());
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) {
        let what = format!("{} is no stream's name", check.tree.said(&sink.key("stream")));
        check.problem(&sink.key("stream"), what, "letters, digits, `-` and `_`");
    }
    name
}
