//! getaddrinfo, which blocks: only a thread that may wait calls it.

use std::net::{IpAddr, ToSocketAddrs};

use crate::error::{Error, Result};

/// All addresses of a host, as the system orders them.
///
/// std calls getaddrinfo for stream sockets of any family and hands on no error number but an
/// errno; only the words of the system tell its errors apart. They are those of glibc and musl in
/// the language that they speak unless the program sets another.
pub(crate) fn look_up(host: &str) -> Result<Vec<IpAddr>> {
    match (host, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) if error.raw_os_error().is_some() => Err(Error::io("getaddrinfo", error)),
        Err(error) => Err(Error::lookup(code(&error.to_string()), host)),
    }
}

fn code(words: &str) -> &'static str {
    let words = words.to_ascii_lowercase();
    if words.contains("temporary failure") || words.contains("try again") {
        "EAI_AGAIN"
    } else if words.contains("non-recoverable") {
        "EAI_FAIL"
    } else if words.contains("memory") {
        "EAI_MEMORY"
    } else {
        "ENOTFOUND"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_system_become_nodes_codes() {
        for (words, expected) in [
            ("Name or service not known", "ENOTFOUND"),
            ("No address associated with hostname", "ENOTFOUND"),
            ("Name does not resolve", "ENOTFOUND"),
            ("Temporary failure in name resolution", "EAI_AGAIN"),
            ("Try again", "EAI_AGAIN"),
            ("Non-recoverable failure in name resolution", "EAI_FAIL"),
            ("Memory allocation failure", "EAI_MEMORY"),
        ] {
            let words = format!("failed to lookup address information: {words}");
            assert_eq!(code(&words), expected, "{words}");
        }
    }

    #[test]
    fn localhost_is_found_and_invalid_is_not() {
        let ips = look_up("localhost").unwrap();
        assert!(
            !ips.is_empty() && ips.iter().all(IpAddr::is_loopback),
            "{ips:?}"
        );
    }
}
