//! `maskwatch image`: faces of still images, as annotated copies and JSON lines.

pub(super) mod decode;
mod output;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gstmaskwatch::hide;
use gstmaskwatch::overlay::{Caption, Painter};
use image::RgbImage;
use maskwatch_engine::{Analysis, Ask, Camera, Engine, OwnedFrame};
use maskwatch_vision::face::{ClassifiedFace, FaceView};
use maskwatch_vision::privacy::Cover;

use super::window::Window;
use crate::cli::{FilePrivacy, ImageArgs};
use crate::metrics::Metrics;
use crate::service;
use crate::shutdown::ExitStatus;
use output::{Copies, Lines};

/// Runs over all images. An image that cannot be read is told and the others still run; the status is failure then.
pub(super) fn run(args: &ImageArgs) -> anyhow::Result<ExitStatus> {
    let mut lines = args.json.as_deref().map(Lines::create).transpose()?;
    let mut copies = args.out.as_deref().map(Copies::create).transpose()?;
    let metrics = Metrics::new().context("metrics")?;
    let engine = service::start_engine(&super::inference(&args.models), &metrics)?;
    let looker = Looker::new(&engine, args);
    let mut painter = Painter::new();
    let mut good = true;
    for path in &args.paths {
        let analysed = looker.analyse(path);
        let Looked { picture, faces, truncated } = match analysed {
            Ok(looked) => looked,
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
            Some(lines) => lines.image(path, picture.dimensions(), &faces, truncated)?,
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
    Ok(if good { ExitStatus::SUCCESS } else { ExitStatus::FAILED })
}

/// What was seen of an image.
struct Looked {
    /// As it may be seen.
    picture: RgbImage,
    faces: Vec<ClassifiedFace>,
    /// The file ends in the middle.
    truncated: bool,
}

/// Finds faces and, where that is asked for, hides them.
struct Looker {
    camera: Camera,
    ask: Ask,
}

impl Looker {
    fn new(engine: &Arc<Engine>, args: &ImageArgs) -> Self {
        let face = args.min_score.unwrap_or(engine.score_threshold());
        let hide = (args.privacy == FilePrivacy::Blur).then(|| engine.hide_score().min(face));
        Self { camera: engine.attach("image", 1), ask: Ask { face: Some(face), hide } }
    }

    fn analyse(&self, path: &Path) -> anyhow::Result<Looked> {
        let decode::Picture { pixels: mut picture, truncated } = decode::upright(path)?.told(path);
        let (width, height) = picture.dimensions();
        let frame = OwnedFrame::rgb(width, height, picture.as_raw().clone());
        let Analysis { faces, suspects } = self.camera.analyze_asked(frame, self.ask)?;
        if let Some(suspects) = suspects {
            let cover = Cover::of_still(&suspects);
            if let Cover::Whole(why) = cover {
                super::tell(&format!("{}: hidden as a whole: {}", path.display(), why.words()));
            }
            hide::rgb([width, height], &mut picture, &cover)?;
        }
        Ok(Looked { picture, faces, truncated })
    }
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
