//! Hiding in all formats: what is left, and what is not touched.

use maskwatch_vision::privacy::Unknown;

use super::*;

const FORMATS: [VideoFormat; 4] = [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb, VideoFormat::Bgrx];

fn info(format: VideoFormat, width: u32, height: u32) -> gst_video::VideoInfo {
    gst::init().unwrap();
    gst_video::VideoInfo::builder(format, width, height).build().unwrap()
}

/// A picture whose bytes are given by their place.
fn picture(info: &gst_video::VideoInfo, value: impl Fn(usize) -> u8) -> gst::Sample {
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    {
        let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
        map.iter_mut().enumerate().for_each(|(index, byte)| *byte = value(index));
    }
    gst::Sample::builder().buffer(&buffer).caps(&info.to_caps().unwrap()).build()
}

fn bytes(sample: &gst::Sample) -> Vec<u8> {
    sample.buffer().unwrap().map_readable().unwrap().to_vec()
}

/// Bytes of a picture that are noise, the same each time.
fn noise(index: usize) -> u8 {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as u8
}

fn parts(parts: &[[f32; 4]]) -> Cover {
    Cover::Parts(parts.iter().map(|[x, y, w, h]| Rect::new(*x, *y, *w, *h)).collect())
}

#[test]
fn nothing_but_means_of_cells_is_left() {
    for format in FORMATS {
        // A box of 64 x 64 pixels has cells of 16 x 16, chroma 8 x 8. Two pictures that differ in every pixel, and in no
        // mean of a cell, become the same.
        let info = info(format, 128, 128);
        let step = usize::from(format == VideoFormat::I420) + usize::from(format == VideoFormat::Nv12) * 2;
        let step = if step == 0 { info.comp_pstride(0) as usize } else { step };
        let stripes = |flip: bool| {
            let value = move |index: usize| if (index / step).is_multiple_of(2) == flip { 40 } else { 200 };
            picture(&info, value)
        };
        let cover = parts(&[[0.25, 0.25, 0.5, 0.5]]);
        let hidden = [true, false].map(|flip| {
            let sample = self::sample(&stripes(flip), &cover).unwrap();
            let map = sample.buffer().unwrap().map_readable().unwrap().to_vec();
            let at = 64 * info.stride()[0] as usize + 40 * info.comp_pstride(0) as usize;
            let pixels = map[at..].chunks(info.comp_pstride(0) as usize).take(40);
            // The fourth byte of BGRx is none.
            pixels.flat_map(|pixel| pixel.iter().take(3).copied().collect::<Vec<_>>()).collect::<Vec<u8>>()
        });
        assert_eq!(hidden[0], hidden[1], "{format:?}");
        assert!(hidden[0].iter().all(|value| value.abs_diff(120) <= 1), "{format:?} {:?}", hidden[0]);
    }
}

#[test]
fn what_is_not_covered_is_not_touched_and_the_original_neither() {
    for format in FORMATS {
        for (width, height) in [(128, 128), (101, 67)] {
            let info = info(format, width, height);
            let before = picture(&info, noise);
            let after = self::sample(&before, &parts(&[[0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.3, 0.4]])).unwrap();
            assert!(bytes(&before).iter().enumerate().all(|(index, byte)| *byte == noise(index)));
            assert_eq!(after.caps(), before.caps());
            let (old, new) = (bytes(&before), bytes(&after));
            // The first plane alone: one row above, one row through, one row below.
            let row = |y: u32| {
                let start = y as usize * info.stride()[0] as usize;
                start..start + width as usize * info.comp_pstride(0) as usize
            };
            assert_eq!(old[row(2)], new[row(2)], "{format:?}");
            assert_eq!(old[row(height - 2)], new[row(height - 2)], "{format:?}");
            let through = row(height / 3);
            let changed = old[through.clone()].iter().zip(&new[through.clone()]).filter(|(a, b)| a != b).count();
            assert!(changed > through.len() / 5, "{format:?}: {changed} of {}", through.len());
            assert_eq!(old[through.start], new[through.start], "left of the box");
        }
    }
}

#[test]
fn a_picture_of_unknown_faces_is_hidden_whole() {
    for format in FORMATS {
        let info = info(format, 322, 180);
        let after = bytes(&self::sample(&picture(&info, noise), &Cover::Whole(Unknown::First)).unwrap());
        let samples = |y: usize| {
            let start = y * info.stride()[0] as usize;
            after[start..start + 322 * info.comp_pstride(0) as usize].iter().step_by(info.comp_pstride(0) as usize)
        };
        for y in 0..180 {
            let line: Vec<u8> = samples(y).copied().collect();
            let steps = line.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max();
            assert!(steps <= Some(8), "{format:?}, row {y}: {steps:?}");
        }
    }
}

#[test]
fn a_flat_picture_stays_as_it_is_and_odd_boxes_do_no_harm() {
    for format in FORMATS {
        for (width, height) in [(1, 1), (2, 3), (33, 35), (640, 360)] {
            let flat = picture(&info(format, width, height), |_| 77);
            let cover = parts(&[
                [-0.5, -0.5, 2.0, 2.0],
                [0.99, 0.99, 0.5, 0.5],
                [0.2, 0.2, 0.0, 0.3],
                [1.5, 0.2, 0.1, 0.1],
                [f32::NAN, 0.0, 0.1, 0.1],
                [0.1, 0.1, 0.001, 0.9],
            ]);
            assert_eq!(bytes(&self::sample(&flat, &cover).unwrap()), bytes(&flat), "{format:?} {width}x{height}");
        }
    }
}

#[test]
fn what_cannot_be_hidden_is_an_error() {
    let grey = picture(&info(VideoFormat::Gray8, 16, 16), noise);
    assert!(matches!(self::sample(&grey, &parts(&[])), Err(HideError::Format(_))));
    let short = gst::Sample::builder()
        .buffer(&gst::Buffer::with_size(10).unwrap())
        .caps(&info(VideoFormat::I420, 64, 64).to_caps().unwrap())
        .build();
    assert_eq!(self::sample(&short, &parts(&[])).unwrap_err(), HideError::Broken);
    assert_eq!(rgb([4, 4], &mut [0; 47], &parts(&[])), Err(HideError::Broken));
}
