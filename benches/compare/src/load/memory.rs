//! What an idle connection costs the server in memory of its own: the slope between fewer and more of
//! them, each of which was used once. The kernel's memory for a socket is not in it.

use super::meter::ServerClock;
use super::{During, Memory, Plan, Result, sockets};
use std::fs;

pub(super) fn run(plan: &Plan) -> Result<Memory> {
    let clock = ServerClock::of(plan.pid)?;
    let more = plan.most_connections;
    let fewer = more / 9;
    if fewer == 0 {
        return Err(format!("{more} connections are too few for a slope"));
    }
    let mut streams = sockets::connect_all(plan.server, 0, fewer)?;
    clock.settle()?;
    let before = anonymous(plan.pid)?;
    streams.extend(sockets::connect_all(plan.server, fewer, more)?);
    clock.settle()?;
    let after = anonymous(plan.pid)?;
    streams.into_iter().for_each(sockets::reset);
    Ok(Memory {
        fewer,
        more,
        bytes_a_connection: (after as f64 - before as f64) / (more - fewer) as f64,
    })
}

/// Bytes that the process has written to. In `Private_Dirty` there would also be the pages of a program
/// that was built just now, until the disk has them.
fn anonymous(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).during(&path)?;
    read_anonymous(&text).ok_or(format!("{path} has no Anonymous"))
}

fn read_anonymous(smaps_rollup: &str) -> Option<u64> {
    let line = smaps_rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_is_read_in_bytes() {
        let text = "00400000-7fff [rollup]\nRss:  4000 kB\nPrivate_Clean:  1 kB\nAnonymous:        1652 kB\n";
        assert_eq!(read_anonymous(text), Some(1652 * 1024));
        assert_eq!(read_anonymous("Rss: 4 kB\n"), None);
        assert!(anonymous(std::process::id()).unwrap() > 0);
    }
}
