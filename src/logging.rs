//! The log: tracing events to the standard error, as text or JSON, with GStreamer's and GLib's own messages among them.
//!
//! A standard error that cannot be written ends and stalls nothing: see `writer`.
//!
//! GStreamer's messages may quote URLs with credentials, so they are redacted. The same message in a loop would bury
//! the rest, so each place of GStreamer's code is heard a few times per period, with a count of what was held back.

mod writer;

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use tracing_mutex::parking_lot::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::secret::redact;

pub(crate) use writer::lines_dropped;

/// What a service logs where nobody says otherwise. Not GStreamer: a camera's supervisor reports what follows from its
/// errors (`--log info,gst=warn` shows them too). ONNX Runtime's binding tells at `info` what it does at each start.
const SERVICE: &str = "info,ort=warn,gst=error";
/// What a command that runs over files logs: its output is what matters.
const COMMAND: &str = "warn";
/// Lines from one place of GStreamer's code per [`PERIOD`].
const BURST: u32 = 3;
const PERIOD: Duration = Duration::from_secs(30);
/// Places remembered; the oldest periods go first.
const PLACES: usize = 256;
/// Time for the lines that wait where GLib is about to end the process.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line per event, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Not a log filter.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is no log filter: {cause} (write a level such as debug, or maskwatch=debug,gst=warn)")]
pub struct BadFilter {
    filter: String,
    cause: String,
}

/// Starts logging. Later calls in the same process change nothing. `service`: the command runs until it is stopped.
///
/// # Errors
/// The filter cannot be read.
pub fn start(format: LogFormat, filter: Option<&str>, service: bool) -> Result<(), BadFilter> {
    let filter = filter.unwrap_or(if service { SERVICE } else { COMMAND });
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| BadFilter { filter: filter.to_owned(), cause: error.to_string() })?;
    // The library's own reports of lines that it cannot write go to the standard error by `eprintln!`, which panics.
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(Lines).log_internal_errors(false);
    // A second start (tests in one process) finds a subscriber in place.
    let _already = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
    panics_are_logged();
    // Without the thread lines are written by whoever logs.
    if let Err(error) = writer::start(format, !service) {
        tracing::warn!(%error, "no thread for the log: it may hold up what it tells of");
    }
    Ok(())
}

/// A text for people on the standard error, in its place among the log's lines; `text` ends with a line's end.
pub(crate) fn say(text: &str) {
    writer::put(text.as_bytes());
}

/// Waits until all lines are written, `limit` at most; `None`: as long as their reader takes.
pub(crate) fn flush(limit: Option<Duration>) {
    writer::flush(limit);
}

/// Takes formatted lines.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        writer::put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A panic is an event of the log, with its place and, where RUST_BACKTRACE asks for it, its backtrace.
fn panics_are_logged() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let thread = std::thread::current();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(
            thread = thread.name().unwrap_or("?"),
            place,
            backtrace =
                matches!(backtrace.status(), std::backtrace::BacktraceStatus::Captured).then(|| backtrace.to_string()),
            "panic: {}",
            text.unwrap_or("?")
        );
    }));
}

/// Sends GStreamer's warnings and errors to the log, unless GST_DEBUG asks for GStreamer's own way. Call once, after
/// `gst::init`.
pub fn bridge_gstreamer() {
    if std::env::var_os("GST_DEBUG").is_some() {
        return;
    }
    gst::log::remove_default_log_function();
    gst::log::set_default_threshold(gst::DebugLevel::Warning);
    let limiter = Limiter::default();
    gst::log::add_log_function(move |category, level, file, _, line, object, message| {
        let Some(held_back) = limiter.allow((file.to_string(), line), Instant::now()) else { return };
        let text = message.get().map(|text| redact(&text)).unwrap_or_default();
        let object = object.map(ToString::to_string).map(|name| redact(&name)).unwrap_or_default();
        let category = category.name();
        if level == gst::DebugLevel::Error {
            tracing::warn!(target: "gst", category, object, held_back, "{text}");
        } else {
            tracing::debug!(target: "gst", category, object, held_back, "{text}");
        }
    });
}

/// Sends what GLib and the libraries on it complain of, and what they print, to the log, in GLib's own form: else it would
/// be written to the standard error by whichever thread it comes from. Call once.
pub fn bridge_glib() {
    use gst::glib;
    glib::log_set_writer_func(|level, fields| {
        let field = |name: &str| fields.iter().find(|field| field.key() == name).and_then(|field| field.value_str());
        let (domain, text) = (field("GLIB_DOMAIN").unwrap_or("GLib"), redact(field("MESSAGE").unwrap_or("?")));
        match level {
            glib::LogLevel::Error => {
                tracing::error!(target: "glib", "{domain}-ERROR **: {text}");
                // GLib ends the process after this one.
                flush(Some(LAST_WORDS));
            }
            glib::LogLevel::Critical => tracing::error!(target: "glib", "{domain}-CRITICAL **: {text}"),
            glib::LogLevel::Warning => tracing::warn!(target: "glib", "{domain}-WARNING **: {text}"),
            _ => tracing::debug!(target: "glib", "{domain}: {text}"),
        }
        glib::LogWriterOutput::Handled
    });
    let printed = |text: &str| tracing::info!(target: "glib", "{}", redact(text.trim_end()));
    glib::set_print_handler(printed);
    glib::set_printerr_handler(printed);
}

/// Lets a place speak [`BURST`] times per [`PERIOD`].
#[derive(Default)]
struct Limiter {
    places: Mutex<HashMap<(String, u32), Place>>,
}

struct Place {
    since: Instant,
    said: u32,
    held_back: u64,
}

impl Limiter {
    /// Whether the place may speak now; with how many lines it held back before.
    fn allow(&self, place: (String, u32), now: Instant) -> Option<u64> {
        let mut places = self.places.lock();
        if places.len() >= PLACES && !places.contains_key(&place) {
            places.retain(|_, place| now.duration_since(place.since) < PERIOD);
            if places.len() >= PLACES {
                return None;
            }
        }
        let entry = places.entry(place).or_insert(Place { since: now, said: 0, held_back: 0 });
        if now.duration_since(entry.since) >= PERIOD {
            (entry.since, entry.said) = (now, 0);
        }
        if entry.said >= BURST {
            entry.held_back += 1;
            return None;
        }
        entry.said += 1;
        Some(std::mem::take(&mut entry.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_speaks_a_few_times_per_period() {
        let limiter = Limiter::default();
        let start = Instant::now();
        let place = || ("a.c".to_owned(), 7);
        let said: Vec<_> = (0..5).map(|_| limiter.allow(place(), start)).collect();
        assert_eq!(said, [Some(0), Some(0), Some(0), None, None]);
        assert_eq!(limiter.allow(("b.c".to_owned(), 7), start), Some(0), "another place");
        assert_eq!(limiter.allow(place(), start + PERIOD), Some(2));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::default();
        let start = Instant::now();
        for line in 0..2 * PLACES as u32 {
            limiter.allow(("a.c".to_owned(), line), start);
        }
        assert!(limiter.places.lock().len() <= PLACES);
        assert_eq!(limiter.allow(("z.c".to_owned(), 1), start + PERIOD), Some(0));
    }

    #[test]
    fn a_bad_filter_is_an_error_with_a_hint() {
        let error = start(LogFormat::Text, Some("maskwatch=loud"), true).unwrap_err();
        assert!(error.to_string().contains("maskwatch=debug"), "{error}");
    }
}
