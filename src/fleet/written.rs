//! Cameras that the API writes: one file each, in the folder that `include` names.
//!
//! A file of ours begins with [`OURS`]. No other file is ever changed: what people write by hand, and their comments, stay.
//! A file is there whole or not at all, whatever happens meanwhile: it is written under another name, brought to the disk,
//! and renamed. Its password is in a file beside it that its owner alone may read, under a new name for each password: the
//! camera's file says which, so that its address and its password change in one step. What an end in the middle leaves over
//! is taken away at the next start ([`Written::tidy`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::config::{OURS, Plan, is_name};
use crate::state_file::{make_folder, sync_name};

/// Key of a password, and of the file that it goes to.
const PASSWORD: &str = "password";
const PASSWORD_FILE: &str = "password_file";
/// Hexadecimal digits in the name of a password's file.
const DIGITS: usize = 12;
/// End of the name of a file that is being written.
const NEW: &str = ".new";

/// Why the API does not change a camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The camera is not there.
    #[error("no camera of this name is configured")]
    Absent,
    /// It is there already.
    #[error("a camera of this name is there already")]
    Present,
    /// It stands in a file that people write.
    #[error("camera {camera} stands in {file}, which people write: change it there")]
    ByHand {
        /// The camera.
        camera: String,
        /// The file's name.
        file: String,
    },
    /// There is no place for files of ours.
    #[error("cameras can be written only where the configuration has `include: cameras.d/*.yaml` or the like")]
    NoInclude,
    /// It is another than whoever changes it has seen.
    #[error("the camera has been changed meanwhile")]
    Changed,
    /// What is written is no camera: problems, a line each.
    #[error("{}", .0.join("; "))]
    Bad(Vec<String>),
    /// The disk refuses.
    #[error("cannot be written: {0}")]
    Disk(String),
}

impl From<io::Error> for Objection {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

/// The files of cameras that a pattern of `include` takes in.
#[derive(Clone, Debug)]
pub struct Written {
    folder: PathBuf,
    pattern: glob::Pattern,
}

impl Written {
    /// `include`: as configured; `folder`: that of the configuration file. `None` where the pattern gives files no place: it
    /// has wildcards in its folders, or none in its name.
    pub fn of(include: &str, folder: &Path) -> Option<Self> {
        let path = Path::new(include);
        let (parent, name) = (path.parent()?, path.file_name()?.to_str()?);
        let wild = |text: &str| text.contains(['*', '?', '[']);
        let pattern = glob::Pattern::new(name).ok()?;
        let plain = !wild(&parent.to_string_lossy()) && wild(name);
        plain.then(|| Self { folder: folder.join(parent), pattern })
    }

    /// Where the camera's file is, or would be.
    ///
    /// # Errors
    /// It is no name of a camera (and so no way into other folders), or the pattern takes no such name in.
    pub fn path(&self, camera: &str) -> Result<PathBuf, Objection> {
        if !is_name(camera) {
            return Err(Objection::Bad(vec![
                "name: it cannot be a camera's: 1 to 63 lower-case letters, digits and `-`, such as north-gate"
                    .to_owned(),
            ]));
        }
        let name = format!("{camera}.yaml");
        if self.pattern.matches(&name) { Ok(self.folder.join(name)) } else { Err(Objection::NoInclude) }
    }

    /// The name of the password's file that a camera's file of ours has.
    fn kept(&self, camera: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(camera).ok()?).ok().filter(|text| text.starts_with(OURS))?;
        let values: BTreeMap<String, Value> = serde_yaml::from_str(&text).ok()?;
        let name = values.get(PASSWORD_FILE)?.as_str()?;
        (name == format!("{camera}.{PASSWORD}") || camera_of(name) == Some(camera)).then(|| name.to_owned())
    }

