//! What GLib and GStreamer complain of: a count of references that went wrong, an element dropped while it plays; and
//! panics of the program's threads, such as for locks taken in another order. Each fails the test in whose process, or in
//! whose program, it comes.
//!
//! `G_DEBUG=fatal_warnings` would do the same without an exception for what is known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};

use gst::glib;

/// Of GStreamer itself, without consequences: `rtspsrc` of 1.22, stopped while it connects, numbers an event by a number
/// that it has not got yet.
const KNOWN: [&str; 1] = ["gst_event_set_seqnum"];

/// Whether a line of a program's output is one that it should not write.
pub fn is_one(line: &str) -> bool {
    ["-CRITICAL **", "-WARNING **", "-ERROR **", "maskwatch::logging: panic: "].iter().any(|mark| line.contains(mark))
        && !is_known(line)
}

fn is_known(text: &str) -> bool {
    KNOWN.iter().any(|known| text.contains(known))
}

/// They are kept instead of ending the process.
static KEEPING: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on complaints in this process are kept: for a test of many cases, all of which are to run.
pub fn are_kept() {
    KEEPING.store(true, Ordering::Release);
    are_fatal();
}

/// Takes what was kept.
pub fn kept() -> Vec<String> {
    std::mem::take(&mut KEPT.lock().unwrap())
}

/// From now on a complaint in this process ends it.
pub fn are_fatal() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        glib::log_set_default_handler(|domain, level, text| {
            let bad = matches!(level, glib::LogLevel::Error | glib::LogLevel::Critical | glib::LogLevel::Warning);
            if bad && !is_known(text) {
                eprintln!("{}: {text}", domain.unwrap_or("GLib"));
                if KEEPING.load(Ordering::Acquire) {
                    KEPT.lock().unwrap().push(text.to_owned());
                    return;
                }
                std::process::abort();
            }
            glib::log_default_handler(domain, level, Some(text));
        });
    });
}
