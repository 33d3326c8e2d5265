//! One rule of a block list, and how it is written.
//!
//! A rule is kept as it was written: that is how it prints, and what it takes to remove it. What it
//! covers is a pair of numbers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::prefix::{BITS, MAPPED, Prefix, number};
use crate::address::Family;
use crate::error::{Error, Quoted, Result};

/// Which addresses are blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    Address(IpAddr),
    /// Both ends are blocked too. Invariant: of one family, and the first is not above the last.
    Range(IpAddr, IpAddr),
    /// Invariant: the address has so many bits.
    Subnet(IpAddr, u8),
}

impl Rule {
    pub(super) fn range(start: IpAddr, end: IpAddr) -> Result<Rule> {
        if start.is_ipv4() != end.is_ipv4() {
            return Err(Error::invalid_argument(format!(
                "A range starts and ends in the same family. Received {start} and {end}"
            )));
        }
        if start > end {
            return Err(Error::invalid_argument(format!(
                "The argument 'start' must come before end. Received {start}"
            )));
        }
        Ok(Rule::Range(start, end))
    }

    pub(super) fn subnet(network: IpAddr, prefix: impl Into<i64>) -> Result<Rule> {
        let most = if network.is_ipv4() {
            BITS - MAPPED
        } else {
            BITS
        };
        let received = prefix.into();
        match u8::try_from(received) {
            Ok(prefix) if prefix <= most => Ok(Rule::Subnet(network, prefix)),
            _ => Err(Error::out_of_range("prefix", most, received)),
        }
    }

    /// Reads `10.0.0.0/8`.
    pub(super) fn cidr(text: &str) -> Result<Rule> {
        let Some((network, prefix)) = text.rsplit_once('/') else {
            return Err(Error::invalid_argument(format!(
                "The argument 'cidr' must contain a prefix length (e.g. \"10.0.0.0/8\"). \
                 Received '{}'",
                Quoted(text)
            )));
        };
        let network = ip(network)?;
        match prefix.parse::<i64>() {
            // Written as it prints, so that there is one way to write a rule.
            Ok(number) if number.to_string() == prefix => Rule::subnet(network, number),
            _ => Err(Error::invalid_argument(format!(
                "The argument 'cidr' prefix length must be a valid integer. Received '{}'",
                Quoted(text)
            ))),
        }
    }

    /// What covers all that the rule blocks, and nothing else.
    pub(super) fn prefixes(self) -> impl Iterator<Item = Prefix> {
        let (first, last) = match self {
            Rule::Address(ip) => (number(ip), number(ip)),
            Rule::Range(start, end) => (number(start), number(end)),
            Rule::Subnet(network, prefix) => {
                let len = if network.is_ipv4() {
                    MAPPED + prefix
                } else {
                    prefix
                };
                let subnet = Prefix::around(number(network), len);
                (subnet.first(), subnet.last())
            }
        };
        Prefix::covering(first, last)
    }

    /// What stands before the addresses, as in Node.
    fn head(self) -> (&'static str, Family) {
        let (kind, ip) = match self {
            Rule::Address(ip) => ("Address", ip),
            Rule::Range(start, _) => ("Range", start),
            Rule::Subnet(network, _) => ("Subnet", network),
        };
        (kind, Family::of(ip))
    }
}

impl fmt::Display for Rule {
    /// As a line of Node's `blockList.rules`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, family) = self.head();
        write!(f, "{kind}: {family} ")?;
        match self {
            Rule::Address(ip) => ip.fmt(f),
            Rule::Range(start, end) => write!(f, "{start}-{end}"),
            Rule::Subnet(network, prefix) => write!(f, "{network}/{prefix}"),
        }
    }
}

impl FromStr for Rule {
    type Err = Error;

