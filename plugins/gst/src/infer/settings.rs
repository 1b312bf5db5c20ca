//! What the user sets: the properties of `maskinfer`.

use gst::{glib, prelude::*};
use maskwatch_engine::{EngineOptions, Provider};
use maskwatch_vision::zone::Areas;

/// Properties that may be changed while the element runs.
pub(super) const LIVE: [&str; 7] = ["engine", "analyze-fps", "weight", "min-score", "hide", "hide-score", "areas"];

/// Values of the properties, by their names.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) engine: String,
    pub(super) camera: String,
    pub(super) analyze_fps: f64,
    pub(super) sync: bool,
    pub(super) track: bool,
    pub(super) weight: u32,
    min_score: f32,
    hide: bool,
    hide_score: f32,
    areas: String,
    models_dir: String,
    detector: String,
    classifier: String,
    provider: String,
    library: String,
    max_batch: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let options = EngineOptions::default();
        Self {
            engine: "default".into(),
            camera: String::new(),
            analyze_fps: 5.0,
            sync: false,
            track: true,
            weight: 1,
            min_score: -1.0,
            hide: false,
            hide_score: -1.0,
            areas: String::new(),
            models_dir: options.models_dir.to_string_lossy().into_owned(),
            detector: options.detector,
            classifier: options.classifier.unwrap_or_default(),
            provider: options.provider.to_string(),
            library: String::new(),
            max_batch: u32::try_from(options.max_batch).unwrap_or(u32::MAX),
        }
    }
}

impl Settings {
    /// The least detection score, where the user sets one.
    pub(super) fn min_score(&self) -> Option<f32> {
        (self.min_score >= 0.0).then_some(self.min_score)
    }

    /// The least score of what may be a face and is to be hidden, where the user asks for such; `model`: the model's own.
    pub(super) fn hide_score(&self, model: f32) -> Option<f32> {
        self.hide.then_some(if self.hide_score >= 0.0 { self.hide_score } else { model })
    }

    /// The areas.
    ///
    /// # Errors
    /// For a text that is not of their form.
    pub(super) fn areas(&self) -> Result<Areas, String> {
        crate::areas::parse(&self.areas)
    }

    /// Options of an engine that this element starts.
    ///
    /// # Errors
    /// For the name of a provider that does not exist; the message lists those that do.
    pub(super) fn options(&self) -> Result<EngineOptions, String> {
        let provider: Provider = self.provider.parse().map_err(|error| format!("property provider: {error}"))?;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(EngineOptions {
            models_dir: self.models_dir.clone().into(),
            detector: self.detector.clone(),
            classifier: some(&self.classifier),
            provider,
            library: some(&self.library).map(Into::into),
            max_batch: self.max_batch as usize,
            ..EngineOptions::default()
        })
    }

    /// Sets a property; false for a name that is none. A null string is an empty one.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        let text = || value.get::<Option<String>>().ok().flatten().unwrap_or_default();
        match name {
            "engine" => self.engine = text(),
            "camera" => self.camera = text(),
            "analyze-fps" => self.analyze_fps = value.get().unwrap_or(self.analyze_fps),
            "sync" => self.sync = value.get().unwrap_or(self.sync),
            "track" => self.track = value.get().unwrap_or(self.track),
            "weight" => self.weight = value.get().unwrap_or(self.weight),
            "min-score" => self.min_score = value.get().unwrap_or(self.min_score),
            "hide" => self.hide = value.get().unwrap_or(self.hide),
            "hide-score" => self.hide_score = value.get().unwrap_or(self.hide_score),
            "areas" => self.areas = text(),
            "models-dir" => self.models_dir = text(),
            "detector" => self.detector = text(),
            "classifier" => self.classifier = text(),
            "provider" => self.provider = text(),
            "library" => self.library = text(),
            "max-batch" => self.max_batch = value.get().unwrap_or(self.max_batch),
            _ => return false,
        }
        true
    }

    /// A property's value; `None` for a name that is none.
    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "engine" => self.engine.to_value(),
            "camera" => self.camera.to_value(),
            "analyze-fps" => self.analyze_fps.to_value(),
            "sync" => self.sync.to_value(),
            "track" => self.track.to_value(),
            "weight" => self.weight.to_value(),
            "min-score" => self.min_score.to_value(),
            "hide" => self.hide.to_value(),
            "hide-score" => self.hide_score.to_value(),
            "areas" => self.areas.to_value(),
            "models-dir" => self.models_dir.to_value(),
            "detector" => self.detector.to_value(),
            "classifier" => self.classifier.to_value(),
            "provider" => self.provider.to_value(),
            "library" => self.library.to_value(),
            "max-batch" => self.max_batch.to_value(),
            _ => return None,
        })
    }
}

