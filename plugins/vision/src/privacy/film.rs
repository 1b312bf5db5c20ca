//! The pictures of a file, which wait for nobody's sake but for what is found next.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Cover, Looks, PrivacyConfig, Suspects, Unknown};

/// Pictures of one stream in, each with its analysis where it was analysed; the same pictures with what must be hidden
/// out: in order, each once.
///
/// A picture goes when it is known what was found until [`PrivacyConfig::lead`] after it, at the stream's end, or when
/// more than [`PrivacyConfig::max_frames`] wait. Between two analyses, and where one is missing, it is as with
/// [`super::Gate`]; there is no clock.
pub struct Film<T> {
    config: PrivacyConfig,
    looks: Looks,
    last: Option<Duration>,
    waiting: VecDeque<(Duration, T)>,
    ready: VecDeque<(T, Cover)>,
}

impl<T> Film<T> {
    /// Nothing seen yet.
    pub fn new(config: PrivacyConfig) -> Self {
        Self { config, looks: Looks::new(config), last: None, waiting: VecDeque::new(), ready: VecDeque::new() }
    }

    /// A picture and what its analysis found; `None`: it was not analysed. A step back in time begins a new stream; a
    /// picture without a time stands alone.
    pub fn push(&mut self, time: Option<Duration>, picture: T, suspects: Option<&Suspects>) {
        let Some(time) = time else {
            self.end();
            let cover = suspects.map_or(Cover::Whole(Unknown::First), Cover::of_still);
            return self.ready.push_back((picture, cover));
        };
        if self.last.is_some_and(|last| time < last) {
            self.end();
        }
        self.last = Some(time);
        if let Some(suspects) = suspects {
            self.looks.add(time, suspects);
        }
        self.waiting.push_back((time, picture));
        while let Some((time, _)) = self.waiting.front()
            && (self.looks.reaches(*time + self.config.lead) || self.waiting.len() > self.config.max_frames)
        {
            self.let_go();
        }
    }

    /// The stream ends: all that waits goes, by what is known.
    pub fn end(&mut self) {
        while !self.waiting.is_empty() {
            self.let_go();
        }
        self.last = None;
        self.looks.clear();
    }

    /// The next picture that may go, with what must be hidden in it. Call it until there is none.
    pub fn take(&mut self) -> Option<(T, Cover)> {
        self.ready.pop_front()
    }

    fn let_go(&mut self) {
        let Some((time, picture)) = self.waiting.pop_front() else { return };
        let why = if self.looks.any_before(time) { Unknown::Late } else { Unknown::First };
        let cover = self.looks.cover(time).unwrap_or(Cover::Whole(why));
        self.looks.forget_before(time);
        self.ready.push_back((picture, cover));
    }
}