    /// Reads what prints, with or without its head.
    fn from_str(text: &str) -> Result<Rule> {
        let (head, body) = match text.rsplit_once(' ') {
            Some((head, body)) => (Some(head), body),
            None => (None, text),
        };
        let rule = if body.contains('/') {
            Rule::cidr(body)
        } else if let Some((start, end)) = body.split_once('-') {
            Rule::range(ip(start)?, ip(end)?)
        } else {
            ip(body).map(Rule::Address)
        }?;
        let (kind, family) = rule.head();
        match head {
            Some(head) if head != format!("{kind}: {family}") => Err(Error::invalid_argument(
                format!("'{}' does not stand before '{body}'", Quoted(head)),
            )),
            _ => Ok(rule),
        }
    }
}

fn ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid_address(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap()
    }

    fn code(rule: Result<Rule>) -> String {
        rule.unwrap_err().code().to_owned()
    }

    #[test]
    fn a_rule_prints_as_in_node_and_is_read_with_its_head_or_without() {
        for (bare, printed) in [
            ("192.0.2.1", "Address: IPv4 192.0.2.1"),
            ("2001:db8::1", "Address: IPv6 2001:db8::1"),
            ("::ffff:192.0.2.1", "Address: IPv6 ::ffff:192.0.2.1"),
            ("1.0.0.0-1.0.0.9", "Range: IPv4 1.0.0.0-1.0.0.9"),
            ("::-::9", "Range: IPv6 ::-::9"),
            ("10.1.2.3/8", "Subnet: IPv4 10.1.2.3/8"),
            ("fe80::/10", "Subnet: IPv6 fe80::/10"),
            ("0.0.0.0/0", "Subnet: IPv4 0.0.0.0/0"),
        ] {
            assert_eq!(rule(bare).to_string(), printed);
            assert_eq!(rule(printed), rule(bare));
        }
    }

    #[test]
    fn a_head_has_to_be_that_of_its_rule() {
        for text in [
            "Address: IPv6 192.0.2.1",
            "Subnet: IPv4 192.0.2.1",
            "address: IPv4 192.0.2.1",
            "Address: IPv4  192.0.2.1",
            "192.0.2.1 192.0.2.1",
            " 192.0.2.1",
        ] {
            assert_eq!(code(text.parse()), "ERR_INVALID_ARG_VALUE", "{text:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_as_in_node() {
        for text in [
            "",
            "x",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4:80",
            "[::1]",
            "fe80::1%lo",
            "1.2.3.4-",
            "-",
            "/8",
            "x/8",
            "1.2.3.4/8/8",
            "::1/",
            "1.2.3.4 ",
        ] {
            let codes = ["ERR_INVALID_ADDRESS", "ERR_INVALID_ARG_VALUE"];
            assert!(codes.contains(&code(text.parse()).as_str()), "{text:?}");
        }
        assert_eq!(code("1.2.3.400".parse()), "ERR_INVALID_ADDRESS");
    }

    #[test]
    fn a_prefix_is_a_plain_number_of_no_more_bits_than_the_address_has() {
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/300"] {
            assert_eq!(code(Rule::cidr(text)), "ERR_OUT_OF_RANGE", "{text}");
        }
        for text in [
            "10.0.0.0/08",
            "10.0.0.0/",
            "10.0.0.0/+1",
            "10.0.0.0/1.5",
            "10.0.0.0",
        ] {
            assert_eq!(code(Rule::cidr(text)), "ERR_INVALID_ARG_VALUE", "{text}");
        }
        assert_eq!(
            Rule::cidr("10.0.0.0/33").unwrap_err().to_string(),
            "The value of \"prefix\" is out of range. It must be >= 0 && <= 32. Received 33"
        );
    }

    #[test]
    fn a_range_goes_upwards_within_one_family() {
        let range = |text: &str| text.parse::<Rule>();
        assert!(range("1.0.0.1-1.0.0.1").is_ok());
        assert_eq!(code(range("1.0.0.2-1.0.0.1")), "ERR_INVALID_ARG_VALUE");
        assert_eq!(code(range("1.0.0.1-::1")), "ERR_INVALID_ARG_VALUE");
        let error = range("1.0.0.2-1.0.0.1").unwrap_err();
        let words = "The argument 'start' must come before end. Received 1.0.0.2";
        assert_eq!(error.to_string(), words);
    }
}
