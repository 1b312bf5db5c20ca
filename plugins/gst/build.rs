//! Tells the plugin its version and date of release.

fn main() {
    gst_plugin_version_helper::info()
}
