//! What happens in front of the demo's cameras.

use super::backdrop::Backdrop;
use super::person::Look;
use super::scene::{Scene, Visit, stop};
use super::truth::State;

const BLUE: [u8; 3] = [150, 196, 222];
const WHITE: [u8; 3] = [234, 234, 230];
const DARK: [u8; 3] = [58, 62, 70];

const fn look(state: State, mask: [u8; 3], suit: f32, light: f32, mirrored: bool) -> Look {
    Look { state, mask, suit, light, mirrored }
}

/// The cameras, in the order of their names in `demo`.
pub static SCENES: [Scene; 4] = [GATE, LOBBY, PLATFORM, SHOP];

/// One by one, at a walk.
const GATE: Scene = Scene {
    name: "north-gate",
    width: 1280,
    height: 720,
    fps: 25,
    hevc: false,
    seconds: 24,
    backdrop: Backdrop {
        wall: [[176, 180, 178], [138, 142, 142]],
        panels: 7,
        portal: [0.70, 0.90],
        window: [0.10, 0.42],
        counter: [74, 82, 92],
        counter_top: 0.82,
    },
    visits: &[
        Visit {
            look: look(State::NoMask, BLUE, 0.0, 1.0, false),
            stops: &[stop(1.0, -0.12, 0.36, 0.19), stop(8.0, 1.12, 0.36, 0.19)],
        },
        Visit {
            look: look(State::Mask, BLUE, 150.0, 0.94, false),
            stops: &[stop(5.0, -0.12, 0.38, 0.17), stop(12.5, 1.12, 0.37, 0.20)],
        },
        Visit {
            look: look(State::Incorrect, WHITE, 205.0, 1.04, true),
            stops: &[
                stop(13.2, 1.14, 0.36, 0.16),
                stop(16.0, 0.62, 0.38, 0.20),
                stop(17.0, 0.60, 0.38, 0.20),
                stop(20.5, -0.16, 0.38, 0.22),
            ],
        },
        Visit {
            look: look(State::Mask, DARK, 60.0, 0.98, true),
            stops: &[stop(17.6, 1.12, 0.36, 0.18), stop(22.8, -0.12, 0.36, 0.18)],
        },
    ],
};

/// Three at once, waiting side by side.
const LOBBY: Scene = Scene {
    name: "lobby",
    width: 640,
    height: 480,
    fps: 15,
    hevc: false,
    seconds: 22,
    backdrop: Backdrop {
        wall: [[206, 196, 180], [164, 150, 132]],
        panels: 5,
        portal: [0.04, 0.22],
        window: [0.55, 0.92],
        counter: [112, 84, 62],
        counter_top: 0.86,
    },
    visits: &[
        Visit {
            look: look(State::Mask, WHITE, 180.0, 1.0, false),
            stops: &[
                stop(1.0, -0.14, 0.40, 0.19),
                stop(4.5, 0.80, 0.40, 0.19),
                stop(12.5, 0.81, 0.40, 0.19),
                stop(14.0, 1.14, 0.40, 0.19),
            ],
        },
        Visit {
            look: look(State::NoMask, BLUE, 240.0, 0.92, true),
            stops: &[
                stop(3.5, -0.14, 0.41, 0.20),
                stop(6.5, 0.50, 0.41, 0.20),
                stop(14.5, 0.50, 0.41, 0.20),
                stop(17.2, 1.14, 0.41, 0.20),
            ],
        },
        Visit {
            look: look(State::Incorrect, BLUE, 90.0, 1.04, false),
            stops: &[
                stop(7.0, -0.14, 0.40, 0.21),
                stop(8.6, 0.19, 0.40, 0.21),
                stop(18.0, 0.20, 0.40, 0.21),
                stop(19.8, -0.16, 0.40, 0.21),
            ],
        },
    ],
};

