//! Texts read as block lists, against a plain list of the rules that came of them.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use netloop::{BlockList, Error};

/// What a line can be wrong with.
const CODES: [&str; 3] = [
    "ERR_INVALID_ADDRESS",
    "ERR_INVALID_ARG_VALUE",
    "ERR_OUT_OF_RANGE",
];

/// Both ends of what is blocked, IPv4 as IPv6 maps it.
type Ends = (Ipv6Addr, Ipv6Addr);

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The ends of a subnet, within its own family.
fn subnet(ip: IpAddr, prefix: u32) -> Ends {
    let ends: [IpAddr; 2] = match ip {
        IpAddr::V4(v4) => {
            let behind = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let bits = v4.to_bits();
            [bits & !behind, bits | behind].map(|it| Ipv4Addr::from_bits(it).into())
        }
        IpAddr::V6(v6) => {
            let behind = u128::MAX.checked_shr(prefix).unwrap_or(0);
            let bits = v6.to_bits();
            [bits & !behind, bits | behind].map(|it| Ipv6Addr::from_bits(it).into())
        }
    };
    (mapped(ends[0]), mapped(ends[1]))
}

/// What a rule blocks, going by how it prints.
fn ends(rule: &str) -> Ends {
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let (kind, rest) = rule.split_once(": ").expect("a kind");
    let (family, body) = rest.split_once(' ').expect("a family");
    assert_eq!(family == "IPv6", body.contains(':'), "{rule}");
    match kind {
        "Address" => (mapped(ip(body)), mapped(ip(body))),
        "Range" => {
            let (start, end) = body.split_once('-').expect("two ends");
            (mapped(ip(start)), mapped(ip(end)))
        }
        "Subnet" => {
            let (network, prefix) = body.split_once('/').expect("a prefix");
            subnet(ip(network), prefix.parse().expect("a number"))
        }
        kind => panic!("{kind}"),
    }
}

/// Takes a rule away again by how it prints.
fn remove(list: &BlockList, rule: &str) -> bool {
    let body = rule.rsplit(' ').next().expect("something");
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    if body.contains('/') {
        list.remove_cidr(body).expect("what it printed")
    } else if let Some((start, end)) = body.split_once('-') {
        list.remove_range(ip(start), ip(end))
    } else {
        list.remove_address(ip(body))
    }
}

/// Asks for both sides of every end, in both spellings.
fn check(list: &BlockList, blocked: &[Ends], near: &[Ends]) {
    let asked = near.iter().flat_map(|(first, last)| {
        [first.to_bits(), last.to_bits()]
            .into_iter()
            .flat_map(|it| [it.wrapping_sub(1), it, it.wrapping_add(1)])
    });
    for ip in asked.chain([0, 0xffff << 32, u128::MAX]) {
        let ip = Ipv6Addr::from_bits(ip);
        let expected = (blocked.iter()).any(|(first, last)| (*first..=*last).contains(&ip));
        assert_eq!(list.check(ip), expected, "{ip}");
        assert_eq!(list.check(IpAddr::V6(ip).to_canonical()), expected, "{ip}");
    }
}

/// A mistake of the caller's in a line that there is, whose text can be logged as it is.
fn check_error(error: &Error, lines: usize) {
    assert!(
        error.is_misuse() && CODES.contains(&error.code()),
        "{error:?}"
    );
    let text = error.to_string();
    let line = text
        .strip_prefix("line ")
        .and_then(|it| it.split_once(": "));
    let line: usize = line.expect("a line").0.parse().expect("a number");
    assert!((1..=lines).contains(&line), "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 1500, "{} bytes of text", text.len());
}

fuzz_target!(|text: &str| {
    let list: BlockList = match text.parse() {
        Ok(list) => list,
        Err(error) => return check_error(&error, text.lines().count()),
    };
    let rules = list.rules();
    assert_eq!(rules.len(), list.len());
    let again: BlockList = list.to_string().parse().expect("what it printed");
    assert_eq!(again.rules(), rules);

    let near: Vec<Ends> = rules.iter().map(|rule| ends(rule)).collect();
    check(&list, &near, &near);

    // Every other rule goes: the rest covers what it covered.
    for rule in rules.iter().step_by(2) {
        assert!(remove(&list, rule) && !remove(&list, rule), "{rule}");
    }
    let left: Vec<Ends> = near.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(list.len(), left.len());
    check(&list, &left, &near);
});
