//! The command line: types only.

mod access;
mod eval;
mod models;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use models::score;

use crate::logging::LogFormat;

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
    /// Let the system write a core where the program crashes: it holds the passwords of all cameras
    #[arg(long, global = true, env = "MASKWATCH_CORE_DUMPS")]
    pub core_dumps: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the configured cameras: annotated RTSP streams, metrics, web page
    Run(RunArgs),
    /// Show everything on simulated cameras; needs no camera, no GPU, no configuration
    Demo(DemoArgs),
    /// Connect to a camera once and tell what it sends, or why nothing comes
    Probe(ProbeArgs),
    /// Check a configuration and name every problem at once; opens nothing
    Check(CheckArgs),
    /// Tell what a service that runs by one configuration would do if it were given another; exit 1 where something differs
    Diff(DiffArgs),
    /// Print the JSON Schema of the configuration, or of events
    Schema(SchemaArgs),
    /// Find and classify the faces in still images
    Image(ImageArgs),
    /// Find, track and classify the faces in a video file, every frame
    Video(VideoArgs),
    /// Serve video files as endless RTSP cameras /cam0, /cam1, …
    CameraSim(CameraSimArgs),
    /// Measure the models on labelled pictures
    #[command(subcommand)]
    Eval(EvalCommand),
    /// List the installed models, or verify their files
    Models(ModelsArgs),
    /// People who may look or change: add, give another password, remove, list
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens of machines that may look, change or read the metrics: add, remove, list
    #[command(subcommand)]
    Token(TokenCommand),
}

pub use access::{Expiry, TokenAddArgs, TokenCommand, UserAddArgs, UserCommand, UserPasswdArgs, UsersFileArgs};
pub use eval::{EvalClassificationArgs, EvalCommand, EvalDetectionArgs, FiguresArgs};
pub use models::{ModelArgs, ModelsAction, ModelsArgs};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "config/maskwatch.yaml")]
    pub config: PathBuf,
}

/// Arguments of `schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Of an event instead
    #[arg(long)]
    pub events: bool,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = "config/maskwatch.yaml")]
    pub config: PathBuf,
}

/// Arguments of `diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The new configuration
    #[arg(short, long, value_name = "NEW")]
    pub config: PathBuf,
    /// The configuration that is in force
    #[arg(long, value_name = "OLD", default_value = "config/maskwatch.yaml")]
    pub against: PathBuf,
    /// Write JSON instead of lines
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `probe`.
#[derive(Args, Debug)]
pub struct ProbeArgs {
    /// Where the pictures come from: rtsp, rtsps, http, https, file or v4l2, without a password; or a file's path
    #[arg(value_name = "URL")]
    pub url: String,
    /// User name; the password is asked for, or read from the standard input
    #[arg(long, value_name = "U")]
    pub username: Option<String>,
    /// File that holds the password and nothing else
    #[arg(long, value_name = "F", requires = "username")]
    pub password_file: Option<PathBuf>,
    /// How RTSP media travels
    #[arg(long, value_enum, default_value = "tcp", value_name = "WAY")]
    pub transport: ProbeTransport,
    /// Accept a certificate that does not verify (rtsps, https)
    #[arg(long)]
    pub insecure_tls: bool,
    /// Look at the pictures for so many seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Write JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// How RTSP media travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProbeTransport {
    /// In the RTSP connection.
    Tcp,
    /// UDP only.
    Udp,
    /// UDP, then TCP where nothing arrives.
    Auto,
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

/// What may be seen of faces in pictures that a command writes or shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FilePrivacy {
    /// Pictures as they are.
    Off,
    /// No recognisable face.
    Blur,
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
    /// Hide faces in what is written and shown; boxes and JSON stay
    #[arg(long, value_enum, default_value = "off", value_name = "MODE")]
    pub privacy: FilePrivacy,
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
    /// Hide faces in what is written and shown; boxes and JSON stay
    #[arg(long, value_enum, default_value = "off", value_name = "MODE")]
    pub privacy: FilePrivacy,
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

    #[test]
    fn files_have_no_totals_to_wait_for() {
        for command in ["image", "video"] {
            assert!(Cli::try_parse_from(["maskwatch", command, "a", "--privacy", "blur"]).is_ok());
            assert!(Cli::try_parse_from(["maskwatch", command, "a", "--privacy", "statistics"]).is_err());
        }
    }
}
