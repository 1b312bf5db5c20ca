//! The manifest as it is written, before it is checked.

use maskwatch_vision::{
    detect::{Activation, ClassName},
    face::MaskState,
    preprocess::{ChannelOrder, Layout, Resize},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    pub(super) name: String,
    pub(super) task: RawTask,
    pub(super) file: String,
    pub(super) sha256: String,
    pub(super) precision: Precision,
    pub(super) input: RawInput,
    pub(super) detection: Option<RawDetection>,
    pub(super) classification: Option<RawClassification>,
    pub(super) licence: Option<String>,
    pub(super) description: Option<String>,
    pub(super) card: Option<String>,
    #[serde(default)]
    pub(super) sources: Vec<serde_yaml::Value>,
    pub(super) accuracy: Option<serde_yaml::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawTask {
    Detection,
    Classification,
}

/// Number format of a model's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integers.
    Int8,
}

impl Precision {
    /// The name in manifests and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInput {
    pub(super) name: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) layout: Layout,
    pub(super) color: ChannelOrder,
    pub(super) mean: [f32; 3],
    pub(super) std: [f32; 3],
    pub(super) resize: Resize,
    pub(super) pad: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDetection {
    pub(super) scores: String,
    pub(super) boxes: String,
    pub(super) classes: Vec<ClassName>,
    pub(super) activation: Activation,
    pub(super) calibration: Option<RawCalibration>,
    pub(super) box_format: RawBoxFormat,
    pub(super) variances: Option<[f32; 2]>,
    pub(super) anchors: Option<RawAnchors>,
    pub(super) score_threshold: f32,
    pub(super) hide_score: Option<f32>,
    pub(super) nms_iou: f32,
    pub(super) voting: Option<RawVoting>,
    pub(super) max_faces: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCalibration {
    pub(super) scale: f32,
    pub(super) shift: f32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVoting {
    pub(super) floor: f32,
    pub(super) inside: f32,
    pub(super) iou: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawBoxFormat {
    Corners,
    Ssd,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnchors {
    pub(super) levels: Vec<RawLevel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLevel {
    pub(super) stride: u32,
    pub(super) boxes: Vec<[f32; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClassification {
    pub(super) output: String,
    pub(super) labels: Vec<MaskState>,
    pub(super) activation: Activation,
    pub(super) temperature: f32,
    pub(super) crop: RawCrop,
    pub(super) unknown_below: f32,
    pub(super) min_face_px: f32,
    pub(super) detector_weight: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCrop {
    pub(super) margin: f32,
    pub(super) square: bool,
}
