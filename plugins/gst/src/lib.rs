//! GStreamer elements of Maskwatch.
//!
//! * [`maskinfer`](infer) samples frames, has them analysed by an engine that all cameras share, and puts the faces on
//!   every buffer that passes ([`meta::FaceMeta`]) and on the bus ([`report`]).
//! * [`maskhide`](hide) makes them unrecognisable.
//! * [`maskoverlay`](overlay) draws them.
//!
//! As a library: call [`plugin_register_static`] once after `gst::init`, and [`engines::register`] with your engine.
//! As a plugin: point `GST_PLUGIN_PATH` to the folder of `libgstmaskwatch.so`.

pub mod areas;
mod draw;
pub mod engines;
mod frame;
pub mod hide;
pub mod infer;
pub mod meta;
pub mod overlay;
pub mod report;

/// What GStreamer asks of a plugin. The macro writes public items that it does not document.
#[allow(missing_docs)]
mod plugin {
    use gst::glib;

    fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
        crate::infer::register(plugin)?;
        crate::hide::register(plugin)?;
        crate::overlay::register(plugin)
    }

    gst::plugin_define!(
        maskwatch,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        // The licence of the code is Apache-2.0; GStreamer's list of identifiers has no word for it.
        "unknown",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

pub use plugin::plugin_register_static;
