//! What keeps an RTSP session alive, and when. Pure.
//!
//! A camera ends a session that it has not heard of for its timeout. What it counts as a sign of life differs: most take
//! any request, some refuse GET_PARAMETER, some never answer it, and some close the connection at it. So the next request
//! is tried where one was not taken, and what closed a connection is not asked for again.

use std::time::Duration;

/// The timeout of a session that names none (RFC 2326).
pub(super) const USUAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time between two signs of life: middle boxes forget connections that are silent for longer.
const LONGEST: Duration = Duration::from_secs(25);
/// Shortest.
const SHORTEST: Duration = Duration::from_millis(500);
/// So long an answer is waited for, at most.
const ANSWER: Duration = Duration::from_secs(5);
/// A connection that ends within this time after a request was ended by it.
const BLAME: Duration = Duration::from_secs(2);

/// A request that says nothing but that somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// GET_PARAMETER without a body.
    GetParameter,
    /// OPTIONS.
    Options,
    /// SET_PARAMETER without a body.
    SetParameter,
}

impl Sign {
    const ALL: [Self; 3] = [Self::GetParameter, Self::Options, Self::SetParameter];

    /// The method's name.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::GetParameter => "GET_PARAMETER",
            Self::Options => "OPTIONS",
            Self::SetParameter => "SET_PARAMETER",
        }
    }
}

/// What was learnt of a camera, kept from connection to connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::camera) struct Habits {
    /// Signs that closed a connection, in the order of [`Sign::ALL`].
    deadly: [bool; 3],
}

/// The signs of life of one session.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    habits: Habits,
    /// Refused or unanswered on this connection.
    useless: [bool; 3],
    current: usize,
    next: Duration,
    /// The one that waits for its answer, since when.
    asked: Option<(usize, Duration)>,
    last: Option<(usize, Duration)>,
}

impl KeepAlive {
    /// `timeout`: of the session. `public`: the methods that the camera names; `None`: it names none. `now`: since any
    /// fixed moment.
    pub(super) fn new(timeout: Duration, public: Option<&str>, habits: Habits, now: Duration) -> Self {
        let knows = |sign: Sign| {
            let mut words = public.unwrap_or_default().split(',').map(str::trim);
            sign == Sign::Options || public.is_none() || words.any(|word| word.eq_ignore_ascii_case(sign.method()))
        };
        let mut useless = habits.deadly;
        for (flag, sign) in useless.iter_mut().zip(Sign::ALL) {
            *flag |= !knows(sign);
        }
        let interval = (timeout / 2).clamp(SHORTEST, LONGEST);
        let mut this = Self { interval, habits, useless, current: 0, next: now + interval, asked: None, last: None };
        this.choose();
        this
    }

    /// The first that may be of use; all are useless: OPTIONS, which every camera has to answer.
    fn choose(&mut self) {
        self.current = self.useless.iter().position(|useless| !useless).unwrap_or(1);
    }

    /// The one that goes out next.
    pub(super) fn sign(&self) -> Sign {
        Sign::ALL[self.current]
    }

    /// The moment at which [`Self::due`] has something to say.
    pub(super) fn wake(&self) -> Duration {
        match self.asked {
            Some((_, since)) => self.next.min(since + self.patience()),
            None => self.next,
        }
    }

    /// So long an answer is waited for: short enough that another sign still comes in time.
    fn patience(&self) -> Duration {
        ANSWER.min(self.interval / 2)
    }

    /// What to send now.
    pub(super) fn due(&mut self, now: Duration) -> Option<Sign> {
        let unanswered = self.asked.is_some_and(|(_, since)| now >= since + self.patience());
        if unanswered {
            self.failed(now);
        }
        if now < self.next {
            return None;
        }
        self.next = now + self.interval;
        self.asked = Some((self.current, now));
        self.last = self.asked;
        Some(Sign::ALL[self.current])
    }

    /// The camera answered the last sign with this status.
    pub(super) fn answered(&mut self, status: u16, now: Duration) {
        if status >= 400 {
            self.failed(now);
        }
        self.asked = None;
    }

