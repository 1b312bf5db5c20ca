//! A loaded network: checked against its manifest, then run on batches.

mod check;
#[cfg(test)]
mod golden_tests;

use std::{borrow::Cow, path::Path};

use ort::{
    environment::Environment,
    session::{Session, SessionOutputs},
    value::TensorRef,
};

use self::check::{
    BATCH_HINT, LoadFault, check_input, check_outputs, check_shapes, item_shape, output_shapes, tensor, wanted_outputs,
};
use crate::{EngineError, ModelInfo, Provider, manifest::Manifest, provider::Setup};

/// What a network is loaded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadOptions<'a> {
    /// As asked for; [`Provider::Auto`] tries several.
    pub(crate) provider: Provider,
    /// Threads of one run on the CPU, at least 1.
    pub(crate) threads: usize,
    /// Largest batch that will be run.
    pub(crate) max_batch: usize,
    /// Folder for compiled engines.
    pub(crate) cache_dir: Option<&'a Path>,
}

/// An output tensor: its name and its shape but for the batch dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Output {
    name: String,
    item_shape: Vec<i64>,
}

/// A network that is ready to run. Owned by one thread: ONNX Runtime's runs are not all safe side by side.
#[derive(Debug)]
pub(crate) struct Network {
    session: Session,
    info: ModelInfo,
    input: String,
    item_shape: [i64; 3],
    item_len: usize,
    outputs: Vec<Output>,
    max_batch: usize,
}

impl Network {
    /// Loads the model of `manifest` and checks names, element types, shapes and the dynamic batch, by runs of one and
    /// of two inputs. These and, on a GPU, runs of every padded size also warm the network up.
    ///
    /// # Errors
    /// The file is missing or altered, does not do what the manifest says, or the provider asked for does not load.
    pub(crate) fn load(
        manifest: &Manifest,
        environment: &Environment,
        options: LoadOptions<'_>,
    ) -> Result<Self, EngineError> {
        let bytes = manifest.read_model()?;
        let mut last = String::new();
        for &provider in options.provider.candidates() {
            match Self::load_with(manifest, &bytes, environment, options, provider) {
                Ok(network) => {
                    tracing::info!(model = manifest.name, %provider, "model loaded");
                    return Ok(network);
                }
                Err(LoadFault::Model { cause, hint }) => {
                    return Err(EngineError::Model { model: manifest.name.clone(), cause, hint: hint.into() });
                }
                Err(LoadFault::Provider(cause)) => {
                    if options.provider == Provider::Auto {
                        tracing::info!(model = manifest.name, %provider, cause, "provider does not load, trying the next");
                    }
                    last = cause;
                }
            }
        }
        Err(EngineError::Provider { model: manifest.name.clone(), provider: options.provider, cause: last })
    }

    fn load_with(
        manifest: &Manifest,
        bytes: &[u8],
        environment: &Environment,
        options: LoadOptions<'_>,
        provider: Provider,
    ) -> Result<Self, LoadFault> {
        let item_shape = item_shape(&manifest.input);
        let setup = Setup {
            threads: options.threads,
            cache_dir: options.cache_dir,
            input: &manifest.input_name,
            item_shape,
            // Batches of two are tried out whatever the options.
            max_batch: options.max_batch.max(2),
        };
        let built_in = provider.is_built_in().map_err(|error| LoadFault::Provider(error.to_string()))?;
        if !built_in {
            return Err(LoadFault::Provider("this build of ONNX Runtime does not have it".into()));
        }
        let session = create(bytes, environment, provider, &setup).map_err(|error| {
            // The CPU provider is always there: what fails on it is the model.
            if provider == Provider::Cpu {
                LoadFault::Model {
                    cause: error.to_string(),
                    hint: "the ONNX file is damaged or needs a newer ONNX Runtime",
                }
            } else {
                LoadFault::Provider(error.to_string())
            }
        })?;
        check_input(&session, manifest, item_shape)?;
        let outputs = wanted_outputs(manifest);
        check_outputs(&session, &outputs)?;
        let info = ModelInfo {
            name: manifest.name.clone(),
            task: manifest.task.as_str().into(),
            precision: manifest.precision.as_str().into(),
            provider,
            threads: matches!(provider, Provider::Cpu | Provider::Openvino).then_some(options.threads),
        };
        let outputs = outputs.into_iter().map(|name| Output { name, item_shape: Vec::new() }).collect();
        let mut network = Self {
            session,
            info,
            input: manifest.input_name.clone(),
            item_shape,
            item_len: manifest.input.len(),
            outputs,
            max_batch: options.max_batch.max(1),
        };
        network.try_out(manifest)?;
        Ok(network)
    }

