//! Whether a video file is all there, by what it says of its own length. Demultiplexers end at the last byte without a
//! word.

use std::io::{self, Read, Seek, SeekFrom};

/// Size of a packet of MPEG-TS.
const TS_PACKET: u64 = 188;

/// Whether the file ends before it says that it does. What tells no length is whole: raw H.264 may end anywhere.
///
/// # Errors
/// The file cannot be read.
pub(super) fn is_cut_off(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut head = [0; 12];
    file.seek(SeekFrom::Start(0))?;
    if !filled(file, &mut head)? {
        return Ok(false);
    }
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxes_end_late(file, length),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => segment_ends_late(file, length),
        [b'R', b'I', b'F', b'F', a, b, c, d, ..] => Ok(u64::from(u32::from_le_bytes([a, b, c, d])) + 8 > length),
        [b'F', b'L', b'V', ..] => tags_end_late(file, length),
        [0x47, ..] => packet_is_cut(file, length),
        [0xff, 0xd8, 0xff, ..] => Ok(!ends_with_marker(file, length)?),
        _ => Ok(false),
    }
}

/// Fills `into` from here on; false at the end of the file.
fn filled(file: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// MP4, MOV: boxes one after the other, each with its length (ISO/IEC 14496-12, section 4.2).
fn boxes_end_late(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let mut at = 0u64;
    while at < length {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        if !filled(file, &mut head)? {
            return Ok(true);
        }
        let [a, b, c, d, ..] = head;
        let size = match u64::from(u32::from_be_bytes([a, b, c, d])) {
            // To the end of the file.
            0 => return Ok(false),
            1 => {
                let mut large = [0; 8];
                if !filled(file, &mut large)? {
                    return Ok(true);
                }
                u64::from_be_bytes(large)
            }
            size => size,
        };
        if size < 8 {
            // No box: bytes behind the last one, which players pass over.
            return Ok(false);
        }
        at = at.saturating_add(size);
    }
    Ok(at > length)
}

/// Matroska, WebM: the segment that holds everything, after the EBML header (RFC 8794, section 4).
fn segment_ends_late(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(4))?;
    let Some(header) = ebml_size(file)? else { return Ok(true) };
    let Some(header) = header else { return Ok(false) };
    file.seek(SeekFrom::Current(i64::try_from(header).unwrap_or(i64::MAX)))?;
    let mut id = [0; 4];
    if !filled(file, &mut id)? || id != [0x18, 0x53, 0x80, 0x67] {
        return Ok(false);
    }
    let Some(size) = ebml_size(file)? else { return Ok(true) };
    let start = file.stream_position()?;
    Ok(size.is_some_and(|size| start.saturating_add(size) > length))
}

/// A length of EBML: `Some(None)` where it is not known, as in a live recording; `None` at the end of the file.
fn ebml_size(file: &mut impl Read) -> io::Result<Option<Option<u64>>> {
    let mut first = [0; 1];
    if !filled(file, &mut first)? {
        return Ok(None);
    }
    let bytes = first[0].leading_zeros() as usize;
    let mut rest = [0; 7];
    let Some(rest) = rest.get_mut(..bytes) else { return Ok(Some(None)) };
    if !filled(file, rest)? {
        return Ok(None);
    }
    let bits = 7 * (bytes as u32 + 1);
    let value = rest.iter().fold(u64::from(first[0]), |value, byte| value << 8 | u64::from(*byte));
    let value = value & ((1 << bits) - 1);
    Ok(Some((value != (1 << bits) - 1).then_some(value)))
}

/// FLV: tags one after the other, each with its length before and behind it.
fn tags_end_late(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let mut at = 9 + 4;
    while at < length {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 4];
        if !filled(file, &mut head)? {
            return Ok(true);
        }
        let [_, a, b, c] = head;
        at += 11 + u64::from(u32::from_be_bytes([0, a, b, c])) + 4;
    }
    Ok(at > length)
}

/// MPEG-TS: a packet that is not whole at the end, where the packets before it are of 188 bytes.
fn packet_is_cut(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    for packet in 1..4 {
        let mut sync = [0; 1];
        file.seek(SeekFrom::Start(packet * TS_PACKET))?;
        if !filled(file, &mut sync)? || sync != [0x47] {
            return Ok(false);
        }
    }
    Ok(!length.is_multiple_of(TS_PACKET))
}

/// Motion JPEG without a container: the last picture has its end marker, zeros may follow.
fn ends_with_marker(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(tail[..end].ends_with(&[0xff, 0xd9]))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use super::*;

    fn cut(bytes: &[u8]) -> bool {
        is_cut_off(&mut Cursor::new(bytes)).unwrap()
    }

    /// Every container that FFmpeg writes: whole, and without its last third.
    #[test]
    fn whole_files_are_whole_and_cut_files_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        for (name, codec) in [
            ("a.mp4", &["-c:v", "libx264"][..]),
            ("fast.mp4", &["-c:v", "libx264", "-movflags", "+faststart"]),
            ("parts.mp4", &["-c:v", "libx264", "-g", "5", "-movflags", "+frag_keyframe+empty_moov"]),
            ("a.mov", &["-c:v", "mjpeg"]),
            ("a.mkv", &["-c:v", "libx264"]),
            ("a.webm", &["-c:v", "libvpx"]),
            ("a.avi", &["-c:v", "mjpeg"]),
            ("a.flv", &["-c:v", "flv1"]),
            ("a.ts", &["-c:v", "libx264"]),
            ("a.mjpeg", &["-c:v", "mjpeg"]),
        ] {
            let path = folder.path().join(name);
            let mut command = Command::new("ffmpeg");
            command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-t", "2"]);
            assert!(command.args(codec).arg(&path).status().unwrap().success(), "{name}");
            let bytes = std::fs::read(&path).unwrap();
            assert!(!cut(&bytes), "{name} is whole");
            // Not at a packet's end.
            let part = bytes.len() * 2 / 3 / 188 * 188 + 7;
            assert!(cut(&bytes[..part]), "{name} is cut");
        }
        assert!(!cut(b""));
        assert!(!cut(b"no video in here, and long enough to have a head"));
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let heads: [&[u8]; 6] =
            [b"\0\0\0\x01ftyp", b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF", b"FLV\x01", &[0x47; 64]];
        for head in heads {
            for length in 0..40 {
                cut(&[head, &vec![0xff; length]].concat());
                cut(&[head, &vec![0; length]].concat());
            }
        }
    }
}
