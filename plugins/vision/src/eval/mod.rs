//! Figures of merit of models, from what they said and what is true. Pure; boxes here are `[x, y, w, h]` in pixels, but
//! in [`tracking`], where they are as everywhere.
//!
//! They are what the field's reference tools compute, so that figures can be compared with published ones: [`detection`]
//! what pycocotools' `COCOeval` gives, [`classification`] what scikit-learn's `classification_report` gives, [`tracking`]
//! what motmetrics gives. Tests hold them to values made by those tools. [`faces`] and [`answers`] put the product's faces
//! and states into these.

pub mod answers;
pub mod classification;
pub mod detection;
pub mod faces;
pub mod tracking;