    /// Takes away what an end in the middle of a change has left over: files that were being written, and passwords of no
    /// camera. Nothing else: only names that are given here, that no file beside them mentions, and that the configuration
    /// does not read (`used`). Gives their names.
    ///
    /// # Errors
    /// The folder cannot be read, or changed.
    pub fn tidy(&self, used: &BTreeSet<PathBuf>) -> io::Result<Vec<String>> {
        let used: BTreeSet<PathBuf> = used.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let in_use = |name: &String| self.folder.join(name).canonicalize().is_ok_and(|path| used.contains(&path));
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect::<io::Result<_>>()?;
        let texts: Vec<String> = names
            .iter()
            .filter(|name| !name.starts_with('.') && camera_of(name).is_none())
            .filter_map(|name| fs::read_to_string(self.folder.join(name)).ok())
            .collect();
        let mut gone = Vec::new();
        for name in names {
            let begun = name.strip_prefix('.').and_then(|name| name.strip_suffix(NEW));
            let begun = begun.is_some_and(|name| camera_of(name).is_some() || self.pattern.matches(name));
            let nobodys = camera_of(&name).is_some() && !texts.iter().any(|text| text.contains(&name));
            if (begun || nobodys) && !in_use(&name) {
                remove(&self.folder.join(&name))?;
                gone.push(name);
            }
        }
        Ok(gone)
    }

