//! Whether a camera can see at all: a covered, painted or dazzled lens gives pictures without contrast.
//!
//! The measure is the spread of brightness between the parts of a picture. Each part's mean is taken over samples, so
//! that a sensor's noise in the dark is not taken for contrast.

use std::time::Duration;

use crate::frame::{ColorRange, FrameView, PixelFormat};

/// Parts of a picture, across and down.
const PARTS: [u32; 2] = [16, 9];
/// Samples of a part, in each direction.
const SAMPLES: u32 = 6;

/// Brightness of one picture, black 0 to white 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Luma {
    /// Mean of the whole picture.
    pub mean: f32,
    /// Standard deviation between the means of its parts.
    pub contrast: f32,
}

impl Luma {
    /// Measures a picture by some thousand samples of its luma (of its green, for RGB). `None` where the planes do not
    /// make a picture.
    pub fn of(frame: &FrameView<'_>) -> Option<Self> {
        frame.check().ok()?;
        let step = if frame.format == PixelFormat::Rgb { 3 } else { 1 };
        let offset = if frame.format == PixelFormat::Rgb { 1 } else { 0 };
        let at =
            |index: u32, of: u32, size: u32| (u64::from(2 * index + 1) * u64::from(size) / u64::from(2 * of)) as usize;
        let (mut sum, mut squares) = (0.0, 0.0);
        for down in 0..PARTS[1] {
            for across in 0..PARTS[0] {
                let mut part = 0_u32;
                for sample in 0..SAMPLES * SAMPLES {
                    let x = at(across * SAMPLES + sample % SAMPLES, PARTS[0] * SAMPLES, frame.width);
                    let y = at(down * SAMPLES + sample / SAMPLES, PARTS[1] * SAMPLES, frame.height);
                    part += u32::from(frame.planes[0][y * frame.strides[0] + x * step + offset]);
                }
                let mean = part as f32 / (SAMPLES * SAMPLES) as f32;
                sum += mean;
                squares += mean * mean;
            }
        }
        let parts = (PARTS[0] * PARTS[1]) as f32;
        let (mean, variance) = (sum / parts, (squares / parts - (sum / parts).powi(2)).max(0.0));
        let limited = frame.format != PixelFormat::Rgb && frame.range == ColorRange::Limited;
        let (black, scale) = if limited { (16.0, 255.0 / 219.0) } else { (0.0, 1.0) };
        Some(Self { mean: ((mean - black) * scale).clamp(0.0, 255.0), contrast: variance.sqrt() * scale })
    }
}

/// When a camera counts as blinded. Of 400 photos of streets, stations and rooms, the least contrast is 20 and the median 49:
/// the defaults leave room for fog and for dim light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SightConfig {
    /// Contrast below which a picture shows nothing.
    pub blind: f32,
    /// Contrast from which it shows something again; more than `blind`.
    pub clear: f32,
    /// A picture has to show nothing for so long.
    pub blind_for: Duration,
    /// It has to show something again for so long.
    pub clear_for: Duration,
    /// Pictures further apart than this do not belong together: the wait begins anew.
    pub max_gap: Duration,
}

impl Default for SightConfig {
    fn default() -> Self {
        Self {
            blind: 5.0,
            clear: 8.0,
            blind_for: Duration::from_secs(10),
            clear_for: Duration::from_secs(3),
            max_gap: Duration::from_secs(30),
        }
    }
}

/// What a blinded camera's pictures look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blindness {
    /// Black: covered, or no light.
    Dark,
    /// White: dazzled.
    Bright,
    /// Even grey: covered by something that lets light through, painted, or out of order.
    Flat,
}

impl Blindness {
    fn of(luma: &Luma) -> Self {
        match luma.mean {
            mean if mean < 48.0 => Self::Dark,
            mean if mean > 208.0 => Self::Bright,
            _ => Self::Flat,
        }
    }

    /// `dark`, `bright` or `flat`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Bright => "bright",
            Self::Flat => "flat",
        }
    }
}

/// A change of a camera's sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SightChange {
    /// It shows nothing any more.
    Blinded(Blindness),
    /// It sees again.
    Cleared,
}

/// Follows the sight of one camera.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    config: SightConfig,
    blinded: bool,
    /// Since when the pictures say the opposite of `blinded`.
    since: Option<Duration>,
    latest: Option<Duration>,
}

