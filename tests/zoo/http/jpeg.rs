//! JPEG pictures of flat blocks, written by ourselves: encoders at hand write neither progressive ones nor restarts.

/// How a picture is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Baseline,
    /// In several scans.
    Progressive,
    Grey,
    /// A restart marker after each row of blocks.
    Restarts,
    /// Chroma of half the width.
    Chroma422,
    /// Chroma of half the width and height.
    Chroma420,
    /// Adobe's marker, whose transform is YCbCr, and a comment of 60 kB before everything else.
    Markers,
    /// EXIF with a thumbnail that is a JPEG of its own.
    Thumbnail,
    /// Each third is cut off after two thirds.
    ThirdsCut,
    /// All are cut off after two thirds.
    Cut,
    /// No end marker.
    NoEnd,
    /// Zeros after the end marker.
    Trailing,
}

impl Kind {
    /// Whether picture `number` is not all there.
    pub fn is_cut(self, number: u64) -> bool {
        self == Self::Cut || self == Self::ThirdsCut && number % 3 == 1
    }
}

/// One colour component: blocks per unit of both directions.
struct Component {
    id: u8,
    across: u32,
    down: u32,
}

/// Picture `number` of a moving block.
pub fn picture(number: u64, width: u32, height: u32, kind: Kind) -> Vec<u8> {
    let whole = Writer::new(number, width, height, kind).write();
    match kind {
        Kind::Cut | Kind::ThirdsCut if kind.is_cut(number) => whole[..whole.len() * 2 / 3].to_vec(),
        Kind::NoEnd => whole[..whole.len() - 2].to_vec(),
        Kind::Trailing => [whole, vec![0; 64]].concat(),
        _ => whole,
    }
}

struct Writer {
    number: u64,
    width: u32,
    height: u32,
    kind: Kind,
    components: Vec<Component>,
    out: Vec<u8>,
    bits: Bits,
}

impl Writer {
    fn new(number: u64, width: u32, height: u32, kind: Kind) -> Self {
        let (across, down) = match kind {
            Kind::Chroma422 => (2, 1),
            Kind::Chroma420 => (2, 2),
            _ => (1, 1),
        };
        let mut components = vec![Component { id: 1, across, down }];
        if kind != Kind::Grey {
            components.extend([2, 3].map(|id| Component { id, across: 1, down: 1 }));
        }
        Self { number, width, height, kind, components, out: vec![0xFF, 0xD8], bits: Bits::default() }
    }

    fn write(mut self) -> Vec<u8> {
        match self.kind {
            Kind::Markers => {
                self.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01");
                self.segment(0xFE, &[b'x'; 60_000]);
            }
            Kind::Thumbnail => {
                let small = picture(self.number, 16, 16, Kind::Baseline);
                self.segment(0xE1, &[&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"[..], &small].concat());
            }
            _ => self.segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        }
        // Every step is 8: a flat block's first coefficient is its value then.
        self.segment(0xDB, &[&[0][..], &[8; 64]].concat());
        self.frame();
        self.segment(0xC4, &[&[0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0][..], &DC_VALUES].concat());
        // One code, of one bit: the end of the block.
        self.segment(0xC4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
        if self.kind == Kind::Restarts {
            let row = self.units().0 as u16;
            self.segment(0xDD, &row.to_be_bytes());
        }
        if self.kind == Kind::Progressive {
            self.scan(&[0, 1, 2], (0, 0));
            for index in 0..self.components.len() {
                self.scan(&[index], (1, 63));
            }
        } else {
            let all: Vec<usize> = (0..self.components.len()).collect();
            self.scan(&all, (0, 63));
        }
        self.out.extend([0xFF, 0xD9]);
        self.out
    }

    fn segment(&mut self, marker: u8, body: &[u8]) {
        self.out.extend([0xFF, marker]);
        self.out.extend((body.len() as u16 + 2).to_be_bytes());
        self.out.extend(body);
    }

    fn frame(&mut self) {
        let marker = if self.kind == Kind::Progressive { 0xC2 } else { 0xC0 };
        let mut body = vec![8];
        body.extend((self.height as u16).to_be_bytes());
        body.extend((self.width as u16).to_be_bytes());
        body.push(self.components.len() as u8);
        for component in &self.components {
            body.extend([component.id, (component.across << 4 | component.down) as u8, 0]);
        }
        self.segment(marker, &body);
    }

    /// Units of interleaved blocks in both directions.
    fn units(&self) -> (u32, u32) {
        let luma = &self.components[0];
        (self.width.div_ceil(8 * luma.across), self.height.div_ceil(8 * luma.down))
    }

    fn scan(&mut self, which: &[usize], (first, last): (u8, u8)) {
        let mut head = vec![which.len() as u8];
        head.extend(which.iter().flat_map(|&index| [self.components[index].id, 0x00]));
        head.extend([first, last, 0]);
        self.segment(0xDA, &head);
        let (across, down) = self.units();
        let mut before = [0; 3];
        for row in 0..down {
            if self.kind == Kind::Restarts && row > 0 {
                self.bits.flush(&mut self.out);
                self.out.extend([0xFF, 0xD0 + ((row - 1) % 8) as u8]);
                before = [0; 3];
            }
            for column in 0..across {
                for &index in which {
                    let blocks = self.components[index].across * self.components[index].down;
                    for block in 0..blocks {
                        if first == 0 {
                            let value = self.value(index, column, row, block);
                            self.bits.difference(value - before[index], &mut self.out);
                            before[index] = value;
                        }
                        if last > 0 {
                            self.bits.push(0, 1, &mut self.out);
                        }
                    }
                }
            }
        }
        self.bits.flush(&mut self.out);
    }

    /// The value of a block, from -128: a bright square that moves over a slope.
    fn value(&self, index: usize, column: u32, row: u32, block: u32) -> i32 {
        let inside = row % 8 < 4 && (u64::from(column) + self.number) % 12 < 4;
        match (index, inside) {
            (0, true) => 90 + block as i32,
            (0, false) => -80 + (column % 16) as i32 * 3 + (row % 16) as i32,
            (1, inside) => {
                if inside {
                    -40
                } else {
                    30
                }
            }
            (_, inside) => {
                if inside {
                    50
                } else {
                    -20
                }
            }
        }
    }
}

/// Categories of the standard's luminance table.
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// Their codes and lengths.
const DC_CODES: [(u32, u32); 9] = [(0, 2), (2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (14, 4), (30, 5), (62, 6)];

#[derive(Default)]
struct Bits {
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32, out: &mut Vec<u8>) {
        for at in (0..count).rev() {
            self.held = self.held << 1 | value >> at & 1;
            self.count += 1;
            if self.count == 8 {
                out.push(self.held as u8);
                // A byte of ones is no marker.
                if self.held == 0xFF {
                    out.push(0);
                }
                (self.held, self.count) = (0, 0);
            }
        }
    }

    fn difference(&mut self, difference: i32, out: &mut Vec<u8>) {
        let size = 32 - difference.unsigned_abs().leading_zeros();
        let (code, length) = DC_CODES[size as usize];
        self.push(code, length, out);
        let value = if difference < 0 { (difference - 1) as u32 } else { difference as u32 };
        self.push(value, size, out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        while self.count > 0 {
            self.push(1, 1, out);
        }
    }
}
