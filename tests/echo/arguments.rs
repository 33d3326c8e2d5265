//! What the example makes of its arguments.

use crate::example;

const USAGE: &str = "usage: echo [ADDRESS | PORT] [--idle-timeout-ms N] [--lines]\n";

#[test]
fn a_bare_port_means_loopback_and_port_0_shows_the_real_one() {
    for argument in ["0", "127.0.0.1:0"] {
        let address = example::start_with(&[argument]).address;
        assert!(address.ip().is_loopback(), "{address}");
        assert_ne!(address.port(), 0);
    }
}

#[test]
fn a_host_by_name_is_looked_up_and_the_address_it_has_is_shown() {
    let address = example::start_with(&["localhost:0"]).address;
    assert!(address.ip().is_loopback(), "{address}");
}

#[test]
fn a_host_that_cannot_be_listened_on_exits_1() {
    // `.invalid` is nobody's (RFC 6761); why it is not found depends on the network.
    let (code, words) = example::refused(&["netloop.invalid:0"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.starts_with("getaddrinfo "), "{words}");
    assert!(words.ends_with(" netloop.invalid\n"), "{words}");

    let first = example::start_with(&["localhost:0"]);
    let (code, words) = example::refused(&[&format!("localhost:{}", first.address.port())]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.starts_with("listen EADDRINUSE: "), "{words}");
}

#[test]
fn bad_arguments_exit_2_and_tell_the_usage() {
    for (arguments, mistake) in [
        (&["0", "--bogus"][..], "unknown option --bogus\n"),
        (&["0", "1"], "one address is enough, what is 1?\n"),
        (
            &["0", "--idle-timeout-ms"],
            "--idle-timeout-ms takes a number of milliseconds\n",
        ),
        (
            &["0", "--idle-timeout-ms", "-1"],
            "--idle-timeout-ms takes a number of milliseconds\n",
        ),
        (
            &["--idle-timeout-ms", "soon", "0"],
            "--idle-timeout-ms takes a number of milliseconds\n",
        ),
    ] {
        let (code, words) = example::refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert_eq!(words, format!("{mistake}{USAGE}"), "{arguments:?}");
    }
}

#[test]
fn a_port_in_use_exits_1_with_the_text_of_node() {
    let first = example::start();
    let address = first.address.to_string();
    let (code, words) = example::refused(&[&address]);
    assert_eq!(code, Some(1));
    assert_eq!(
        words,
        format!("listen EADDRINUSE: address already in use {address}\n")
    );
}

#[test]
fn an_address_that_is_none_exits_1() {
    for argument in ["127.0.0.1:65536", "65536", "127.1:7000"] {
        let (code, words) = example::refused(&[argument]);
        assert_eq!(code, Some(1), "{argument}: {words}");
        assert_eq!(words.lines().count(), 1, "{argument}: {words}");
    }
}