/// When a property may be changed.
fn mutable(name: &str) -> glib::ParamFlags {
    if LIVE.contains(&name) { gst::PARAM_FLAG_MUTABLE_PLAYING } else { gst::PARAM_FLAG_MUTABLE_READY }
}

fn string(name: &str, nick: &str, blurb: &str, default: &str) -> glib::ParamSpec {
    let spec = glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).default_value(Some(default));
    spec.flags(glib::ParamFlags::READWRITE | mutable(name)).build()
}

fn boolean(name: &str, nick: &str, blurb: &str, default: bool) -> glib::ParamSpec {
    let spec = glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default);
    spec.flags(glib::ParamFlags::READWRITE | mutable(name)).build()
}

fn score(name: &str, nick: &str, blurb: &str, default: f32) -> glib::ParamSpec {
    glib::ParamSpecFloat::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(-1.0)
        .maximum(1.0)
        .default_value(default)
        .flags(glib::ParamFlags::READWRITE | mutable(name))
        .build()
}

fn number(name: &str, nick: &str, blurb: &str, (least, most): (u32, u32), default: u32) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(least)
        .maximum(most)
        .default_value(default)
        .flags(glib::ParamFlags::READWRITE | mutable(name))
        .build()
}

/// The properties, with the defaults of [`Settings`].
pub(super) fn properties() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    let mut specs = vec![
        string("engine", "Engine", "Elements that name the same engine share it", &default.engine),
        string("camera", "Camera", "Name in reports; empty: the element's name", &default.camera),
        glib::ParamSpecDouble::builder("analyze-fps")
            .nick("Analysed frames per second")
            .blurb("Frames analysed per second of running time; 0: every frame")
            .minimum(0.0)
            .maximum(1000.0)
            .default_value(default.analyze_fps)
            .mutable_playing()
            .build(),
        boolean("sync", "Wait for results", "Every analysed frame waits for its own result", default.sync),
        boolean("track", "Track faces", "Faces become tracks with voted states, and people", default.track),
        number(
            "weight",
            "Weight",
            "Share of an overloaded engine, relative to other cameras",
            (1, 100),
            default.weight,
        ),
        score("min-score", "Least score", "Least detection score; below 0: the model's own", default.min_score),
        boolean("hide", "Name what to hide", "Reports name all boxes that may be faces", default.hide),
        score(
            "hide-score",
            "Least score to hide",
            "With hide: least score of a box that may be a face; below 0: the model's own",
            default.hide_score,
        ),
        string("areas", "Areas", "Zones, lines and ignore masks as JSON; empty: none", &default.areas),
    ];
    specs.extend(engine_properties(&default));
    specs
}

/// Properties of an engine that the element starts itself.
fn engine_properties(default: &Settings) -> Vec<glib::ParamSpec> {
    vec![
        string("models-dir", "Models", "Folder of the models, for an engine started here", &default.models_dir),
        string("detector", "Detector", "Detector's folder under models-dir, or a path", &default.detector),
        string(
            "classifier",
            "Classifier",
            "Classifier's folder under models-dir, or a path; empty: the detector's own states",
            &default.classifier,
        ),
        string("provider", "Provider", "auto, cpu, openvino, cuda or tensorrt", &default.provider),
        string("library", "Library", "ONNX Runtime's library; empty: searched for", &default.library),
        number("max-batch", "Most frames in a batch", "Most frames in one detector run", (1, 256), default.max_batch),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_its_setting_and_default() {
        gst::init().unwrap();
        let mut settings = Settings::default();
        for spec in properties() {
            let value = settings.get(spec.name()).unwrap();
            assert_eq!(value.type_(), spec.value_type(), "{}", spec.name());
            let default = spec.default_value();
            assert_eq!(value.compare_text(), default.compare_text(), "{}", spec.name());
            assert!(settings.set(spec.name(), &value));
        }
        assert!(settings.get("nonsense").is_none());
        assert!(settings.set("camera", &None::<String>.to_value()));
        assert_eq!(settings.camera, "");
    }

    #[test]
    fn what_to_hide_is_asked_for_and_then_by_the_models_score() {
        let mut settings = Settings::default();
        assert_eq!(settings.hide_score(0.1), None);
        settings.set("hide", &true.to_value());
        assert_eq!(settings.hide_score(0.1), Some(0.1));
        settings.set("hide-score", &0.3f32.to_value());
        assert_eq!(settings.hide_score(0.1), Some(0.3));
    }

    trait CompareText {
        fn compare_text(&self) -> String;
    }

    impl CompareText for glib::Value {
        fn compare_text(&self) -> String {
            format!("{self:?}")
        }
    }

    #[test]
    fn a_wrong_provider_is_told_with_the_right_ones() {
        gst::init().unwrap();
        let mut settings = Settings::default();
        assert!(settings.options().is_ok());
        settings.set("provider", &"quantum".to_value());
        assert!(settings.options().unwrap_err().contains("openvino"));
    }
}
