//! The command line of `eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use maskwatch_vision::face::MaskState;

use super::models::{ModelArgs, score};

/// What `eval` measures.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Are the faces found, and given the right state? Average precision at IoU 0.5, recall by height
    Detection(EvalDetectionArgs),
    /// Is the state of faces told right whose place is known? Precision, recall, F1, accuracy, confusion, calibration
    Classification(EvalClassificationArgs),
}

/// How figures are told.
#[derive(Args, Clone, Debug)]
pub struct FiguresArgs {
    /// Write JSON instead of a table; `-`, the default, is the standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Also write what was said of each face: in COCO's form of results (detection) or as JSON lines (classification)
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// What a category or a class folder of the data means, where its name is not that of a state; once for each name
    #[arg(long = "map", value_name = "NAME=STATE", value_parser = mapping)]
    pub names: Vec<(String, MaskState)>,
}

/// Arguments of `eval detection`.
#[derive(Args, Debug)]
pub struct EvalDetectionArgs {
    /// Labels in COCO's form, with the categories mask, incorrect and no_mask
    #[arg(long, value_name = "COCO.json")]
    pub data: PathBuf,
    /// Folder of the pictures [default: `images` beside the labels]
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Faces under this score are not looked at; low, so that the curve of precision over recall is whole
    #[arg(long, value_name = "S", value_parser = score, default_value_t = 0.005)]
    pub min_score: f32,
    /// Score at which precision, recall and F1 are told [default: the detector's own threshold]
    #[arg(long, value_name = "S", value_parser = score)]
    pub threshold: Option<f32>,
    /// How figures are told.
    #[command(flatten)]
    pub figures: FiguresArgs,
    /// Models.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Arguments of `eval classification`.
#[derive(Args, Debug)]
pub struct EvalClassificationArgs {
    /// A folder with face crops in the folders mask, incorrect and no_mask, or labels in COCO's form
    #[arg(long, value_name = "DIR|COCO.json")]
    pub data: PathBuf,
    /// With COCO labels: folder of the pictures [default: `images` beside the labels]
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// With COCO labels: leave out faces lower than this many pixels
    #[arg(long, value_name = "PX", default_value_t = 20)]
    pub min_height: u32,
    /// How figures are told.
    #[command(flatten)]
    pub figures: FiguresArgs,
    /// Models; the detector is not used.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// `NAME=STATE`.
fn mapping(text: &str) -> Result<(String, MaskState), String> {
    let (name, state) = text.split_once('=').ok_or("write NAME=STATE, for example with_mask=mask")?;
    let states = maskwatch_vision::eval::faces::STATES;
    let meant = states.into_iter().find(|known| known.as_str() == state);
    meant
        .map(|state| (name.to_owned(), state))
        .ok_or_else(|| format!("`{state}` is no state; the states are mask, incorrect and no_mask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_data_are_mapped_to_states() {
        assert_eq!(mapping("with_mask=mask"), Ok(("with_mask".to_owned(), MaskState::Mask)));
        assert!(mapping("with_mask").is_err_and(|error| error.contains("NAME=STATE")));
        assert!(mapping("a=masked").is_err_and(|error| error.contains("no_mask")));
    }
}
