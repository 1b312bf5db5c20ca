//! How far an evaluation is, on terminals only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of `pictures` steps on the standard error.
pub(super) fn bar(pictures: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(pictures as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} pictures  {elapsed} of about {duration}") {
        bar.set_style(style);
    }
    bar
}