    /// Runs zeros: learns the outputs' shapes and checks them against the manifest, and that the batch is dynamic.
    fn try_out(&mut self, manifest: &Manifest) -> Result<(), LoadFault> {
        let cpu = self.info.provider == Provider::Cpu;
        let fault = move |cause: String| {
            if cpu {
                let hint = "the model fails on a picture of zeros of the manifest's size: check `input`, and that the \
                            model was exported with a dynamic first (batch) dimension";
                LoadFault::Model { cause, hint }
            } else {
                LoadFault::Provider(cause)
            }
        };
        let zeros = vec![0.0; self.item_len * 2];
        let mut shapes = Vec::new();
        for batch in [1, 2] {
            let ran = self.run_raw(&zeros[..self.item_len * batch], batch).map_err(|error| fault(error.to_string()))?;
            let got = output_shapes(&ran, manifest).map_err(fault)?;
            for (name, shape) in &got {
                if shape.first() != Some(&(batch as i64)) {
                    let cause = format!("output {name:?} has shape {shape:?} for a batch of {batch}");
                    return Err(LoadFault::Model { cause, hint: BATCH_HINT });
                }
            }
            shapes = got;
        }
        check_shapes(manifest, &shapes)?;
        for (output, (_, shape)) in self.outputs.iter_mut().zip(shapes) {
            output.item_shape = shape[1..].to_vec();
        }
        if self.info.provider.pads_batches() {
            let mut size = 4;
            while size <= self.padded(self.max_batch) {
                let zeros = vec![0.0; self.item_len * size];
                self.run_raw(&zeros, size).map_err(|error| fault(error.to_string()))?;
                size *= 2;
            }
        }
        Ok(())
    }

    /// Name, task, precision and provider.
    pub(crate) fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Values of one input.
    pub(crate) fn item_len(&self) -> usize {
        self.item_len
    }

    /// The batch size that is run for `count` inputs: the next power of two on GPUs, else `count`.
    pub(crate) fn padded(&self, count: usize) -> usize {
        if self.info.provider.pads_batches() { count.next_power_of_two().min(self.max_batch.max(count)) } else { count }
    }

    /// Runs `count` inputs, one after the other in `data`; `data` may hold more values than they need.
    ///
    /// # Errors
    /// Says what ONNX Runtime said, or that an output has another shape than when the model was loaded.
    pub(crate) fn run(&mut self, data: &[f32], count: usize) -> Result<Outputs<'_>, String> {
        let batch = self.padded(count);
        let want = batch * self.item_len;
        let data = match data.get(..want) {
            Some(data) => Cow::Borrowed(data),
            None => {
                let mut padded = data.to_vec();
                padded.resize(want, 0.0);
                Cow::Owned(padded)
            }
        };
        let ran = run_session(&mut self.session, &self.input, self.item_shape, &data, batch)
            .map_err(|error| error.to_string())?;
        for output in &self.outputs {
            let (shape, _) = tensor(&ran, &output.name)?;
            if shape.first() != Some(&(batch as i64)) || shape[1..] != output.item_shape[..] {
                return Err(format!(
                    "output {:?} has shape {shape:?}, [{batch}, {:?}] expected",
                    output.name, output.item_shape
                ));
            }
        }
        Ok(Outputs { ran, expected: &self.outputs, count })
    }

    fn run_raw(&mut self, data: &[f32], batch: usize) -> ort::Result<SessionOutputs<'_>> {
        run_session(&mut self.session, &self.input, self.item_shape, data, batch)
    }
}

fn run_session<'a>(
    session: &'a mut Session,
    input: &str,
    item_shape: [i64; 3],
    data: &[f32],
    batch: usize,
) -> ort::Result<SessionOutputs<'a>> {
    let [a, b, c] = item_shape;
    let tensor = TensorRef::from_array_view(([batch as i64, a, b, c], data))?;
    session.run(ort::inputs![input => tensor])
}

/// The outputs of one run, in the order of the manifest's names.
#[derive(Debug)]
pub(crate) struct Outputs<'a> {
    ran: SessionOutputs<'a>,
    expected: &'a [Output],
    count: usize,
}

impl Outputs<'_> {
    /// The values of output number `output` for input number `item`.
    ///
    /// # Errors
    /// There is no such output or input.
    pub(crate) fn item(&self, output: usize, item: usize) -> Result<&[f32], String> {
        let output = self.expected.get(output).ok_or_else(|| format!("the network has no output number {output}"))?;
        let len = output.item_shape.iter().product::<i64>() as usize;
        let (_, values) = tensor(&self.ran, &output.name)?;
        let range = item * len..(item + 1) * len;
        values.get(range).filter(|_| item < self.count).ok_or_else(|| format!("the batch has no input number {item}"))
    }
}

fn create(bytes: &[u8], environment: &Environment, provider: Provider, setup: &Setup<'_>) -> ort::Result<Session> {
    if let Some(folder) = setup.cache_dir.filter(|_| provider != Provider::Cpu)
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        tracing::warn!(folder = %folder.display(), %error, "cannot make the cache folder: the engine is compiled at each start");
    }
    Session::builder(environment)?
        .with_no_environment_execution_providers()?
        .with_execution_providers(provider.dispatch(setup))?
        .with_intra_threads(setup.threads)?
        // Threads that wait by spinning would take the cores that cameras decode on.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .commit_from_memory(bytes)
}
