//! Cores of a crash: a picture of the memory, in which the passwords of all cameras stand as they are sent. None is made
//! unless somebody asks for it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Less than the smallest core has. A limit of 0 would do for cores that are files, but a program that is given the core
/// by a pipe (`core_pattern` of `|…`, as systemd-coredump) is not asked about it; at 1 the kernel calls none.
const LIMIT: u64 = 1;

/// From now on no crash of this process leaves a core.
///
/// # Errors
/// The system refuses.
pub(crate) fn forbid() -> io::Result<()> {
    let limit = getrlimit(Resource::Core);
    let current = limit.maximum.map_or(LIMIT, |most| most.min(LIMIT));
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(current), maximum: limit.maximum })?)
}
