//! Execution providers: where a network runs.

use std::{fmt, path::Path, str::FromStr};

use ort::ep::{self, ExecutionProvider, ExecutionProviderDispatch};
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

impl Provider {
    /// Providers to try, best first.
    pub(crate) fn candidates(self) -> &'static [Self] {
        match self {
            Self::Auto => &[Self::Tensorrt, Self::Cuda, Self::Openvino, Self::Cpu],
            Self::Cpu => &[Self::Cpu],
            Self::Openvino => &[Self::Openvino],
            Self::Cuda => &[Self::Cuda],
            Self::Tensorrt => &[Self::Tensorrt],
        }
    }

    /// Whether batches are padded to few sizes: these providers build or tune something for each shape they see.
    pub(crate) fn pads_batches(self) -> bool {
        matches!(self, Self::Cuda | Self::Tensorrt)
    }

    /// Whether this build of ONNX Runtime knows the provider at all. It may still not load.
    pub(crate) fn is_built_in(self) -> ort::Result<bool> {
        match self {
            Self::Auto | Self::Cpu => Ok(true),
            Self::Openvino => ep::OpenVINO::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::Tensorrt => ep::TensorRT::is_available(),
        }
    }

    /// What to register with a session, most wanted first. Each fails the session where it does not load.
    pub(crate) fn dispatch(self, setup: &Setup<'_>) -> Vec<ExecutionProviderDispatch> {
        let cpu = || ep::CPU::default().with_arena_allocator(true).build().error_on_failure();
        let cuda = || ep::CUDA::default().build().error_on_failure();
        match self {
            Self::Auto | Self::Cpu => vec![cpu()],
            Self::Openvino => {
                let mut openvino = ep::OpenVINO::default()
                    .with_device_type("CPU")
                    .with_num_threads(setup.threads)
                    .with_dynamic_shapes(true);
                if let Some(folder) = setup.cache_dir {
                    openvino = openvino.with_cache_dir(folder.display());
                }
                vec![openvino.build().error_on_failure(), cpu()]
            }
            Self::Cuda => vec![cuda(), cpu()],
            Self::Tensorrt => vec![setup.tensorrt().build().error_on_failure(), cuda(), cpu()],
        }
    }
}

/// What providers want to know of a session to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// Threads of one run on the CPU, at least 1.
    pub(crate) threads: usize,
    /// Folder for compiled engines.
    pub(crate) cache_dir: Option<&'a Path>,
    /// Name of the input tensor.
    pub(crate) input: &'a str,
    /// Its shape but for the batch dimension.
    pub(crate) item_shape: [i64; 3],
    /// Largest batch.
    pub(crate) max_batch: usize,
}

impl Setup<'_> {
    /// TensorRT with one engine for all batch sizes, kept on disk: building one takes minutes.
    fn tensorrt(&self) -> ep::TensorRT {
        let [a, b, c] = self.item_shape;
        let shape = |batch: usize| format!("{}:{batch}x{a}x{b}x{c}", self.input);
        let tensorrt = ep::TensorRT::default()
            .with_profile_min_shapes(shape(1))
            .with_profile_opt_shapes(shape(self.max_batch))
            .with_profile_max_shapes(shape(self.max_batch));
        match self.cache_dir {
            Some(folder) => tensorrt
                .with_engine_cache(true)
                .with_engine_cache_path(folder.display())
                .with_timing_cache(true)
                .with_timing_cache_path(folder.display()),
            None => tensorrt,
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

#[cfg(test)]
mod tests {
    use super::Provider;

    #[test]
    fn names_go_both_ways() {
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
            assert_eq!(serde_json::to_string(&provider).unwrap(), format!("\"{provider}\""));
        }
        let error = "gpu".parse::<Provider>().unwrap_err().to_string();
        assert!(error.contains("\"gpu\"") && error.contains("tensorrt"), "{error}");
    }

    #[test]
    fn auto_ends_with_the_cpu_and_never_tries_itself() {
        let tried = Provider::Auto.candidates();
        assert_eq!(tried.last(), Some(&Provider::Cpu));
        assert!(!tried.contains(&Provider::Auto));
    }
}
