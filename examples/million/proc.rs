//! What Linux says of memory, in bytes.

use std::collections::BTreeMap;
use std::{fs, io};

/// As `sysconf(_SC_PAGESIZE)` says wherever this example was tried; /proc/net/sockstat counts in pages.
const PAGE_BYTES: u64 = 4096;

/// User memory that a process has written to: `Anonymous` in `/proc/PID/smaps_rollup`, proc_pid_smaps(5).
///
/// `Private_Dirty` would be the same, but for the pages of a program that was built just now: they count as
/// dirty until the disk has them.
pub(crate) fn anonymous(process: &str) -> io::Result<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    kib(&read(&path)?, "Anonymous:").ok_or_else(|| missing(&path))
}

/// Memory that could be had without swapping.
#[cfg(feature = "bench")]
pub(crate) fn available() -> io::Result<u64> {
    let path = "/proc/meminfo";
    kib(&read(path)?, "MemAvailable:").ok_or_else(|| missing(path))
}

/// The most descriptors that a process may ask for.
pub(crate) fn descriptor_limit() -> io::Result<u64> {
    let path = "/proc/self/limits";
    let text = read(path)?;
    let line = text.lines().find(|line| line.starts_with("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(4));
    match hard {
        Some("unlimited") => Ok(u64::MAX),
        Some(number) => number.parse().map_err(|_| missing(path)),
        None => Err(missing(path)),
    }
}

/// The kernel's own memory, of the whole machine.
pub(crate) struct Kernel {
    /// All of its small objects: `Slab` in `/proc/meminfo`.
    pub(crate) slab: u64,
    /// What is charged to socket buffers: `mem` in the TCP line of `/proc/net/sockstat`.
    pub(crate) buffers: u64,
    /// Objects in use and the size of one, by cache, if `/proc/slabinfo` may be read (by root).
    pub(crate) caches: BTreeMap<String, (u64, u64)>,
}

impl Kernel {
    pub(crate) fn now() -> io::Result<Kernel> {
        let slab = kib(&read("/proc/meminfo")?, "Slab:");
        let sockstat = read("/proc/net/sockstat")?;
        let line = sockstat.lines().find(|line| line.starts_with("TCP:"));
        let mut words = line.unwrap_or("").split_whitespace();
        let pages = words.find(|word| *word == "mem").and_then(|_| words.next());
        let pages: Option<u64> = pages.and_then(|pages| pages.parse().ok());
        Ok(Kernel {
            slab: slab.ok_or_else(|| missing("/proc/meminfo"))?,
            buffers: pages.ok_or_else(|| missing("/proc/net/sockstat"))? * PAGE_BYTES,
            caches: fs::read_to_string("/proc/slabinfo").map_or(BTreeMap::new(), |it| caches(&it)),
        })
    }
}

/// slabinfo(5): name, objects in use, objects, size of one.
fn caches(slabinfo: &str) -> BTreeMap<String, (u64, u64)> {
    let lines = slabinfo.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, active, _, size, ..] = words[..] else {
            return None;
        };
        Some((name.to_owned(), (active.parse().ok()?, size.parse().ok()?)))
    });
    lines.collect()
}

fn kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn read(path: &str) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

fn missing(path: &str) -> io::Error {
    let text = format!("{path} does not say what Linux says there");
    io::Error::new(io::ErrorKind::InvalidData, text)
}
