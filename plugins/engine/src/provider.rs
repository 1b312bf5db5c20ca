//! Execution providers: where a network runs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An execution provider of ONNX Runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The first that loads of tensorrt, cuda, openvino, cpu.
    #[default]
    Auto,
    /// ONNX Runtime's own CPU kernels.
    Cpu,
    /// Intel OpenVINO.
    Openvino,
    /// NVIDIA CUDA.
    Cuda,
    /// NVIDIA TensorRT.
    Tensorrt,
}

impl Provider {
    /// All, in the order in which they are documented.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Cpu, Self::Openvino, Self::Cuda, Self::Tensorrt];

    /// The name in config, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Openvino => "openvino",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
        }
    }

    /// What it needs to load.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Auto | Self::Cpu => "run `make setup` to fetch ONNX Runtime again",
            Self::Openvino => {
                "the library must come from the PyPI wheel onnxruntime-openvino, with its OpenVINO libraries beside it; \
                 provider `auto` or `cpu` works without"
            }
            Self::Cuda => {
                "the library must come from the PyPI wheel onnxruntime-gpu, with CUDA and cuDNN of its release installed \
                 and an NVIDIA driver; provider `auto` or `cpu` works without"
            }
            Self::Tensorrt => {
                "the library must come from the PyPI wheel onnxruntime-gpu, with TensorRT, CUDA and cuDNN of its release \
                 installed and an NVIDIA driver; provider `auto`, `cuda` or `cpu` works without"
            }
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider {0:?}; hint: one of auto, cpu, openvino, cuda, tensorrt")]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name).ok_or_else(|| UnknownProvider(name.into()))
    }
}
