//! What the examples make of their arguments: the same, as far as they take the same.

#[cfg(target_os = "linux")]
use crate::support::example::{Example, run};
use crate::support::{PATIENCE, uninterrupted};
use std::io::{Read, Write};
use std::net::TcpListener;
#[cfg(target_os = "linux")]
use std::time::Instant;

/// Each with what it takes behind the address. `echo` takes hosts by name as well, and has tests of its own.
pub(crate) const SERVERS: &[(&str, &[&str])] = &[
    ("chat", &[]),
    ("embedded", &[]),
    ("http", &[]),
    ("kv", &[]),
    ("offload", &[]),
    ("per_core", &[]),
    ("proxy", &["1"]),
];

fn with_address<'a>(address: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[address], more].concat()
}

#[test]
fn a_bare_port_means_loopback_and_port_0_shows_the_real_one() {
    for (name, more) in SERVERS {
        for address in ["0", "127.0.0.1:0"] {
            let address = Example::start(name, &with_address(address, more)).address;
            assert!(address.ip().is_loopback(), "{name}: {address}");
            assert_ne!(address.port(), 0, "{name}");
        }
    }
}

#[test]
fn bad_arguments_exit_2_and_tell_the_usage() {
    for (name, more) in SERVERS {
        let usage = run(name, &["--help"]).stdout;
        let usage = String::from_utf8(usage).unwrap();
        for (address, extra) in [
            ("65536", None),
            ("127.0.0.1", None),
            ("somewhere:7000", None),
            ("0", Some("--bogus")),
            ("0", Some("what")),
        ] {
            let mut arguments = with_address(address, more);
            arguments.extend(extra);
            let (code, words) = Example::refused(name, &arguments);
            assert_eq!(code, Some(2), "{name} {arguments:?}: {words}");
            let mistake = words.strip_suffix(&usage).unwrap_or_default();
            assert_eq!(mistake.lines().count(), 1, "{name} {arguments:?}: {words}");
        }
    }
}

#[test]
fn a_time_to_poll_that_is_no_number_is_refused() {
    for name in ["http", "kv"] {
        for more in [&[][..], &["soon"], &["-1"], &["1.5"]] {
            let arguments = [&["0", "--busy-poll-us"], more].concat();
            let (code, words) = Example::refused(name, &arguments);
            assert_eq!(code, Some(2), "{name} {arguments:?}: {words}");
            let expected = format!("--busy-poll-us takes a number\nusage: {name} ");
            assert!(words.starts_with(&expected), "{name}: {words}");
        }
    }
}

#[test]
fn a_server_that_polls_before_it_sleeps_serves_as_any_other() {
    for name in ["http", "kv"] {
        for time in ["0", "200", "18446744073709551615"] {
            let server = Example::start(name, &["0", "--busy-poll-us", time]);
            let mut peer = server.connect();
            let question = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"; // to which `kv` has an answer as well
            peer.write_all(question).unwrap();
            assert!(
                uninterrupted(|| peer.read(&mut [0; 4096])).unwrap() > 0,
                "{name} {time}"
            );
        }
    }
}

/// It takes processor time while nobody wants anything of it.
#[test]
#[cfg(target_os = "linux")]
fn a_server_that_polls_for_ever_never_sleeps() {
    for name in ["http", "kv"] {
        let server = Example::start(name, &["0", "--busy-poll-us", "18446744073709551615"]);
        let (before, deadline) = (server.ticks(), Instant::now() + PATIENCE);
        while server.ticks() < before + 10 {
            assert!(Instant::now() < deadline, "{name} sleeps");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_port_in_use_exits_1_with_the_text_of_node() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, more) in SERVERS {
        let (code, words) = Example::refused(name, &with_address(&address, more));
        let expected = format!("listen EADDRINUSE: address already in use {address}\n");
        assert_eq!((code, words), (Some(1), expected), "{name}");
    }
}
