//! The faces of a picture, carried by the picture's buffer.
//!
//! This file holds all `unsafe` of Maskwatch that is not written by a macro of the GStreamer bindings.
//!
//! Boxes are normalised, so a copy of the meta stays right when the picture is scaled. The meta's tags are `video` and
//! `size`: an element that scales asks for the transform below, and one that changes the geometry in a way unknown here
//! (`videocrop`) leaves the meta behind rather than with wrong boxes. `videoflip` of GStreamer 1.22 keeps it as it is:
//! flip before `maskinfer`.
#![allow(unsafe_code)]

use std::fmt;

use gst::{glib, prelude::*};
use maskwatch_vision::{face::FaceView, geometry::Rect, privacy::Suspects};

/// The faces of one picture. Add with [`FaceMeta::add`], read with [`FaceMeta::get`].
#[repr(transparent)]
pub struct FaceMeta(imp::FaceMeta);

// SAFETY: the meta owns plain values (numbers and one vector of numbers) without interior mutability.
unsafe impl Send for FaceMeta {}
// SAFETY: as above: a shared reference gives reading access only.
unsafe impl Sync for FaceMeta {}

impl FaceMeta {
    /// Puts faces on a buffer; faces that it carried before are replaced.
    ///
    /// `analyzed`: whether the faces are known at all. It is false until a first analysis is through, and when the
    /// latest one is too old to tell what is in this picture: then an empty list does not mean that nobody is there.
    pub fn add(buffer: &mut gst::BufferRef, faces: Vec<FaceView>, analyzed: bool) {
        if let Some(mut present) = buffer.meta_mut::<Self>() {
            present.0.faces = faces;
            present.0.analyzed = analyzed;
            present.0.hide = None;
            return;
        }
        Self::put(buffer, imp::Params { faces: Some(faces), analyzed, hide: None });
    }

    /// Says where faces may be that are to be hidden, on a buffer that carries its faces already.
    pub fn set_hide(buffer: &mut gst::BufferRef, suspects: Suspects) {
        if let Some(mut present) = buffer.meta_mut::<Self>() {
            present.0.hide = Some(suspects);
        }
    }

    fn put(buffer: &mut gst::BufferRef, mut params: imp::Params) {
        // SAFETY: `buffer` is borrowed mutably, hence writable. `info` describes `imp::FaceMeta`, whose init function
        // takes a pointer to `imp::Params`, which outlives the call.
        unsafe {
            gst::ffi::gst_buffer_add_meta(buffer.as_mut_ptr(), imp::info(), (&raw mut params).cast());
        }
    }

    /// The faces that a buffer carries; `None` where no element has looked at it.
    pub fn get(buffer: &gst::BufferRef) -> Option<gst::MetaRef<'_, Self>> {
        buffer.meta::<Self>()
    }

    /// The faces, boxes normalised to the picture.
    pub fn faces(&self) -> &[FaceView] {
        &self.0.faces
    }

    /// Whether the faces are known; see [`FaceMeta::add`].
    pub fn analyzed(&self) -> bool {
        self.0.analyzed
    }

    /// Where in this very picture faces may be; `None` where that is not known.
    pub fn hide(&self) -> Option<&Suspects> {
        self.0.hide.as_ref()
    }
}

// SAFETY: `imp::FaceMeta` is `repr(C)` and begins with `GstMeta`; `meta_api` is the type that `imp::info` registers.
unsafe impl MetaAPI for FaceMeta {
    type GstType = imp::FaceMeta;

    fn meta_api() -> glib::Type {
        imp::api()
    }
}

impl fmt::Debug for FaceMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceMeta").field("faces", &self.0.faces).field("analyzed", &self.0.analyzed).finish()
    }
}

/// Size of a picture and the shape of its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    width: i32,
    height: i32,
    /// Pixel aspect ratio, numerator and denominator.
    par: (i32, i32),
}

impl Shape {
    /// Width to height as seen; `None` for nonsense.
    fn aspect(self) -> Option<f64> {
        let values = [self.width, self.height, self.par.0, self.par.1];
        values
            .iter()
            .all(|v| *v > 0)
            .then(|| f64::from(self.width) * f64::from(self.par.0) / (f64::from(self.height) * f64::from(self.par.1)))
    }
}

/// Where the picture lies in its scaled copy, normalised to the copy.
///
/// GStreamer's scalers keep the aspect ratio by black borders around the centred picture (`add-borders`, on by default);
/// without a change of aspect ratio there are none.
fn placement(from: Shape, to: Shape) -> Rect {
    let (Some(from), Some(aspect)) = (from.aspect(), to.aspect()) else { return Rect::FULL };
    let ratio = (from / aspect) as f32;
    // Less than a pixel in a thousand is rounding of the size, not a border.
    if (ratio - 1.0).abs() < 1e-3 {
        Rect::FULL
    } else if ratio > 1.0 {
        Rect::new(0.0, 0.5 - 0.5 / ratio, 1.0, 1.0 / ratio)
    } else {
        Rect::new(0.5 - 0.5 * ratio, 0.0, ratio, 1.0)
    }
}

