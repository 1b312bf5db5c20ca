//! Finding and loading ONNX Runtime's dynamic library, once per process.

use std::{
    env,
    path::{Path, PathBuf},
};

use ort::{environment::Environment, logging::LogLevel};
use tracing_mutex::parking_lot::Mutex;

use crate::EngineError;

/// The library's name in our own folders, and the prefix of its versioned names.
const NAME: &str = "libonnxruntime.so";

/// Why ONNX Runtime's library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Nowhere to be found.
    #[error(
        "ONNX Runtime's library not found (looked at {}); hint: run `make setup`, or name it by the option `library` or the environment variable ORT_DYLIB_PATH",
        list(searched)
    )]
    NotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// There, but does not load.
    #[error("ONNX Runtime's library {} does not load: {cause}; hint: run `make setup` to fetch the version that this program needs", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        cause: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds the library: `explicit` (a file, or the folder that holds it, such as `capi` of a PyPI wheel), else the
/// environment variable `ORT_DYLIB_PATH`, else beside the executable, in `.fetched/onnxruntime` of the checkout, in
/// `/usr/lib/maskwatch`, and where the system's loader looks. A place that was named and holds none is an error: another
/// copy than the one asked for is never taken.
///
/// # Errors
/// Not found; says where it was looked for and how to get it.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let named = explicit
        .map(Path::to_path_buf)
        .or_else(|| env::var_os("ORT_DYLIB_PATH").filter(|value| !value.is_empty()).map(PathBuf::from));
    if let Some(named) = named {
        return search(vec![named]);
    }
    search(usual_places())
}

/// The first of `places` that is a library or a folder with one.
fn search(places: Vec<PathBuf>) -> Result<PathBuf, LibraryError> {
    places.iter().find_map(|place| library_at(place)).ok_or(LibraryError::NotFound { searched: places })
}

/// The library meant by `place`: the file itself, or the one in the folder (a versioned name where there is no other).
fn library_at(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_path_buf());
    }
    let plain = place.join(NAME);
    if plain.is_file() {
        return Some(plain);
    }
    let mut versioned: Vec<PathBuf> = std::fs::read_dir(place)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so.")))
        .collect();
    versioned.sort();
    versioned.pop()
}

/// Folders where the library is looked for when none is named, best first.
fn usual_places() -> Vec<PathBuf> {
    let fetched = Path::new(".fetched").join("onnxruntime");
    let mut places = Vec::new();
    if let Some(folder) = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) {
        places.push(folder.clone());
        // target/debug/maskwatch, and target/debug/deps/TEST.
        places.extend(folder.ancestors().skip(2).take(2).map(|up| up.join(&fetched)));
    }
    places.push(fetched.clone());
    // Set by cargo: tests and examples run in their crate's folder.
    if let Some(root) = env::var_os("CARGO_MANIFEST_DIR") {
        places.extend(Path::new(&root).ancestors().take(3).map(|up| up.join(&fetched)));
    }
    places.push("/usr/lib/maskwatch".into());
    if let Some(paths) = env::var_os("LD_LIBRARY_PATH") {
        places.extend(env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()));
    }
    let system = ["/usr/local/lib", "/usr/lib64", "/usr/lib"].map(PathBuf::from);
    places.extend(system);
    places.push(format!("/usr/lib/{}-linux-gnu", env::consts::ARCH).into());
    places.dedup();
    places
}

/// The loaded library: ONNX Runtime allows one per process, and one environment of it, for the process's whole life.
struct Loaded {
    path: PathBuf,
    environment: Environment,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// The environment of the library at `path`, loaded now or before.
///
/// # Errors
/// The library does not load, or another one is loaded already.
pub(crate) fn load(path: &Path) -> Result<Environment, EngineError> {
    let wanted = path.canonicalize().map_err(|error| fault(path, error.to_string()))?;
    // Held while loading, so that two engines starting at once load one library. Nothing else takes this lock.
    let mut loaded = LOADED.lock();
    if let Some(loaded) = loaded.as_ref() {
        if loaded.path == wanted {
            return Ok(loaded.environment.clone());
        }
        return Err(EngineError::OtherLibrary { loaded: loaded.path.clone(), wanted });
    }
    let builder = ort::init_from(&wanted).map_err(|error| fault(&wanted, error.to_string()))?;
    let environment = builder
        .with_name("maskwatch")
        .with_telemetry(false)
        .build()
        .map_err(|error| fault(&wanted, error.to_string()))?;
    // The bindings ask for every message; most are about single graph nodes, and each costs a call.
    environment.set_log_level(LogLevel::Warning);
    tracing::info!(library = %wanted.display(), "ONNX Runtime loaded");
    *loaded = Some(Loaded { path: wanted, environment: environment.clone() });
    Ok(environment)
}

fn fault(path: &Path, cause: String) -> EngineError {
    LibraryError::Load { path: path.into(), cause }.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_named_place_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()) && error.contains("make setup"), "{error}");

        fs::write(folder.path().join("libonnxruntime.so.1.31.0"), "").unwrap();
        fs::write(folder.path().join("libonnxruntime.so.1.32.0"), "").unwrap();
        fs::write(folder.path().join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert!(find(Some(folder.path())).unwrap().ends_with("libonnxruntime.so.1.32.0"));
        let file = folder.path().join("libonnxruntime.so.1.31.0");
        assert_eq!(find(Some(&file)).unwrap(), file);
    }
}
