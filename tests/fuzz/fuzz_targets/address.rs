//! Texts that say where to listen and whom to connect to, against what std makes of them.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use netloop::inside::{Place, resolve_connect, resolve_listen};
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

/// A name is part of the text as it stands, and nothing that any reading makes an address of.
fn check_name(name: &str, text: &str) {
    assert!(text.contains(name) && (1..=253).contains(&name.len()));
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!name.contains([':', '%', '[', ']']));
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next();
    let last = last.unwrap_or_default().to_ascii_lowercase();
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = last
        .strip_prefix("0x")
        .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!is_decimal && !is_hex, "{name}");
}

fuzz_target!(|text: &str| {
    let inet: Option<SocketAddr> = text.parse().ok();

    match resolve_listen(&ListenOptions::from(text)) {
        Ok(Place::At(address)) => assert_eq!(Some(address), inet),
        Ok(Place::AnyHost(port)) => assert_eq!(Some(port), bare_port(text)),
        Ok(Place::Named(name, _)) => check_name(&name, text),
        Err(error) => {
            check_error(&error);
            assert_eq!((inet, bare_port(text)), (None, None), "{error}");
        }
    }
    match resolve_connect(&ConnectOptions::from(text)) {
        Ok(Place::At(address)) => assert_eq!(Some(address), inet),
        Ok(Place::Named(name, port)) => match bare_port(text) {
            Some(bare) => assert_eq!((&*name, port), ("localhost", bare)),
            None => check_name(&name, text),
        },
        Ok(Place::AnyHost(port)) => panic!("any host, port {port}, is nobody to connect to"),
        Err(error) => {
            check_error(&error);
            assert_eq!((inet, bare_port(text)), (None, None), "{error}");
        }
    }

    // The same text as a host.
    let port = text.len() as u16;
    let inet = from_parts(text, port);
    match resolve_listen(&ListenOptions::from((text, port))) {
        Ok(Place::At(address)) => assert_eq!(Some(address), inet),
        Ok(Place::AnyHost(any)) => assert_eq!((text, port), ("", any)),
        Ok(Place::Named(name, _)) => assert_eq!(name, text),
        Err(error) => {
            check_error(&error);
            assert_eq!(inet, None, "{error}");
        }
    }
    match resolve_connect(&ConnectOptions::from((text, port))) {
        Ok(Place::At(address)) => assert_eq!(Some(address), inet),
        Ok(Place::Named(name, _)) if text.is_empty() => assert_eq!(name, "localhost"),
        Ok(Place::Named(name, _)) => assert_eq!(name, text),
        Ok(Place::AnyHost(port)) => panic!("any host, port {port}, is nobody to connect to"),
        Err(error) => {
            check_error(&error);
            assert_eq!(inet, None, "{error}");
        }
    }
});
