//! Texts that say where to listen and whom to connect to, against what std makes of them.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use netloop::fuzzing::{resolve_connect, resolve_listen};
use netloop::{ConnectOptions, Error, ListenOptions};

/// What an address can be wrong with.
const CODES: [&str; 3] = [
    "ERR_SOCKET_BAD_PORT",
    "ERR_INVALID_IP_ADDRESS",
    "ERR_INVALID_ARG_VALUE",
];

/// The port of a text that is only a port, with or without a colon.
fn bare_port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(':').unwrap_or(text);
    let all_digits = digits.bytes().all(|it| it.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// What std reads a host and a port as, the host without brackets.
fn from_parts(host: &str, port: u16) -> Option<SocketAddr> {
    if host.starts_with('[') {
        return None;
    }
    let text = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    text.parse().ok()
}

/// A mistake of the caller's, whose text can be logged as it is.
fn check_error(error: &Error) {
    assert!(
        error.is_misuse() && CODES.contains(&error.code()),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 1200, "{} bytes of text", text.len());
}

fuzz_target!(|text: &str| {
    let inet: Option<SocketAddr> = text.parse().ok();

    match resolve_listen(&ListenOptions::from(text)) {
        Ok(Ok(address)) => assert_eq!(Some(address), inet),
        Ok(Err(port)) => assert_eq!(Some(port), bare_port(text)),
        Err(error) => {
            check_error(&error);
            assert_eq!((inet, bare_port(text)), (None, None), "{error}");
        }
    }
    match resolve_connect(&ConnectOptions::from(text)) {
        Ok(address) => assert_eq!(Some(address), inet),
        Err(error) => {
            check_error(&error);
            assert_eq!(inet, None, "{error}");
        }
    }

    // The same text as a host.
    let port = text.len() as u16;
    let inet = from_parts(text, port);
    match resolve_listen(&ListenOptions::from((text, port))) {
        Ok(Ok(address)) => assert_eq!(Some(address), inet),
        Ok(Err(any_host)) => assert_eq!((text, port), ("", any_host)),
        Err(error) => {
            check_error(&error);
            assert_eq!(inet, None, "{error}");
        }
    }
    match resolve_connect(&ConnectOptions::from((text, port))) {
        Ok(address) => assert_eq!(Some(address), inet),
        Err(error) => {
            check_error(&error);
            assert_eq!(inet, None, "{error}");
        }
    }
});