impl Sight {
    /// Takes for granted that the camera sees.
    pub fn new(config: SightConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes in the picture at `time`. Contrast between the two thresholds changes nothing.
    pub fn look(&mut self, time: Duration, luma: &Luma) -> Option<SightChange> {
        let apart = self.latest.replace(time).is_none_or(|latest| time.abs_diff(latest) > self.config.max_gap);
        let opposite =
            if self.blinded { luma.contrast >= self.config.clear } else { luma.contrast < self.config.blind };
        if !opposite {
            self.since = None;
            return None;
        }
        let since = if apart { time } else { self.since.unwrap_or(time) };
        self.since = Some(since);
        let wanted = if self.blinded { self.config.clear_for } else { self.config.blind_for };
        if time.saturating_sub(since) < wanted {
            return None;
        }
        self.since = None;
        self.blinded = !self.blinded;
        Some(if self.blinded { SightChange::Blinded(Blindness::of(luma)) } else { SightChange::Cleared })
    }

    /// Whether it is blinded.
    pub fn is_blinded(&self) -> bool {
        self.blinded
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::ColorMatrix;

    fn grey(width: u32, height: u32, stride: usize, luma: impl Fn(u32, u32) -> u8) -> (Vec<u8>, usize) {
        let mut plane = vec![7; stride * height as usize];
        for y in 0..height {
            for x in 0..width {
                plane[y as usize * stride + x as usize] = luma(x, y);
            }
        }
        (plane, width.div_ceil(2) as usize * height.div_ceil(2) as usize)
    }

    fn measure(width: u32, height: u32, range: ColorRange, luma: impl Fn(u32, u32) -> u8) -> Luma {
        let stride = width as usize + 5;
        let (plane, chroma) = grey(width, height, stride, luma);
        let chroma = vec![128; chroma];
        let half = width.div_ceil(2) as usize;
        Luma::of(&FrameView {
            format: PixelFormat::I420,
            width,
            height,
            planes: [&plane, &chroma, &chroma],
            strides: [stride, half, half],
            matrix: ColorMatrix::Bt709,
            range,
        })
        .unwrap()
    }

    #[test]
    fn noise_is_no_contrast_and_a_scene_is() {
        let noise =
            |x: u32, y: u32| 20 + (x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 13) as u8 % 16;
        let dark = measure(640, 360, ColorRange::Limited, noise);
        assert!(dark.contrast < 3.0 && dark.mean < 30.0, "{dark:?}");
        let half = measure(640, 360, ColorRange::Full, |x, _| if x < 320 { 40 } else { 200 });
        assert!((half.contrast - 80.0).abs() < 1.0 && (half.mean - 120.0).abs() < 1.0, "{half:?}");
    }

    #[test]
    fn limited_range_is_stretched() {
        assert_eq!(measure(64, 64, ColorRange::Limited, |_, _| 16).mean, 0.0);
        assert!((measure(64, 64, ColorRange::Limited, |_, _| 235).mean - 255.0).abs() < 0.01);
    }

    #[test]
    fn a_picture_smaller_than_its_samples_is_measured_too() {
        assert_eq!(measure(3, 1, ColorRange::Full, |_, _| 9), Luma { mean: 9.0, contrast: 0.0 });
    }

    const SCENE: Luma = Luma { mean: 110.0, contrast: 45.0 };
    const COVERED: Luma = Luma { mean: 6.0, contrast: 1.0 };

    #[test]
    fn blinded_after_its_time_and_cleared_after_its_own() {
        let mut sight = Sight::default();
        let mut changes = Vec::new();
        for tenth in 0..400_u64 {
            let luma = if (50..250).contains(&tenth) { COVERED } else { SCENE };
            if let Some(change) = sight.look(Duration::from_millis(tenth * 100), &luma) {
                changes.push((tenth, change));
            }
        }
        assert_eq!(changes, [(150, SightChange::Blinded(Blindness::Dark)), (280, SightChange::Cleared)]);
    }

    #[test]
    fn a_hand_that_passes_and_a_gap_in_time_blind_nobody() {
        let mut sight = Sight::default();
        for second in 0..100 {
            let luma = if second % 10 == 9 { SCENE } else { COVERED };
            assert_eq!(sight.look(Duration::from_secs(second), &luma), None);
        }
        assert_eq!(sight.look(Duration::from_secs(1000), &COVERED), None);
    }

    proptest! {
        #[test]
        fn changes_alternate_and_keep_their_distance(
            steps in prop::collection::vec((0u64..3000, 0.0f32..12.0), 0..300)
        ) {
            let (mut sight, mut now, mut last) = (Sight::default(), Duration::ZERO, None);
            for (step, contrast) in steps {
                now += Duration::from_millis(step);
                let change = sight.look(now, &Luma { mean: 100.0, contrast });
                if let Some(change) = change {
                    let blinded = matches!(change, SightChange::Blinded(_));
                    prop_assert_eq!(blinded, sight.is_blinded());
                    if let Some((then, before)) = last {
                        prop_assert_ne!(blinded, before);
                        let least = if blinded { Duration::from_secs(10) } else { Duration::from_secs(3) };
                        prop_assert!(now - then >= least);
                    }
                    last = Some((now, blinded));
                }
            }
        }
    }
}
