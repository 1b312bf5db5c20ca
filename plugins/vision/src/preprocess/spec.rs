//! What a network wants to see: size, layout, colour order, normalisation, and how a picture is fitted in.

use serde::{Deserialize, Serialize};

/// Order of the values in the input tensor of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Channel by channel, each `height x width`.
    Nchw,
    /// Pixel by pixel, three channels together.
    Nhwc,
}

/// Order of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How a picture of another shape is fitted into the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The aspect ratio is kept, the picture centred, the rest filled with the pad value.
    Letterbox,
    /// The picture fills the input; its aspect ratio changes.
    Stretch,
}

/// The input of a network, as its manifest describes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Order of the values.
    pub layout: Layout,
    /// Order of the channels; `mean` and `std` are in this order too.
    pub color: ChannelOrder,
    /// Subtracted from the pixel value `0..=255`.
    pub mean: [f32; 3],
    /// What the difference is divided by.
    pub std: [f32; 3],
    /// How pictures are fitted in.
    pub resize: Resize,
    /// Pixel value `0..=255` of what the picture does not cover.
    pub pad: u8,
}

/// Why an [`InputSpec`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// A side is 0 or longer than [`InputSpec::MAX_SIDE`].
    #[error("input of {0}x{1} pixels: each side must be 1..={max}", max = InputSpec::MAX_SIDE)]
    Size(u32, u32),
    /// A mean is not finite, or a standard deviation is not a finite number above 0.
    #[error("normalisation mean {mean:?} std {std:?}: all must be finite and std above 0")]
    Normalisation {
        /// As given.
        mean: [f32; 3],
        /// As given.
        std: [f32; 3],
    },
}

impl InputSpec {
    /// Longest side that is accepted.
    pub const MAX_SIDE: u32 = 8192;

    /// Values in the input tensor of one image: `3 * width * height`.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }

    /// Checks size and normalisation.
    ///
    /// # Errors
    /// [`SpecError`] says what is out of range.
    pub fn check(&self) -> Result<(), SpecError> {
        let side = 1..=Self::MAX_SIDE;
        if !side.contains(&self.width) || !side.contains(&self.height) {
            return Err(SpecError::Size(self.width, self.height));
        }
        let good = self.mean.iter().all(|m| m.is_finite()) && self.std.iter().all(|s| s.is_finite() && *s > 0.0);
        if !good {
            return Err(SpecError::Normalisation { mean: self.mean, std: self.std });
        }
        Ok(())
    }
}
