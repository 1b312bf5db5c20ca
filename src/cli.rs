//! The command line: types only.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Counts people with a face mask, with a badly worn one and without, on many cameras at once.
#[derive(Debug, Parser)]
#[command(name = "maskwatch", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Log format
    #[arg(
        long,
        global = true,
        env = "MASKWATCH_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `maskwatch=debug,gst=warn`
    #[arg(long, global = true, env = "MASKWATCH_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line per event, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the configured cameras: annotated RTSP streams, metrics, web page
    Run(RunArgs),
    /// Show everything on simulated cameras; needs no camera, no GPU, no configuration
    Demo(DemoArgs),
    /// Check a configuration and name every problem at once; opens nothing
    Check(CheckArgs),
    /// Print the configuration's JSON Schema
    Schema,
    /// Find and classify the faces in still images
    Image(ImageArgs),
    /// Find, track and classify the faces in a video file, every frame
    Video(VideoArgs),
    /// Serve video files as endless RTSP cameras /cam0, /cam1, …
    CameraSim(CameraSimArgs),
    /// List the installed models, or verify their files
    Models(ModelsArgs),
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "config/maskwatch.yaml")]
    pub config: PathBuf,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "config/maskwatch.yaml")]
    pub config: PathBuf,
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where the annotated streams are served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8554")]
    pub rtsp: SocketAddr,
    /// Where the web page and the metrics are served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// Stop by itself after so many seconds
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Folder of the portrait and of the clips made from it [default: .fetched/demo]
    #[arg(long, value_name = "DIR")]
    pub scenes: Option<PathBuf>,
    /// Only make the clips
    #[arg(long)]
    pub prepare: bool,
}

/// Which models, and where they run; for the commands without a configuration.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// Folder that holds the models [default: found beside the program]
    #[arg(long, value_name = "DIR", env = "MASKWATCH_MODELS")]
    pub models_dir: Option<PathBuf>,
    /// Detector: a folder's name, or the path of a model folder or manifest
    #[arg(long, value_name = "NAME")]
    pub detector: Option<String>,
    /// Classifier, likewise; `none`: the detector's own states serve
    #[arg(long, value_name = "NAME")]
    pub classifier: Option<String>,
    /// Where the networks run: auto, cpu, openvino, cuda or tensorrt
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub provider: maskwatch_engine::Provider,
    /// ONNX Runtime's library [default: found, see `make setup`]
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH")]
    pub library: Option<PathBuf>,
}

/// Arguments of `image`.
#[derive(Args, Debug)]
pub struct ImageArgs {
    /// Image files: JPEG, PNG, WebP or BMP
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write annotated copies into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write one JSON line per image; `-` is the standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Leave out faces under this score, 0 to 1 [default: the model's]
    #[arg(long, value_name = "S", value_parser = score)]
    pub min_score: Option<f32>,
    /// Show each image in a window; `q` closes it
    #[arg(long)]
    pub show: bool,
    /// Models.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Arguments of `video`.
#[derive(Args, Debug)]
pub struct VideoArgs {
    /// Video file
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Write the annotated video into this file (MP4, H.264)
    #[arg(long, value_name = "FILE.mp4")]
    pub out: Option<PathBuf>,
    /// Write one JSON line per frame and a summary; `-` is the standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Leave out faces under this score, 0 to 1 [default: the model's]
    #[arg(long, value_name = "S", value_parser = score)]
    pub min_score: Option<f32>,
    /// Show the annotated video in a window; `q` closes it
    #[arg(long)]
    pub show: bool,
    /// Models.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Arguments of `camera-sim`.
#[derive(Args, Debug)]
pub struct CameraSimArgs {
    /// Video files, one camera each
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the cameras are served; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8555")]
    pub listen: SocketAddr,
}

/// Arguments of `models`.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    /// `list` (default) or `verify`
    #[arg(value_enum, default_value = "list", value_name = "ACTION")]
    pub action: ModelsAction,
    /// Folder that holds the models [default: found beside the program]
    #[arg(long, value_name = "DIR", env = "MASKWATCH_MODELS")]
    pub models_dir: Option<PathBuf>,
}

/// What `models` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelsAction {
    /// Names, tasks, sizes, licences.
    List,
    /// Compares every model file with the sha256 of its manifest.
    Verify,
}

/// A probability.
fn score(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("{value} is not between 0 and 1")) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_contract() {
        let cli = Cli::try_parse_from(["maskwatch", "run"]).unwrap();
        let Command::Run(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.config, PathBuf::from("config/maskwatch.yaml"));
    }

    #[test]
    fn a_score_outside_is_refused() {
        assert!(Cli::try_parse_from(["maskwatch", "image", "a.png", "--min-score", "1.5"]).is_err());
        assert!(Cli::try_parse_from(["maskwatch", "image"]).is_err());
    }
}
