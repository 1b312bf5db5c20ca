//! What a loaded network must look like to do what its manifest says.

use maskwatch_vision::preprocess::{InputSpec, Layout};
use ort::{
    session::{Session, SessionOutputs},
    value::{Outlet, TensorElementType, ValueType},
};

use crate::manifest::{Manifest, Task};

pub(super) const BATCH_HINT: &str = "export the model with a dynamic first (batch) dimension";

/// Why one candidate provider did not take the model.
pub(super) enum LoadFault {
    /// The provider's fault: the next may do.
    Provider(String),
    /// The model's fault: no provider will do.
    Model { cause: String, hint: &'static str },
}

/// Shape of one input but for the batch dimension, in the order of the layout.
pub(super) fn item_shape(input: &InputSpec) -> [i64; 3] {
    let (width, height) = (i64::from(input.width), i64::from(input.height));
    match input.layout {
        Layout::Nchw => [3, height, width],
        Layout::Nhwc => [height, width, 3],
    }
}

fn names(outlets: &[Outlet]) -> String {
    outlets.iter().map(Outlet::name).collect::<Vec<_>>().join(", ")
}

pub(super) fn check_input(session: &Session, manifest: &Manifest, item_shape: [i64; 3]) -> Result<(), LoadFault> {
    let inputs = session.inputs();
    let fault = |cause: String, hint| Err(LoadFault::Model { cause, hint });
    let [input] = inputs else {
        return fault(
            format!("it has {} inputs ({})", inputs.len(), names(inputs)),
            "only models with one input can be used",
        );
    };
    if input.name() != manifest.input_name {
        let cause = format!("its input is named {:?}, not {:?}", input.name(), manifest.input_name);
        return fault(cause, "set input.name in the manifest");
    }
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return fault("its input is not a tensor".into(), "only tensors can be used");
    };
    if *ty != TensorElementType::Float32 {
        return fault(
            format!("its input {:?} has elements of type {ty}", input.name()),
            "export it with 32-bit float input; only the weights may be smaller",
        );
    }
    let [batch, rest @ ..] = &shape[..] else {
        return fault("its input has no dimensions".into(), "export it with input of four dimensions");
    };
    if *batch >= 0 {
        return fault(format!("its input {:?} has a fixed batch of {batch}", input.name()), BATCH_HINT);
    }
    let fits = rest.len() == 3 && rest.iter().zip(item_shape).all(|(has, want)| *has < 0 || *has == want);
    if !fits {
        let cause = format!(
            "its input {:?} has shape {:?}, the manifest says [batch, {item_shape:?}]",
            input.name(),
            &shape[..]
        );
        return fault(
            cause,
            "set input.width, input.height and input.layout in the manifest (-1 is a dynamic dimension)",
        );
    }
    Ok(())
}

/// The outputs that the manifest names, in the order in which [`Outputs::item`] numbers them.
pub(super) fn wanted_outputs(manifest: &Manifest) -> Vec<String> {
    match &manifest.task {
        Task::Detection(spec) => vec![spec.scores.clone(), spec.boxes.clone()],
        Task::Classification(spec) => vec![spec.output.clone()],
    }
}

pub(super) fn check_outputs(session: &Session, wanted: &[String]) -> Result<(), LoadFault> {
    for name in wanted {
        let Some(outlet) = session.outputs().iter().find(|outlet| outlet.name() == name) else {
            let cause = format!("it has no output {name:?}, but {}", names(session.outputs()));
            return Err(LoadFault::Model { cause, hint: "set the output names in the manifest" });
        };
        let is_float = matches!(outlet.dtype(), ValueType::Tensor { ty: TensorElementType::Float32, .. });
        if !is_float {
            let cause = format!("its output {name:?} is not a tensor of 32-bit floats");
            return Err(LoadFault::Model {
                cause,
                hint: "export it with 32-bit float output; only the weights may be smaller",
            });
        }
    }
    Ok(())
}

pub(super) fn output_shapes(ran: &SessionOutputs<'_>, manifest: &Manifest) -> Result<Vec<(String, Vec<i64>)>, String> {
    wanted_outputs(manifest)
        .into_iter()
        .map(|name| {
            let shape = tensor(ran, &name)?.0.to_vec();
            Ok((name, shape))
        })
        .collect()
}

/// Compares the shapes of a run with what the manifest says of classes, labels and anchors.
pub(super) fn check_shapes(manifest: &Manifest, shapes: &[(String, Vec<i64>)]) -> Result<(), LoadFault> {
    let fault = |cause: String, hint| Err(LoadFault::Model { cause, hint });
    match (&manifest.task, shapes) {
        (Task::Classification(spec), [(name, shape)]) => {
            if shape.len() != 2 || shape[1] != spec.labels.len() as i64 {
                let cause = format!(
                    "its output {name:?} has shape {shape:?}, the manifest says [batch, {}]",
                    spec.labels.len()
                );
                return fault(cause, "set classification.labels in the manifest");
            }
        }
        (Task::Detection(spec), [(scores_name, scores), (boxes_name, boxes)]) => {
            let classes = spec.decode.classes.len() as i64;
            if scores.len() != 3 || scores[2] != classes {
                let cause = format!(
                    "its output {scores_name:?} has shape {scores:?}, the manifest says [batch, boxes, {classes}]"
                );
                return fault(cause, "set detection.classes in the manifest");
            }
            if boxes.len() != 3 || boxes[2] != 4 || boxes[1] != scores[1] {
                let cause =
                    format!("its output {boxes_name:?} has shape {boxes:?}, [batch, {}, 4] fits its scores", scores[1]);
                return fault(cause, "set detection.boxes in the manifest to the tensor of boxes");
            }
            if let Some(anchors) = spec.anchors.filter(|anchors| *anchors as i64 != scores[1]) {
                let cause = format!("it gives {} boxes, the manifest's anchors are {anchors}", scores[1]);
                return fault(
                    cause,
                    "set detection.anchors and the input size in the manifest as the model was trained",
                );
            }
        }
        _ => return fault("outputs and task do not fit".into(), "this is a fault of the program; please report it"),
    }
    Ok(())
}

/// Shape and values of one output.
pub(super) fn tensor<'a>(ran: &'a SessionOutputs<'_>, name: &str) -> Result<(&'a [i64], &'a [f32]), String> {
    let value = ran.get(name).ok_or_else(|| format!("the network gave no output {name:?}"))?;
    let (shape, values) = value.try_extract_tensor::<f32>().map_err(|error| format!("output {name:?}: {error}"))?;
    Ok((shape, values))
}
