//! Hears what clients say of themselves by Digest. Pure.
//!
//! GStreamer's bindings do not give the parameters of that header. It need not be known of which request it is: what it
//! proves is that the client at the other end of this connection knows a password.

/// Most bytes of a line; longer ones are none of ours.
const LONGEST: usize = 4096;
/// The header.
const NAME: &[u8] = b"authorization:";

/// Listens to one connection.
#[derive(Debug, Default)]
pub(super) struct Ear {
    line: Vec<u8>,
    /// The line is too long.
    deaf: bool,
}

impl Ear {
    /// The value of the last `Authorization` that ends in these bytes, where there is one.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        let mut heard = None;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > LONGEST {
                self.deaf = true;
                self.line.clear();
            }
            if !self.deaf {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                heard = value(&self.line).or(heard);
                self.line.clear();
                self.deaf = false;
            }
        }
        heard
    }
}

fn value(line: &[u8]) -> Option<String> {
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    String::from_utf8(value.to_vec()).ok().map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_header_counts_and_long_lines_do_not() {
        let mut ear = Ear::default();
        assert_eq!(
            ear.hear(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest a\r\nAUTHORIZATION:Digest b\n"),
            Some("Digest b".into())
        );
        assert_eq!(ear.hear(b"\r\nX-Authorization: c\r\n"), None);
        let long = [b"Authorization: ".as_slice(), &[b'x'; LONGEST], b"\nAuthorization: d\n"].concat();
        assert_eq!(ear.hear(&long), Some("d".into()));
        assert_eq!(ear.hear(b"Authorization: \xff\n"), None, "no text");
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_tell_the_same(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            value in "[a-z]{1,20}",
            cuts in proptest::collection::vec(1usize..40, 1..40),
        ) {
            let mut said = noise.clone();
            said.extend_from_slice(format!("\r\nauthorization: {value}\r\n").as_bytes());
            let (mut ear, mut heard, mut rest) = (Ear::default(), None, said.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                heard = ear.hear(piece).or(heard);
                rest = later;
            }
            prop_assert_eq!(heard, Some(value));
        }
    }
}
