//! What the system lets this process have: no cores, and enough file descriptors.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Less than the smallest core has. A limit of 0 would do for cores that are files, but a program that is given the core
/// by a pipe (`core_pattern` of `|…`, as systemd-coredump) is not asked about it; at 1 the kernel calls none.
const CORE: u64 = 1;
/// For hundreds of cameras and viewers, of whom each takes some.
const DESCRIPTORS: u64 = 65_536;

/// From now on no crash of this process leaves a core: a picture of the memory, in which the passwords of all cameras
/// stand as they are sent.
///
/// # Errors
/// The system refuses.
pub(crate) fn forbid_cores() -> io::Result<()> {
    let limit = getrlimit(Resource::Core);
    let current = limit.maximum.map_or(CORE, |most| most.min(CORE));
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(current), maximum: limit.maximum })?)
}

/// From now on this process may open as many files and connections as the system lets it, within reason. The usual limit
/// of 1024 is for programs that use `select`; none of ours do.
///
/// # Errors
/// The system refuses.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS));
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })?)
}
