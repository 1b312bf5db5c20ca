//! An encoder that goes on with another one where one fails.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use super::{Kind, Task};

glib::wrapper! {
    /// Raw pictures in at `sink`, H.264 out at `src`.
    ///
    /// Where the encoder in use reports an error, refuses a picture or swallows them, the next one takes over with the
    /// picture that failed, and viewers go on. For [`Task::File`] that holds until the first picture is written; after
    /// it the element fails, and [`Encoder::rest`] has what is left to try from the beginning.
    pub struct Encoder(ObjectSubclass<imp::Encoder>) @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

impl Encoder {
    /// Takes the first of `kinds`, the others when it fails.
    pub(crate) fn new(kinds: &[Kind], task: Task) -> Result<Self, glib::Error> {
        let encoder: Self = glib::Object::new();
        encoder.imp().begin(kinds, task)?;
        Ok(encoder)
    }

    /// Asks for a keyframe with the next picture.
    pub(crate) fn force_keyframe(&self) {
        if let Some(encoder) = self.by_name("enc") {
            encoder.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
    }

    /// What is left to try where this one has failed for good or has not given what it took; `None` where all is well.
    /// To be asked at the end.
    pub(crate) fn rest(&self) -> Option<Vec<Kind>> {
        self.imp().rest()
    }
}

mod imp {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, LazyLock};

    use super::*;

    /// Pictures that an encoder may hold before it has to give one: it looks ahead for a file, and not for viewers.
    const HOLDS: [u64; 2] = [50, 250];

    /// The encoder in use.
    struct Running {
        kind: Kind,
        chain: gst::Bin,
        taken: u64,
        given: Arc<AtomicU64>,
    }

    #[derive(Default)]
    struct State {
        task: Option<Task>,
        running: Option<Running>,
        /// Those to come.
        rest: Vec<Kind>,
        /// What the one in use has complained of.
        complaint: Option<String>,
        /// Nothing can take over any more.
        failed: bool,
    }

    pub struct Encoder {
        sink: gst::GhostPad,
        src: gst::GhostPad,
        state: Mutex<State>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Encoder {
        const NAME: &'static str = "MaskwatchEncoder";
        type Type = super::Encoder;
        type ParentType = gst::Bin;

        fn new() -> Self {
            let sink = gst::GhostPad::builder(gst::PadDirection::Sink)
                .name("sink")
                .chain_function(|pad, parent, buffer| {
                    Self::catch_panic_pad_function(
                        parent,
                        || Err(gst::FlowError::Error),
                        |encoder| encoder.chain(pad, buffer),
                    )
                })
                .build();
            let src = gst::GhostPad::builder(gst::PadDirection::Src).name("src").build();
            Self { sink, src, state: Mutex::default() }
        }
    }

    impl ObjectImpl for Encoder {
        fn constructed(&self) {
            self.parent_constructed();
            for pad in [&self.sink, &self.src] {
                if let Err(error) = self.obj().add_pad(pad) {
                    tracing::error!(%error, "an encoder without a pad");
                }
            }
        }
    }

    impl GstObjectImpl for Encoder {}

    impl ElementImpl for Encoder {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                let does = "Encodes H.264 with the best encoder that works";
                gst::subclass::ElementMetadata::new("Encoder with a fallback", "Codec/Encoder/Video", does, "Maskwatch")
            });
            Some(&*METADATA)
        }

        /// A device that cannot be opened fails here already.
        fn change_state(&self, to: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            loop {
                let changed = self.parent_change_state(to);
                let starts = matches!(to, gst::StateChange::NullToReady | gst::StateChange::ReadyToPaused);
                if changed.is_ok() || !starts || !self.next("does not start") {
                    return changed;
                }
            }
        }
    }

    impl BinImpl for Encoder {
        /// All elements inside are the encoder's: their errors are a reason to go on with another.
        fn handle_message(&self, message: gst::Message) {
            match message.view() {
                gst::MessageView::Error(error) => self.lock().complaint = Some(error.error().to_string()),
                _ => self.parent_handle_message(message),
            }
        }
    }

    impl Encoder {
        fn lock(&self) -> MutexGuard<'_, State> {
            self.state.lock()
        }

        pub(super) fn begin(&self, kinds: &[Kind], task: Task) -> Result<(), glib::Error> {
            {
                let mut state = self.lock();
                state.task = Some(task);
                state.rest = kinds.iter().rev().copied().collect();
            }
            while let Some(kind) = self.take() {
                match self.install(kind, task) {
                    Ok(()) => return Ok(()),
                    Err(error) => tracing::warn!(%error, encoder = kind.element(), "the encoder cannot be made"),
                }
            }
            Err(glib::Error::new(gst::CoreError::MissingPlugin, "no H.264 encoder works"))
        }

        pub(super) fn rest(&self) -> Option<Vec<Kind>> {
            let state = self.lock();
            let lost = state.running.as_ref().is_some_and(|it| it.given.load(Ordering::Acquire) < it.taken);
            (state.failed || lost).then(|| state.rest.iter().rev().copied().collect())
        }

        fn take(&self) -> Option<Kind> {
            self.lock().rest.pop()
        }

        /// Puts an encoder between the pads.
        fn install(&self, kind: Kind, task: Task) -> Result<(), glib::Error> {
            let failed = |error: glib::BoolError| glib::Error::new(gst::CoreError::Failed, &error.to_string());
            let chain = gst::parse::bin_from_description(&kind.chain(task), true)?;
            self.obj().add(&chain).map_err(failed)?;
            let given = Arc::new(AtomicU64::new(0));
            if let (Some(entry), Some(exit)) = (chain.static_pad("sink"), chain.static_pad("src")) {
                let count = Arc::clone(&given);
                exit.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                    count.fetch_add(1, Ordering::Release);
                    gst::PadProbeReturn::Ok
                });
                self.src.set_target(Some(&exit)).map_err(failed)?;
                self.sink.set_target(Some(&entry)).map_err(failed)?;
            }
            if let Err(error) = chain.sync_state_with_parent() {
                self.lock().complaint.get_or_insert_with(|| error.to_string());
            }
            self.lock().running = Some(Running { kind, chain, taken: 0, given });
            Ok(())
        }

        fn chain(&self, pad: &gst::GhostPad, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            loop {
                let reason = if self.swallows() {
                    "gives no pictures".to_owned()
                } else {
                    match gst::ProxyPad::chain_default(pad, Some(&*self.obj()), buffer.clone()) {
                        Ok(_) if !self.complained() => return Ok(gst::FlowSuccess::Ok),
                        Ok(_) => "reports an error".to_owned(),
                        Err(error @ (gst::FlowError::Flushing | gst::FlowError::Eos)) => return Err(error),
                        Err(error) => format!("refuses a picture ({error})"),
                    }
                };
                if !self.next(&reason) {
                    return Err(gst::FlowError::Error);
                }
            }
        }

        /// Takes the next picture into account; true where too many went in without one coming out.
        fn swallows(&self) -> bool {
            let mut state = self.lock();
            let most = HOLDS[usize::from(matches!(state.task, Some(Task::File)))];
            let Some(running) = &mut state.running else { return true };
            running.taken += 1;
            running.taken.saturating_sub(running.given.load(Ordering::Acquire)) > most
        }

        fn complained(&self) -> bool {
            self.lock().complaint.is_some()
        }

        /// Goes on with the next encoder; false, and an error on the bus, where there is none or it may not.
        fn next(&self, reason: &str) -> bool {
            let (task, old, complaint) = {
                let mut state = self.lock();
                (state.task, state.running.take(), state.complaint.take())
            };
            let Some(task) = task else { return false };
            let name = old.as_ref().map_or("none", |old| old.kind.element());
            let text = complaint.map_or_else(|| reason.to_owned(), |complaint| format!("{reason}: {complaint}"));
            let began = old.as_ref().is_some_and(|old| old.given.load(Ordering::Acquire) > 0);
            if !(began && matches!(task, Task::File)) {
                self.remove(old);
                while let Some(kind) = self.take() {
                    tracing::warn!(failed = name, next = kind.element(), "the H.264 encoder fails: {text}");
                    if self.install(kind, task).is_ok() && !self.complained() {
                        return true;
                    }
                    let broken = self.lock().running.take();
                    self.remove(broken);
                    self.lock().complaint = None;
                }
            }
            self.lock().failed = true;
            gst::element_imp_error!(self, gst::StreamError::Encode, ("H.264 encoder {name}: {text}"));
            false
        }

        fn remove(&self, old: Option<Running>) {
            let Some(old) = old else { return };
            self.sink.set_target(None::<&gst::Pad>).ok();
            self.src.set_target(None::<&gst::Pad>).ok();
            old.chain.set_state(gst::State::Null).ok();
            self.obj().remove(&old.chain).ok();
            // What it said while it went is of no matter.
            self.lock().complaint = None;
        }
    }
}