/// Farther away, in both directions, one after another: small faces in a large picture.
const PLATFORM: Scene = Scene {
    name: "platform",
    width: 1920,
    height: 1080,
    fps: 10,
    hevc: true,
    seconds: 26,
    backdrop: Backdrop {
        wall: [[150, 166, 178], [104, 118, 130]],
        panels: 11,
        portal: [0.44, 0.56],
        window: [0.62, 0.94],
        counter: [88, 92, 84],
        counter_top: 0.72,
    },
    visits: &[
        Visit {
            look: look(State::Mask, BLUE, 0.0, 0.96, false),
            stops: &[stop(1.0, -0.08, 0.41, 0.092), stop(11.0, 1.08, 0.41, 0.092)],
        },
        Visit {
            look: look(State::NoMask, BLUE, 140.0, 0.96, false),
            stops: &[stop(3.5, -0.08, 0.40, 0.095), stop(13.5, 1.08, 0.40, 0.095)],
        },
        Visit {
            look: look(State::Mask, DARK, 210.0, 1.0, false),
            stops: &[stop(6.0, -0.08, 0.42, 0.10), stop(15.0, 1.08, 0.42, 0.10)],
        },
        Visit {
            look: look(State::NoMask, BLUE, 60.0, 0.92, true),
            stops: &[stop(15.5, 1.08, 0.41, 0.095), stop(23.5, -0.08, 0.41, 0.11)],
        },
        Visit {
            look: look(State::Incorrect, WHITE, 280.0, 1.0, true),
            stops: &[stop(17.8, 1.08, 0.40, 0.11), stop(24.8, -0.08, 0.40, 0.12)],
        },
    ],
};

/// Comes up to the camera, and goes.
const SHOP: Scene = Scene {
    name: "shop",
    width: 768,
    height: 576,
    fps: 12,
    hevc: false,
    seconds: 20,
    backdrop: Backdrop {
        wall: [[190, 202, 190], [140, 158, 142]],
        panels: 6,
        portal: [0.36, 0.64],
        window: [0.04, 0.24],
        counter: [96, 62, 58],
        counter_top: 0.84,
    },
    visits: &[
        Visit {
            look: look(State::Incorrect, BLUE, 190.0, 0.98, false),
            stops: &[
                stop(1.0, 1.16, 0.44, 0.13),
                stop(3.0, 0.66, 0.44, 0.13),
                stop(6.5, 0.50, 0.42, 0.36),
                stop(8.0, 0.50, 0.42, 0.36),
                stop(9.8, -0.26, 0.42, 0.36),
            ],
        },
        Visit {
            look: look(State::Mask, WHITE, 30.0, 1.0, true),
            stops: &[
                stop(10.5, -0.16, 0.45, 0.12),
                stop(12.0, 0.22, 0.45, 0.13),
                stop(14.5, 0.34, 0.42, 0.26),
                stop(16.0, 0.34, 0.42, 0.26),
                stop(18.4, -0.22, 0.42, 0.26),
            ],
        },
        Visit {
            look: look(State::NoMask, BLUE, 120.0, 0.96, false),
            stops: &[stop(11.5, 1.16, 0.45, 0.14), stop(14.0, 0.76, 0.45, 0.15), stop(18.8, 1.18, 0.45, 0.16)],
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::super::person::{FACE, PORTRAIT};
    use super::super::truth::Face;
    use super::*;

    #[test]
    fn every_clip_begins_and_ends_empty_and_has_every_state() {
        for scene in &SCENES {
            let truth = scene.truth();
            assert_eq!(truth.frames.len() as u32, scene.frames());
            let second = scene.fps as usize;
            let frames = &truth.frames;
            assert!(
                frames[..second].iter().chain(&frames[frames.len() - second..]).all(Vec::is_empty),
                "{}",
                scene.name
            );
            for state in [State::Mask, State::Incorrect, State::NoMask] {
                assert!(truth.count(state) > 0, "{} without {}", scene.name, state.as_str());
            }
        }
    }

    #[test]
    fn the_portraits_lower_edge_is_behind_the_counter() {
        let below_face = (PORTRAIT as f32 - FACE[1] - FACE[3] / 2.0) / FACE[3];
        for scene in &SCENES {
            for stop in scene.visits.iter().flat_map(|visit| visit.stops) {
                let bottom = stop.y + (below_face - 0.03) * stop.face;
                assert!(bottom >= scene.backdrop.counter_top, "{} {stop:?}: {bottom}", scene.name);
            }
        }
    }

    #[test]
    fn faces_stay_clear_of_one_another() {
        let apart = |a: &Face, b: &Face| {
            let gap = (a.bbox[0] + a.bbox[2] / 2.0 - b.bbox[0] - b.bbox[2] / 2.0).abs();
            gap > 1.2 * a.bbox[2].max(b.bbox[2])
        };
        for scene in &SCENES {
            for (index, frame) in scene.truth().frames.iter().enumerate() {
                for (number, a) in frame.iter().enumerate() {
                    assert!(frame[..number].iter().all(|b| apart(a, b)), "{} frame {index}: {frame:?}", scene.name);
                }
            }
        }
    }
}
