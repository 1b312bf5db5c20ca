//! `maskwatch image`: faces of still images, as annotated copies and JSON lines.

pub(super) mod decode;
mod output;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use gstmaskwatch::overlay::{Caption, Painter};
use image::RgbImage;
use maskwatch_engine::{Camera, OwnedFrame};
use maskwatch_vision::face::{ClassifiedFace, FaceView};

use super::window::Window;
use crate::cli::ImageArgs;
use crate::metrics::Metrics;
use crate::service;
use output::{Copies, Lines};

/// Runs over all images. An image that cannot be read is told and the others still run; the status is failure then.
pub(super) fn run(args: &ImageArgs) -> anyhow::Result<ExitCode> {
    let mut lines = args.json.as_deref().map(Lines::create).transpose()?;
    let mut copies = args.out.as_deref().map(Copies::create).transpose()?;
    let metrics = Metrics::new().context("metrics")?;
    let engine = service::start_engine(&super::inference(&args.models), &metrics)?;
    let camera = engine.attach("image", 1);
    let mut painter = Painter::new();
    let mut good = true;
    for path in &args.paths {
        let analysed = analyse(path, &camera, args.min_score);
        let (picture, faces) = match analysed {
            Ok(both) => both,
            Err(error) => {
                good = false;
                if let Some(lines) = &mut lines {
                    lines.failed(path, &error)?;
                }
                super::tell(&format!("{}: {error:#}", path.display()));
                continue;
            }
        };
        match &mut lines {
            Some(lines) => lines.image(path, picture.dimensions(), &faces)?,
            None => super::print(&output::summary(path, picture.dimensions(), &faces))?,
        }
        if copies.is_none() && !args.show {
            continue;
        }
        let annotated = annotate(&mut painter, picture, &faces)?;
        if let Some(copies) = &mut copies
            && let Err(error) = copies.write(path, &annotated)
        {
            good = false;
            super::tell(&format!("{}: {error:#}", path.display()));
        }
        if args.show {
            show(path, &annotated)?;
        }
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(super::FAILED) })
}

fn analyse(path: &Path, camera: &Camera, min_score: Option<f32>) -> anyhow::Result<(RgbImage, Vec<ClassifiedFace>)> {
    let picture = decode::upright(path)?;
    let (width, height) = picture.dimensions();
    let frame = OwnedFrame::rgb(width, height, picture.as_raw().clone());
    let faces = camera.analyze(frame, min_score)?;
    Ok((picture, faces))
}

fn annotate(painter: &mut Painter, mut picture: RgbImage, faces: &[ClassifiedFace]) -> anyhow::Result<Arc<RgbImage>> {
    let (width, height) = picture.dimensions();
    let views: Vec<FaceView> = faces.iter().map(view).collect();
    let caption = Caption { camera: "", clock: "", status: "" };
    painter.paint_rgb([width, height], picture.as_mut(), &views, &caption)?;
    Ok(Arc::new(picture))
}

/// A face of one picture, as the overlay wants it: its own state, by this picture alone.
fn view(face: &ClassifiedFace) -> FaceView {
    FaceView {
        track: 0,
        rect: face.detection.rect,
        score: face.detection.score,
        state: face.state,
        confidence: face.states.map_or(face.detection.score, |states| states.best().1),
    }
}

fn show(path: &Path, picture: &Arc<RgbImage>) -> anyhow::Result<()> {
    service::start_media()?;
    Window::of_picture(&path.display().to_string(), picture)?.until_closed()
}
