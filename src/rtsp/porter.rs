//! Stands between GStreamer's server and the doors: reads what a request shows, and answers those who do not come in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gst::glib;
use gst::glib::subclass::prelude::*;
use gst_rtsp::{RTSPAuthMethod, RTSPHeaderField, RTSPStatusCode};
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::subclass::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPContext};

use super::credentials::Given;
use super::doors::{Doors, Refused};
use super::visits::{Book, mount_of};

/// What GStreamer asks before it looks at a request.
const CHECK_URL: &str = "auth.check.url";
/// What it asks before it takes or makes the pipeline of a stream: those who do not see it were sent away by then.
const CHECK_MEDIA: &str = "auth.check.media.factory.";
/// What it asks about a new connection, which is ours before.
const CHECK_CONNECT: &str = "auth.check.connect";

glib::wrapper! {
    /// GStreamer's way to ask who comes in.
    pub(super) struct Porter(ObjectSubclass<imp::Porter>) @extends RTSPAuth;
}

impl Porter {
    pub(super) fn new(doors: Arc<Doors>, book: Arc<Book>) -> Self {
        let porter: Self = glib::Object::new();
        // It is new: nobody has set it before.
        let _ = porter.imp().inner.set((doors, book));
        porter
    }
}

/// Why a request goes no further.
enum Answer {
    Refused(Refused),
    /// The stream is not there, as far as this client is concerned.
    NotFound,
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Whether a request is looked at.
fn judge(doors: &Doors, book: &Book, context: &RTSPContext) -> Result<(), Answer> {
    let again = || Answer::Refused(Refused::Later(Duration::ZERO));
    let client = context.client().ok_or_else(again)?.as_ptr() as usize;
    let stranger = book.stranger(client).ok_or_else(again)?;
    let caller = doors.admit(&stranger, &given(book, client, context))?;
    if !book.identify(client, caller.clone()) {
        return Err(Refused::Forbidden.into());
    }
    // Whoever knows the name of a session of others could pause or end it.
    if context.session().is_some_and(|session| !book.owns(client, session)) {
        return Err(Answer::NotFound);
    }
    match mount_of(context) {
        Some(mount) if !doors.sees(&caller, &mount) => Err(Answer::NotFound),
        _ => Ok(()),
    }
}

fn given(book: &Book, client: usize, context: &RTSPContext) -> Given {
    let Some(request) = context.request() else { return Given::Nothing };
    let credentials = request.parse_auth_credentials();
    // The first one counts: nobody sends two.
    let Some(credential) = credentials.first() else { return Given::Nothing };
    match credential.scheme() {
        RTSPAuthMethod::Basic => credential.authorization().map_or(Given::Odd, Given::basic),
        RTSPAuthMethod::Digest => book.heard(client).map_or(Given::Odd, |heard| Given::digest(&heard)),
        _ => Given::Odd,
    }
}

fn send(context: &RTSPContext, answer: &Answer) {
    let (Some(client), Some(response)) = (context.client(), context.response()) else { return };
    let code = match answer {
        Answer::Refused(Refused::Asked(_)) => RTSPStatusCode::Unauthorized,
        Answer::Refused(Refused::Forbidden) => RTSPStatusCode::Forbidden,
        Answer::Refused(Refused::Later(_)) => RTSPStatusCode::ServiceUnavailable,
        Answer::NotFound => RTSPStatusCode::NotFound,
    };
    response.init_response(code, context.request());
    match answer {
        Answer::Refused(Refused::Asked(ways)) => {
            ways.iter().for_each(|way| response.add_header(RTSPHeaderField::WwwAuthenticate, way));
        }
        Answer::Refused(Refused::Later(wait)) => {
            response.add_header(RTSPHeaderField::RetryAfter, &(wait.as_secs() + 1).to_string());
        }
        _ => {}
    }
    client.send_message(response, context.session());
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub(in super::super) struct Porter {
        pub(super) inner: OnceLock<(Arc<Doors>, Arc<Book>)>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Porter {
        const NAME: &'static str = "MaskwatchRtspPorter";
        type Type = super::Porter;
        type ParentType = RTSPAuth;
    }

    impl ObjectImpl for Porter {}

    impl RTSPAuthImpl for Porter {
        fn check(&self, context: &RTSPContext, check: &glib::GString) -> bool {
            if check.as_str() != CHECK_URL {
                // Not allowed besides: that a client names where media are sent to.
                return check.starts_with(CHECK_MEDIA) || check.as_str() == CHECK_CONNECT;
            }
            let Some((doors, book)) = self.inner.get() else { return false };
            // What is unwound into C ends the process.
            let judged = catch_unwind(AssertUnwindSafe(|| match judge(doors, book, context) {
                Ok(()) => true,
                Err(answer) => {
                    send(context, &answer);
                    false
                }
            }));
            judged.unwrap_or(false)
        }
    }
}
