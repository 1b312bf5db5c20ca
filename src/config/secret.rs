//! Values that must not be printed: passwords, and what a camera's URL may carry.

mod redact;
mod url;
mod value;

pub use redact::redact;
pub use url::{CameraUrl, UrlProblem};
pub use value::{Secret, SecretProblem, signing_key};

pub(super) use redact::repeatable;
pub(super) use url::login_in;
