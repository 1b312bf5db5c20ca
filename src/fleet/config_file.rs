//! The file that a service runs by.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::standing::Cause;
use super::wish::{Wish, Wishes};
use super::written::Written;
use crate::config::{self, Plan};

/// The file that a service runs by.
pub struct ConfigFile {
    /// `None`: there is none; the service runs by what it was started with.
    source: Option<(PathBuf, Files)>,
}

impl ConfigFile {
    /// None.
    pub fn none() -> Self {
        Self { source: None }
    }

    /// This one, which depends on `depends_on`: when one of them changes, a reload is wished for.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watched(file: PathBuf, depends_on: BTreeSet<PathBuf>, wishes: &Wishes) -> std::io::Result<Self> {
        let wishes = wishes.clone();
        let files = Files::watch(depends_on, move || wishes.put(Wish::Reload(Cause::File, None)))?;
        Ok(Self { source: Some((file, files)) })
    }

    /// Where cameras of a plan of this file may be written.
    pub(crate) fn written(&self, plan: &Plan) -> Option<Written> {
        let (file, _) = self.source.as_ref()?;
        Written::of(plan.include.as_ref()?, file.parent().unwrap_or(Path::new("")))
    }

    /// What would be wrong if an included file had this text, or (`None`) were not there.
    pub(crate) fn check(&self, path: PathBuf, text: Option<String>) -> Result<(), Vec<String>> {
        let Some((file, _)) = &self.source else { return Ok(()) };
        config::load_instead(file, Some((path, text))).plan.map(drop).map_err(|error| error.lines())
    }

    /// Reads it, and watches from now on what it depends on.
    ///
    /// # Errors
    /// What is wrong with it, a line a problem.
    pub(crate) fn read(&self) -> Result<Plan, Vec<String>> {
        let Some((file, files)) = &self.source else {
            return Err(vec!["there is no configuration file: the service runs by its command line".to_owned()]);
        };
        let before = files.look();
        let loaded = config::load_all(file);
        files.set(loaded.depends_on, before);
        loaded.plan.map_err(|error| error.lines())
    }
}