    /// Whether the API may change this camera of a plan, and whether it is there.
    ///
    /// # Errors
    /// Somebody else writes it.
    pub fn is_ours(&self, plan: &Plan, camera: &str) -> Result<bool, Objection> {
        let by_hand = |file: &Path| Objection::ByHand {
            camera: camera.to_owned(),
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let path = self.path(camera)?;
        let there = plan.cameras.iter().any(|other| other.name == camera);
        match plan.included.get(camera) {
            Some(file) if *file != path => Err(by_hand(file)),
            None if there => Err(by_hand(Path::new("the configuration file"))),
            _ => match fs::read_to_string(&path) {
                Ok(text) if text.starts_with(OURS) => Ok(there),
                Ok(_) => Err(by_hand(&path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The text of a camera's file with its password in it, to be checked and never to be written; and what is to be
    /// written: the text with the name of the password's file, and the password. A login without a password keeps the one
    /// that is there.
    ///
    /// # Errors
    /// The values make no YAML.
    pub fn texts(&self, camera: &str, values: &Map<String, Value>) -> Result<Texts, Objection> {
        let mut values = values.clone();
        values.insert("name".into(), camera.into());
        // Whoever may use the API may not read the service's environment by it, nor its files.
        if values.contains_key(PASSWORD_FILE) {
            return Err(Objection::Bad(vec!["password_file: give the password itself, as `password`".to_owned()]));
        }
        let given = values.remove(PASSWORD).filter(|password| !password.is_null());
        let kept = self.kept(camera).filter(|_| given.is_none() && values.contains_key("username"));
        let mut checked = values.clone();
        let mut written = values;
        if let Some(password) = &given {
            checked.insert(PASSWORD.into(), password.clone());
        } else if let Some(kept) = &kept {
            checked.insert(PASSWORD_FILE.into(), kept.as_str().into());
        }
        let password = given.as_ref().and_then(Value::as_str).map(str::to_owned);
        let file = given.map(|_| new_name(camera)).or(kept);
        if let Some(file) = &file {
            written.insert(PASSWORD_FILE.into(), file.as_str().into());
        }
        Ok(Texts { checked: yaml(&checked)?, written: yaml(&written)?, password, file })
    }

    /// Writes a camera's file.
    ///
    /// # Errors
    /// The disk refuses; the file is as it was.
    pub fn put(&self, camera: &str, texts: &Texts) -> Result<(), Objection> {
        make_folder(&self.folder)?;
        let (path, before) = (self.path(camera)?, self.kept(camera));
        let new = texts.password.as_ref().zip(texts.file.as_ref());
        if let Some((password, name)) = new {
            replace(&self.folder.join(name), password.as_bytes())?;
        }
        if let Err(error) = replace(&path, texts.written.as_bytes()) {
            // The one of before holds, unless the disk has failed behind the change itself.
            if let Some((_, name)) = new.filter(|(_, name)| self.kept(camera).as_ref() != Some(*name)) {
                remove(&self.folder.join(name)).ok();
            }
            return Err(error.into());
        }
        if let Some(before) = before.filter(|before| Some(before) != texts.file.as_ref()) {
            self.clean_up(&before);
        }
        Ok(())
    }

    /// The change is made; what is left over goes with the next start at the latest.
    fn clean_up(&self, password: &str) {
        if let Err(error) = remove(&self.folder.join(password)) {
            tracing::warn!(%error, file = password, "the file of a password that is used no longer stays");
        }
    }

    /// Takes a camera's file away, and its password.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, camera: &str) -> Result<(), Objection> {
        let kept = self.kept(camera);
        remove(&self.path(camera)?)?;
        if let Some(kept) = kept {
            self.clean_up(&kept);
        }
        Ok(())
    }
}

/// A camera's file, twice.
#[derive(Clone, PartialEq)]
pub struct Texts {
    /// With the password in it: for checks alone.
    pub checked: String,
    written: String,
    password: Option<String>,
    /// Name of the password's file.
    file: Option<String>,
}

/// A name that no password's file of this camera has yet.
fn new_name(camera: &str) -> String {
    format!("{camera}.{:0DIGITS$x}.{PASSWORD}", rand::random::<u64>() >> (64 - 4 * DIGITS))
}

/// The camera whose password's file has this name; `None`: it is not a name of [`new_name`].
fn camera_of(name: &str) -> Option<&str> {
    let (camera, digits) = name.strip_suffix(PASSWORD)?.strip_suffix('.')?.rsplit_once('.')?;
    let fits = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    (!camera.is_empty() && digits.len() == DIGITS && digits.chars().all(fits)).then_some(camera)
}

/// Values as a file of ours in which nothing is a variable.
fn yaml(values: &Map<String, Value>) -> Result<String, Objection> {
    let values: BTreeMap<&String, Value> = values.iter().map(|(key, value)| (key, literal(value))).collect();
    let text = serde_yaml::to_string(&values).map_err(|error| Objection::Bad(vec![error.to_string()]))?;
    Ok(format!("{OURS}{text}"))
}

fn literal(value: &Value) -> Value {
    let plain = |text: &str| text.replace("${", "$${");
    match value {
        Value::String(text) => plain(text).into(),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (plain(key), literal(value))).collect())
        }
        other => other.clone(),
    }
}

/// A file's whole content, in one step; for its owner alone.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // `include` leaves out what begins with a dot.
    let beside = path.with_file_name(format!(".{name}{NEW}"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    written?;
    sync_name(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_name(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(json: Value) -> Map<String, Value> {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn only_a_pattern_with_one_folder_gives_files_a_place() {
        let folder = Path::new("/etc/maskwatch");
        let path = |include: &str| Written::of(include, folder).map(|written| written.path("gate"));
        assert_eq!(path("cameras.d/*.yaml"), Some(Ok("/etc/maskwatch/cameras.d/gate.yaml".into())));
        assert_eq!(path("*.yaml"), Some(Ok("/etc/maskwatch/gate.yaml".into())));
        assert_eq!(path("cameras.d/*.yml"), Some(Err(Objection::NoInclude)));
        let written = Written::of("cameras.d/*.yaml", folder).unwrap();
        for name in ["", "..", "../gate", "a/b", "a\0b", "Gate", "-a"] {
            assert!(matches!(written.path(name), Err(Objection::Bad(_))), "{name}");
        }
        assert_eq!(path("sites/*/gate.yaml"), None);
        assert_eq!(path("cameras.yaml"), None);
    }

    #[test]
    fn a_password_goes_to_a_file_of_its_own_and_variables_stay_text() {
        let folder = tempfile::tempdir().unwrap();
        let written = Written::of("d/*.yaml", folder.path()).unwrap();
        let given = values(serde_json::json!({
            "url": "rtsp://10.0.0.1/x", "username": "ops", "password": "s3cret ${HOME}", "labels": { "a": "${PATH}" }
        }));
        let texts = written.texts("gate", &given).unwrap();
        assert!(texts.checked.contains("s3cret $${HOME}") && texts.checked.contains("$${PATH}"), "{}", texts.checked);
        written.put("gate", &texts).unwrap();
        let text = fs::read_to_string(folder.path().join("d/gate.yaml")).unwrap();
        assert!(text.starts_with(OURS) && !text.contains("s3cret") && text.contains("password_file: gate."), "{text}");
        let password = folder.path().join("d").join(written.kept("gate").unwrap());
        assert_eq!(camera_of(password.file_name().unwrap().to_str().unwrap()), Some("gate"));
        assert_eq!(fs::read_to_string(&password).unwrap(), "s3cret ${HOME}");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&password).unwrap().permissions().mode() & 0o777, 0o600);

        // Without a password the one that is there stays; without a login it goes.
        let kept =
            written.texts("gate", &values(serde_json::json!({ "url": "rtsp://a/b", "username": "ops" }))).unwrap();
        assert!(kept.checked.contains(&written.kept("gate").unwrap()), "{}", kept.checked);
        written.put("gate", &kept).unwrap();
        assert!(password.is_file());
        let open = written.texts("gate", &values(serde_json::json!({ "url": "rtsp://a/b" }))).unwrap();
        written.put("gate", &open).unwrap();
        assert!(!password.exists() && !open.checked.contains("password"));
        written.remove("gate").unwrap();
        assert_eq!(fs::read_dir(folder.path().join("d")).unwrap().count(), 0, "nothing is left behind");
        let file =
            written.texts("gate", &values(serde_json::json!({ "url": "rtsp://a/b", "password_file": "/etc/shadow" })));
        assert!(matches!(file, Err(Objection::Bad(_))));
    }

    #[test]
    fn another_password_is_another_file_and_the_old_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let written = Written::of("*.yaml", folder.path()).unwrap();
        let put = |password: &str| {
            let given = values(serde_json::json!({ "url": "rtsp://a/b", "username": "ops", "password": password }));
            written.put("gate", &written.texts("gate", &given).unwrap()).unwrap();
            written.kept("gate").unwrap()
        };
        let (first, second) = (put("one"), put("two"));
        assert_ne!(first, second);
        assert!(!folder.path().join(first).exists());
        assert_eq!(fs::read_to_string(folder.path().join(second)).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_was_left_over_is_taken_away_and_nothing_that_people_made() {
        let folder = tempfile::tempdir().unwrap();
        let written = Written::of("*.yaml", folder.path()).unwrap();
        let given = values(serde_json::json!({ "url": "rtsp://a/b", "username": "ops", "password": "x" }));
        written.put("gate", &written.texts("gate", &given).unwrap()).unwrap();
        let kept = written.kept("gate").unwrap();
        let stays =
            ["yard.yaml", "yard.password", "hall.0123456789ab.password", "notes.new", ".vimrc", "a.0123.password"];
        let used = folder.path().join("main.aaaaaaaaaaaa.password");
        fs::write(&used, "of a camera in the main file").unwrap();
        let goes = [".gate.0123456789ab.password.new", ".gate.yaml.new", "gone.0123456789ab.password"];
        for name in stays.iter().chain(&goes) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::write(folder.path().join("yard.yaml"), "password_file: hall.0123456789ab.password").unwrap();
        let mut gone = written.tidy(&BTreeSet::from([used.clone()])).unwrap();
        gone.sort();
        assert_eq!(gone, goes);
        for name in stays.into_iter().chain(["gate.yaml", &kept]) {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert!(used.exists());
        assert!(Written::of("none.d/*.yaml", folder.path()).unwrap().tidy(&BTreeSet::new()).unwrap().is_empty());
    }
}