/// A box of the picture in the scaled copy.
fn place(r: &Rect, within: Rect) -> Rect {
    Rect::new(within.x + r.x * within.w, within.y + r.y * within.h, r.w * within.w, r.h * within.h)
}

mod imp {
    use std::{mem, ptr, sync::LazyLock};

    use gst::{
        glib::{self, ffi::gpointer, translate::*},
        meta::MetaTransform,
    };
    use maskwatch_vision::{face::FaceView, geometry::Rect, privacy::Suspects};

    /// What the init function takes.
    pub(super) struct Params {
        pub(super) faces: Option<Vec<FaceView>>,
        pub(super) analyzed: bool,
        pub(super) hide: Option<Suspects>,
    }

    /// The meta as it lies in the buffer.
    #[repr(C)]
    pub struct FaceMeta {
        parent: gst::ffi::GstMeta,
        pub(super) faces: Vec<FaceView>,
        pub(super) analyzed: bool,
        pub(super) hide: Option<Suspects>,
    }

    pub(super) fn api() -> glib::Type {
        static API: LazyLock<glib::Type> = LazyLock::new(|| {
            let mut tags = [c"video".as_ptr(), c"size".as_ptr(), ptr::null()];
            // SAFETY: both strings and the list of tags end with a zero and are copied by the callee.
            unsafe {
                from_glib(gst::ffi::gst_meta_api_type_register(c"MaskwatchFaceMetaAPI".as_ptr(), tags.as_mut_ptr()))
            }
        });
        *API
    }

    pub(super) fn info() -> *const gst::ffi::GstMetaInfo {
        struct Info(*const gst::ffi::GstMetaInfo);
        // SAFETY: GStreamer keeps the registered description for the life of the process and never changes it.
        unsafe impl Send for Info {}
        // SAFETY: as above.
        unsafe impl Sync for Info {}
        // SAFETY: the functions match the size and the layout of `FaceMeta`.
        static INFO: LazyLock<Info> = LazyLock::new(|| unsafe {
            Info(gst::ffi::gst_meta_register(
                api().into_glib(),
                c"MaskwatchFaceMeta".as_ptr(),
                mem::size_of::<FaceMeta>(),
                Some(init),
                Some(free),
                Some(transform),
            ))
        });
        INFO.0
    }

    /// SAFETY: called by `gst_buffer_add_meta` from `FaceMeta::add` or `transform` only, with their `Params`.
    unsafe extern "C" fn init(
        meta: *mut gst::ffi::GstMeta,
        params: gpointer,
        _buffer: *mut gst::ffi::GstBuffer,
    ) -> glib::ffi::gboolean {
        // SAFETY: `meta` points to memory of `FaceMeta`'s size whose own fields are not initialised yet, so they are
        // written without dropping what is there. `params` is a live `Params`.
        unsafe {
            let meta = meta.cast::<FaceMeta>();
            let params = &mut *params.cast::<Params>();
            ptr::write(&raw mut (*meta).faces, params.faces.take().unwrap_or_default());
            ptr::write(&raw mut (*meta).analyzed, params.analyzed);
            ptr::write(&raw mut (*meta).hide, params.hide.take());
        }
        glib::ffi::GTRUE
    }

    /// SAFETY: called by GStreamer once for each meta that `init` made.
    unsafe extern "C" fn free(meta: *mut gst::ffi::GstMeta, _buffer: *mut gst::ffi::GstBuffer) {
        // SAFETY: `init` has written both fields, and nothing reads the meta after this.
        unsafe {
            let meta = meta.cast::<FaceMeta>();
            ptr::drop_in_place(&raw mut (*meta).faces);
            ptr::drop_in_place(&raw mut (*meta).hide);
        }
    }

    /// SAFETY: called by GStreamer with a writable `dest` and a meta of this kind.
    unsafe extern "C" fn transform(
        dest: *mut gst::ffi::GstBuffer,
        meta: *mut gst::ffi::GstMeta,
        _buffer: *mut gst::ffi::GstBuffer,
        kind: glib::ffi::GQuark,
        data: gpointer,
    ) -> glib::ffi::gboolean {
        // SAFETY: see above; `data` of the scale transform is a `GstVideoMetaTransform` by GStreamer's definition.
        unsafe {
            let within = if kind == gst::meta::MetaTransformCopy::quark().into_glib() {
                Rect::FULL
            } else if kind == gst_video::ffi::gst_video_meta_transform_scale_get_quark() && !data.is_null() {
                let data = &*data.cast::<gst_video::ffi::GstVideoMetaTransform>();
                super::placement(shape(data.in_info), shape(data.out_info))
            } else {
                return glib::ffi::GFALSE;
            };
            let meta = &*meta.cast::<FaceMeta>();
            let moved = |rect: &Rect| super::place(rect, within);
            let faces = meta.faces.iter().map(|face| FaceView { rect: moved(&face.rect), ..*face }).collect();
            let dest = gst::BufferRef::from_mut_ptr(dest);
            super::FaceMeta::add(dest, faces, meta.analyzed);
            if let Some(suspects) = &meta.hide {
                super::FaceMeta::set_hide(dest, suspects.map(moved));
            }
        }
        glib::ffi::GTRUE
    }