    /// The last sign was of no use: the next one goes out at once, while the session still lives.
    fn failed(&mut self, now: Duration) {
        if let Some((sign, _)) = self.asked.take() {
            self.useless[sign] = true;
            let before = self.current;
            self.choose();
            if self.current != before {
                self.next = now;
            }
        }
    }

    /// The connection ended. What that says of the camera.
    pub(super) fn ended(mut self, now: Duration) -> Habits {
        if let Some((sign, since)) = self.last
            && self.asked.is_some()
            && now.saturating_sub(since) <= BLAME
            && Sign::ALL[sign] != Sign::Options
        {
            self.habits.deadly[sign] = true;
        }
        self.habits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_session_hears_of_us_at_half_its_timeout() {
        let mut keep = KeepAlive::new(s(14), Some("OPTIONS, GET_PARAMETER"), Habits::default(), s(0));
        assert_eq!((keep.wake(), keep.due(s(6))), (s(7), None));
        assert_eq!(keep.due(s(7)), Some(Sign::GetParameter));
        keep.answered(200, s(7));
        assert_eq!((keep.due(s(8)), keep.due(s(14))), (None, Some(Sign::GetParameter)));
    }

    #[test]
    fn what_is_refused_is_replaced_at_once() {
        let mut keep = KeepAlive::new(s(14), None, Habits::default(), s(0));
        assert_eq!(keep.due(s(7)), Some(Sign::GetParameter));
        keep.answered(405, s(7));
        assert_eq!(keep.due(s(7)), Some(Sign::Options));
        keep.answered(200, s(7));
        assert_eq!((keep.due(s(7)), keep.due(s(14))), (None, Some(Sign::Options)));
    }

    #[test]
    fn what_is_never_answered_is_replaced_in_time() {
        let mut keep = KeepAlive::new(s(14), None, Habits::default(), s(0));
        assert_eq!(keep.due(s(7)), Some(Sign::GetParameter));
        assert_eq!(keep.wake(), Duration::from_millis(10_500));
        assert_eq!(keep.due(keep.wake()), Some(Sign::Options), "well before the session ends");
    }

    #[test]
    fn methods_that_are_not_named_are_not_used() {
        let mut keep = KeepAlive::new(s(14), Some("OPTIONS, DESCRIBE"), Habits::default(), s(0));
        assert_eq!(keep.due(s(7)), Some(Sign::Options));
    }

    #[test]
    fn what_closed_a_connection_is_remembered() {
        let mut keep = KeepAlive::new(s(14), None, Habits::default(), s(0));
        keep.due(s(7));
        let habits = keep.ended(s(8));
        let mut keep = KeepAlive::new(s(14), None, habits, s(0));
        assert_eq!(keep.due(s(7)), Some(Sign::Options));
        keep.answered(200, s(7));
        assert_eq!(keep.ended(s(8)), habits, "an end that nothing was asked before is nobody's fault");
    }

    proptest! {
        /// Whatever the camera makes of it, it hears of us before the session's timeout, and never in a storm.
        #[test]
        fn signs_come_in_time_and_not_too_often(timeout in 1u64..200, answers in prop::collection::vec(prop_oneof![Just(200u16), Just(405), Just(0)], 40)) {
            let timeout = s(timeout);
            let mut keep = KeepAlive::new(timeout, None, Habits::default(), s(0));
            let (mut heard, mut now, mut sent) = (Duration::ZERO, Duration::ZERO, 0);
            for status in answers {
                now = now.max(keep.wake());
                if keep.due(now).is_some() {
                    prop_assert!(now - heard <= timeout, "{now:?} after {heard:?}");
                    heard = now;
                    sent += 1;
                    if status > 0 {
                        keep.answered(status, now);
                    }
                }
                now += Duration::from_millis(1);
            }
            prop_assert!(sent as f64 <= 3.0 + now.as_secs_f64() / SHORTEST.as_secs_f64());
        }
    }
}
