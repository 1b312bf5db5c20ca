//! How cameras are laid out on one picture. Pure.

/// Most columns on the small picture; with more the picture is wider.
const SMALL_COLUMNS: u32 = 4;
/// Widths of the whole picture.
const WIDTHS: [u32; 2] = [1280, 1920];

/// Equal tiles of 16:9, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    columns: u32,
    /// Size of one tile; even.
    pub(super) tile: (u32, u32),
    /// Size of the whole; even.
    pub(super) size: (u32, u32),
}

impl Grid {
    /// For `count` cameras, at least one.
    pub(super) fn of(count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let columns = (f64::from(count)).sqrt().ceil() as u32;
        let rows = count.div_ceil(columns);
        let whole = if columns <= SMALL_COLUMNS { WIDTHS[0] } else { WIDTHS[1] };
        let width = (whole / columns) & !1;
        let height = ((width * 9).div_ceil(16) & !1).max(2);
        Self { columns, tile: (width, height), size: (width * columns, height * rows) }
    }

    /// Left top corner of tile `index`.
    pub(super) fn place(&self, index: usize) -> (u32, u32) {
        let index = u32::try_from(index).unwrap_or(0);
        (index % self.columns * self.tile.0, index / self.columns * self.tile.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_layouts() {
        assert_eq!(Grid::of(1).size, (1280, 720));
        assert_eq!(Grid::of(2).size, (1280, 360));
        assert_eq!(Grid::of(4).size, (1280, 720));
        assert_eq!(Grid::of(4).place(3), (640, 360));
        assert_eq!(Grid::of(5).tile, (426, 240));
    }

    proptest! {
        #[test]
        fn tiles_are_even_inside_and_apart(count in 1usize..200) {
            let grid = Grid::of(count);
            let mut places = std::collections::BTreeSet::new();
            for index in 0..count {
                let (x, y) = grid.place(index);
                prop_assert!(x + grid.tile.0 <= grid.size.0 && y + grid.tile.1 <= grid.size.1);
                prop_assert!(places.insert((x, y)));
            }
            prop_assert!([grid.tile.0, grid.tile.1, grid.size.0, grid.size.1].iter().all(|n| n % 2 == 0));
        }
    }
}
