//! What the system lets this program have: descriptors, ports, memory for sockets.
//!
//! Whoever asks for more connections than that measures fewer than he believes; the report says so, with
//! both numbers. Linux tells its own in files; elsewhere only the lack itself is told.

use crate::report::text::grouped;
use std::collections::BTreeMap;
use std::fs;

/// What a connection could not be had for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The process has as many as it may. Only a connection that ends makes room, for the next one of its
    /// own slot.
    Descriptors,
    /// All that there are from one address to another are taken. They come free with time.
    Ports,
    /// The whole system has no more descriptors, or no memory. Others may give some back.
    System,
}

impl Lack {
    /// What the code of a connect's error says; `None` if it is not about this side.
    pub(crate) fn of(code: &str) -> Option<Lack> {
        match code {
            "EMFILE" => Some(Lack::Descriptors),
            // Of the own address: who connects is told nothing else by these.
            "EADDRNOTAVAIL" | "EADDRINUSE" => Some(Lack::Ports),
            "ENFILE" | "ENOBUFS" | "ENOMEM" => Some(Lack::System),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    descriptors: Option<u64>,
    ports: Option<u64>,
}

impl Limits {
    /// Reads them. This takes a descriptor, and so comes before the first connection.
    pub(crate) fn read() -> Limits {
        let text = |file| fs::read_to_string(file).unwrap_or_default();
        Limits {
            descriptors: descriptors(&text("/proc/self/limits")),
            ports: ports(&text("/proc/sys/net/ipv4/ip_local_port_range")),
        }
    }

    /// A sentence for each lack among the errors of connects: what was asked for, and what there was.
    pub(crate) fn warnings(
        &self,
        failed: &BTreeMap<String, u64>,
        asked: usize,
        most_open: usize,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        for (code, times) in failed {
            let Some(lack) = Lack::of(code) else {
                continue;
            };
            warnings.push(format!(
                "{} were asked for and at most {} were open: {} times a connection could not be had, {} \
                 ({code})",
                connections(asked),
                grouped(most_open as u64),
                grouped(*times),
                self.reason(lack),
            ));
        }
        warnings
    }

    fn reason(&self, lack: Lack) -> String {
        match (lack, self.descriptors, self.ports) {
            (Lack::Descriptors, Some(most), _) => format!(
                "because this program may have {} descriptors (ulimit -n)",
                grouped(most)
            ),
            (Lack::Descriptors, None, _) => {
                "because this program may have no more descriptors (ulimit -n)".to_string()
            }
            (Lack::Ports, _, Some(ports)) => format!(
                "because all ports are taken, of which one address has {} (net.ipv4.ip_local_port_range); \
                 each is so for a minute after its connection",
                grouped(ports)
            ),
            (Lack::Ports, _, None) => "because all ports of this side are taken".to_string(),
            (Lack::System, ..) => {
                "because the system has no more descriptors or memory for sockets".to_string()
            }
        }
    }
}

fn connections(number: usize) -> String {
    match number {
        1 => "1 connection".to_string(),
        _ => format!("{} connections", grouped(number as u64)),
    }
}

/// The soft limit, in the line that has it (proc_pid_limits(5)); `None` if it is unlimited or not told.
fn descriptors(limits: &str) -> Option<u64> {
    let line = |line: &str| line.strip_prefix("Max open files").map(str::to_string);
    let line = limits.lines().find_map(line)?;
    line.split_whitespace().next()?.parse().ok()
}

/// How many ports lie in a range of two numbers, both of which belong to it (ip(7)).
fn ports(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(last.checked_sub(first)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_what_linux_says() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             63432                63432                processes \n\
                    Max open files            1024                 1048576              files     \n";
        assert_eq!(descriptors(text), Some(1024));
        assert_eq!(
            descriptors("Max open files   unlimited  unlimited files"),
            None
        );
        assert_eq!(descriptors(""), None);
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(ports("9 1\n"), None);
        assert_eq!(ports(""), None);
    }

    #[test]
    fn each_lack_is_told_with_what_was_asked_for_and_what_there_is() {
        let known = Limits {
            descriptors: Some(1024),
            ports: Some(28_232),
        };
        let codes = [
            ("EMFILE", "1,024 descriptors"),
            ("EADDRNOTAVAIL", "has 28,232 ("),
            ("EADDRINUSE", "has 28,232 ("),
            ("ENFILE", "the system has no more"),
            ("ENOBUFS", "the system has no more"),
        ];
        for (code, words) in codes {
            for limits in [&known, &Limits::default()] {
                let failed = [(code, 976), ("ECONNREFUSED", 3), ("ETIMEDOUT", 1)];
                let failed = failed.map(|(code, times)| (code.to_string(), times)).into();
                let warnings = limits.warnings(&failed, 2000, 1017);
                assert_eq!(warnings.len(), 1, "{warnings:?}");
                for words in ["2,000 connections were asked", "1,017", "976 times", code] {
                    assert!(warnings[0].contains(words), "{words}: {warnings:?}");
                }
                let says = warnings[0].contains(words);
                let system = Lack::of(code) == Some(Lack::System);
                assert_eq!(says, system || limits.ports.is_some(), "{warnings:?}");
            }
        }
    }

    #[test]
    fn what_the_peer_or_the_network_says_is_no_lack_of_ours() {
        let failed = [
            ("ECONNREFUSED".to_string(), 5),
            ("ETIMEDOUT".to_string(), 1),
        ]
        .into();
        assert_eq!(Limits::default().warnings(&failed, 5, 0), [""; 0]);
    }
}