    /// SAFETY: `info` is null or points to a live description.
    unsafe fn shape(info: *const gst_video::ffi::GstVideoInfo) -> super::Shape {
        // SAFETY: as above.
        match unsafe { info.as_ref() } {
            Some(info) => super::Shape { width: info.width, height: info.height, par: (info.par_n, info.par_d) },
            None => super::Shape { width: 0, height: 0, par: (0, 0) },
        }
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::face::MaskState;

    use super::*;

    fn face(track: u64) -> FaceView {
        let rect = Rect::new(0.25, 0.5, 0.5, 0.25);
        FaceView { track, rect, score: 0.9, state: MaskState::Mask, confidence: 0.8 }
    }

    fn carrying(faces: Vec<FaceView>) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(16).unwrap();
        FaceMeta::add(buffer.make_mut(), faces, true);
        buffer
    }

    #[test]
    fn add_and_get() {
        let buffer = carrying(vec![face(1), face(2)]);
        let meta = FaceMeta::get(&buffer).unwrap();
        assert_eq!(meta.faces(), [face(1), face(2)]);
        assert!(meta.analyzed());
        assert!(format!("{:?}", &*meta).contains("faces"));
        assert!(FaceMeta::get(&gst::Buffer::new()).is_none());
    }

    #[test]
    fn adding_again_replaces() {
        let mut buffer = carrying(vec![face(1)]);
        FaceMeta::add(buffer.make_mut(), vec![face(7)], false);
        let meta = FaceMeta::get(&buffer).unwrap();
        assert_eq!(meta.faces(), [face(7)]);
        assert!(!meta.analyzed());
        assert_eq!(buffer.iter_meta::<FaceMeta>().count(), 1);
    }

    #[test]
    fn survives_copies_and_drop_of_the_original() {
        let buffer = carrying(vec![face(1)]);
        let shallow = buffer.copy();
        let deep = buffer.copy_deep().unwrap();
        let region = buffer.copy_region(gst::BufferCopyFlags::META, ..).unwrap();
        drop(buffer);
        for copy in [shallow, deep, region] {
            assert_eq!(FaceMeta::get(&copy).unwrap().faces(), [face(1)]);
            assert_eq!(copy.iter_meta::<FaceMeta>().count(), 1);
        }
    }

    #[test]
    fn copy_on_write_does_not_change_the_original() {
        let first = carrying(vec![face(1)]);
        let mut second = first.clone();
        FaceMeta::add(second.make_mut(), vec![face(2)], true);
        assert_eq!(FaceMeta::get(&first).unwrap().faces(), [face(1)]);
        assert_eq!(FaceMeta::get(&second).unwrap().faces(), [face(2)]);
    }

    #[test]
    fn scaling_keeps_normalised_boxes_within_borders() {
        let hd = Shape { width: 1280, height: 720, par: (1, 1) };
        let same = Shape { width: 640, height: 360, par: (1, 1) };
        let square = Shape { width: 640, height: 640, par: (1, 1) };
        let anamorphic = Shape { width: 960, height: 720, par: (4, 3) };
        assert_eq!(placement(hd, same), Rect::FULL);
        assert_eq!(placement(hd, anamorphic), Rect::FULL);
        assert_eq!(placement(hd, square), Rect::new(0.0, 0.21875, 1.0, 0.5625));
        assert_eq!(placement(square, hd), Rect::new(0.21875, 0.0, 0.5625, 1.0));
        assert_eq!(placement(hd, Shape { width: 0, ..hd }), Rect::FULL);
        let placed = place(&face(3).rect, Rect::new(0.0, 0.25, 1.0, 0.5));
        assert_eq!(placed, Rect::new(0.25, 0.5, 0.5, 0.125));
    }

    #[test]
    fn what_to_hide_goes_along_and_ends_with_new_faces() {
        let mut buffer = carrying(vec![face(1)]);
        assert_eq!(FaceMeta::get(&buffer).unwrap().hide(), None);
        let suspects = Suspects::Within(vec![Rect::FULL, face(1).rect]);
        FaceMeta::set_hide(buffer.make_mut(), suspects.clone());
        let mut copy = buffer.copy_deep().unwrap();
        assert_eq!(FaceMeta::get(&copy).unwrap().hide(), Some(&suspects));
        FaceMeta::add(copy.make_mut(), vec![face(2)], true);
        assert_eq!(FaceMeta::get(&copy).unwrap().hide(), None);
        assert!(FaceMeta::get(&buffer).unwrap().hide().is_some());
    }
}
