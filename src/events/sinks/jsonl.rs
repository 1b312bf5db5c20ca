//! A file with one event per line. It is renamed at a size, and opened anew where somebody else has moved it. An event is
//! through when its line and the file's name are on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Progress, Sink, Trouble};
use crate::config::plan::JsonlPlan;
use crate::events::spool::Record;
use crate::state_file::{make_folder, sync_name};

/// Longest last line that is looked through for its begin.
const LONGEST_LINE: u64 = 1 << 20;

/// The sink.
pub(super) struct Jsonl {
    writer: Option<Writer>,
    plan: JsonlPlan,
}

impl Jsonl {
    pub(super) fn new(plan: &JsonlPlan) -> Self {
        Self { writer: None, plan: plan.clone() }
    }
}

impl Sink for Jsonl {
    async fn deliver(&mut self, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        let mut writer = self.writer.take().unwrap_or_else(|| Writer { file: None, plan: self.plan.clone() });
        let lines: Vec<_> = records.iter().map(|record| record.json.clone()).collect();
        let written = tokio::task::spawn_blocking(move || {
            let result = lines.iter().try_for_each(|line| writer.line(line)).and_then(|()| writer.sync());
            (writer, result)
        });
        let failed = |cause: String| Trouble::new(cause, "may this user write there, and is there room?");
        let (writer, result) = written.await.map_err(|error| failed(error.to_string()))?;
        let path = self.plan.path.display();
        // Which lines are on disk is not known after an error: all come again, into a file opened anew.
        result.map_err(|error| failed(format!("{path}: {error}")))?;
        self.writer = Some(writer);
        records.iter().for_each(|record| progress.delivered(record));
        Ok(())
    }
}

/// The file now written.
struct Writer {
    file: Option<File>,
    plan: JsonlPlan,
}

impl Writer {
    fn line(&mut self, json: &[u8]) -> io::Result<()> {
        let file = match self.file.take().filter(|file| is_at(file, &self.plan.path)) {
            Some(file) => file,
            None => open(&self.plan.path)?,
        };
        let length = json.len() as u64 + 1;
        let mut file = match file.metadata()?.len() {
            size if size > 0 && size + length > self.plan.rotate_bytes => {
                file.sync_data()?;
                rotate(&self.plan.path, self.plan.keep)?;
                open(&self.plan.path)?
            }
            _ => file,
        };
        // One write per line: others who read the file see whole lines.
        file.write_all(&[json, b"\n"].concat())?;
        self.file = Some(file);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// Whether the open file is still the one under this name: log rotation by others.
fn is_at(file: &File, path: &Path) -> bool {
    let own = file.metadata().map(|meta| (meta.dev(), meta.ino()));
    let named = std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    own.ok().zip(named.ok()).is_some_and(|(own, named)| own == named)
}

/// Opens for appending. A last line that was cut short by a crash is taken out: its event comes again.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // Made now, or by a process that got no further; and what was renamed before.
    sync_name(path)?;
    let size = file.metadata()?.len();
    let from = size.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    Read::take(&mut file, LONGEST_LINE).read_to_end(&mut end)?;
    let line = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    match &end[line..] {
        [] => {}
        rest if serde_json::from_slice::<serde::de::IgnoredAny>(rest).is_ok() => file.write_all(b"\n")?,
        _ => file.set_len(from + line as u64)?,
    }
    Ok(file)
}

/// `events.jsonl` becomes `events.jsonl.1`, that becomes `.2`, and the oldest goes.
fn rotate(path: &Path, keep: u32) -> io::Result<()> {
    let name = |number: u32| -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    };
    if keep == 0 {
        return std::fs::remove_file(path);
    }
    for number in (0..keep).rev() {
        match std::fs::rename(name(number), name(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_file::observed;

    fn writer(path: &Path, rotate_bytes: u64, keep: u32) -> Writer {
        Writer { file: None, plan: JsonlPlan { path: path.to_path_buf(), rotate_bytes, keep } }
    }

    fn text(path: &Path, suffix: &str) -> Option<String> {
        std::fs::read_to_string(format!("{}{suffix}", path.display())).ok()
    }

    #[test]
    fn the_file_is_renamed_at_its_size_and_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/events.jsonl");
        let mut writer = writer(&path, 8, 2);
        for line in ["{1}", "{2}", "{3}", "{4}", "{5}", "{6}", "{7}"] {
            writer.line(line.as_bytes()).unwrap();
        }
        assert_eq!(text(&path, ""), Some("{7}\n".into()));
        assert_eq!(text(&path, ".1"), Some("{5}\n{6}\n".into()));
        assert_eq!(text(&path, ".2"), Some("{3}\n{4}\n".into()));
        assert_eq!(text(&path, ".3"), None);
    }

    #[test]
    fn names_are_on_the_disk_before_anything_counts_as_through() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let path = logs.join("events.jsonl");
        let mut writer = writer(&path, 8, 2);
        observed::take();
        writer.line(b"{1}").unwrap();
        assert_eq!(observed::take(), [folder.path().to_owned(), logs.clone()], "folder and file are new");
        writer.line(b"{2}").unwrap();
        assert!(observed::take().is_empty(), "nothing is made or renamed");
        writer.line(b"{3}").unwrap();
        assert_eq!((observed::take(), text(&path, ".1").is_some()), (vec![logs.clone()], true));
        // Others move it.
        std::fs::rename(&path, logs.join("a.old")).unwrap();
        writer.line(b"{4}").unwrap();
        assert_eq!(observed::take(), [logs]);
    }

    #[test]
    fn a_line_longer_than_the_size_is_written_nevertheless() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut writer = writer(&path, 2, 0);
        writer.line(b"{long}").unwrap();
        writer.line(b"{longer}").unwrap();
        assert_eq!((text(&path, ""), text(&path, ".1")), (Some("{longer}\n".into()), None));
    }

    #[test]
    fn half_a_line_is_taken_out_and_a_whole_one_ended() {
        let folder = tempfile::tempdir().unwrap();
        for (before, after) in [
            ("{\"a\":1}\n{\"a\":", "{\"a\":1}\n{}\n"),
            ("{\"a\":1}", "{\"a\":1}\n{}\n"),
            ("{\"a", "{}\n"),
            ("", "{}\n"),
        ] {
            let path = folder.path().join("a");
            std::fs::write(&path, before).unwrap();
            writer(&path, 1000, 1).line(b"{}").unwrap();
            assert_eq!(text(&path, ""), Some(after.into()), "{before}");
        }
    }

    #[test]
    fn a_file_that_others_moved_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut writer = writer(&path, 1000, 1);
        writer.line(b"{1}").unwrap();
        std::fs::rename(&path, folder.path().join("a.old")).unwrap();
        writer.line(b"{2}").unwrap();
        assert_eq!((text(&path, ""), text(&path, ".old")), (Some("{2}\n".into()), Some("{1}\n".into())));
    }
}
