//! A block list against a plain list of rules that is searched from end to end.

use super::BlockList;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A rule by its ends, IPv4 as IPv6 maps it, and how it prints.
type Plain = (Ipv6Addr, Ipv6Addr, String);

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// The address with its lowest `bits` bits all `to`.
fn fill(ip: IpAddr, bits: u32, to: bool) -> IpAddr {
    let behind = 1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1);
    let set = |number: u128| {
        if to {
            number | behind
        } else {
            number & !behind
        }
    };
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(set(v4.to_bits().into()) as u32).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(set(v6.to_bits())).into(),
    }
}

/// Addresses that are often near each other, and often at an end of something.
fn ip() -> impl Strategy<Value = IpAddr> {
    let low = prop_oneof![0..8_u32, Just(u32::MAX), any::<u32>()];
    (0..5, low).prop_map(|(kind, low)| match kind {
        0 | 1 => Ipv4Addr::from_bits(low).into(),
        2 => Ipv4Addr::from_bits(low).to_ipv6_mapped().into(),
        3 => Ipv6Addr::from_bits(low.into()).into(),
        _ => Ipv6Addr::from_bits(u128::MAX - u128::from(low)).into(),
    })
}

#[derive(Clone, Debug)]
enum Op {
    Address(IpAddr),
    Range(IpAddr, IpAddr),
    Subnet(IpAddr, u8),
    /// Takes the rule at this place away again.
    Remove(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        ip().prop_map(Op::Address),
        (ip(), ip()).prop_map(|(start, end)| Op::Range(start, end)),
        (ip(), 0..=128_u8).prop_map(|(ip, prefix)| Op::Subnet(ip, prefix)),
        any::<prop::sample::Index>().prop_map(Op::Remove),
    ]
}

/// Does the same to both.
fn play(list: &BlockList, model: &mut Vec<(Op, Plain)>, op: Op) {
    let plain = match &op {
        Op::Address(ip) => {
            list.add_address(*ip);
            let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
            (mapped(*ip), mapped(*ip), format!("Address: {family} {ip}"))
        }
        Op::Range(start, end) => {
            let good = start.is_ipv4() == end.is_ipv4() && start <= end;
            assert_eq!(list.add_range(*start, *end).is_ok(), good);
            if !good {
                return;
            }
            let family = if start.is_ipv4() { "IPv4" } else { "IPv6" };
            let text = format!("Range: {family} {start}-{end}");
            (mapped(*start), mapped(*end), text)
        }
        Op::Subnet(ip, prefix) => {
            let (bits, family) = if ip.is_ipv4() {
                (32, "IPv4")
            } else {
                (128, "IPv6")
            };
            assert_eq!(list.add_subnet(*ip, *prefix).is_ok(), *prefix <= bits);
            if *prefix > bits {
                return;
            }
            let behind = u32::from(bits - prefix);
            let ends = [false, true].map(|to| mapped(fill(*ip, behind, to)));
            (ends[0], ends[1], format!("Subnet: {family} {ip}/{prefix}"))
        }
        Op::Remove(_) if model.is_empty() => return,
        Op::Remove(place) => {
            let (rule, _) = model.remove(place.index(model.len()));
            let remove = || match &rule {
                Op::Address(ip) => list.remove_address(*ip),
                Op::Range(start, end) => list.remove_range(*start, *end),
                Op::Subnet(ip, prefix) => list.remove_subnet(*ip, *prefix),
                Op::Remove(_) => unreachable!("it is no rule"),
            };
            assert!(remove(), "{rule:?}");
            assert!(!remove(), "{rule:?} was there twice");
            return;
        }
    };
    if !model.iter().any(|(_, known)| known.2 == plain.2) {
        model.push((op, plain));
    }
}

proptest! {
    #[test]
    fn a_list_answers_as_a_plain_list_of_its_rules_would(
        ops in prop::collection::vec(op(), 0..24),
        mut asked in prop::collection::vec(ip(), 8),
    ) {
        let list = BlockList::new();
        let mut model = Vec::new();
        for op in ops {
            play(&list, &mut model, op);
        }
        // The ends of all rules and what lies next to them are where an answer may be wrong.
        for (_, (first, last, _)) in &model {
            for number in [first.to_bits(), last.to_bits()] {
                let near = [number.wrapping_sub(1), number, number.wrapping_add(1)];
                asked.extend(near.map(|it| IpAddr::from(Ipv6Addr::from_bits(it))));
            }
        }
        for ip in asked {
            let blocked = model
                .iter()
                .any(|(_, (first, last, _))| (*first..=*last).contains(&mapped(ip)));
            prop_assert_eq!(list.check(ip), blocked, "{} in {:?}", ip, &model);
            prop_assert_eq!(list.check(ip.to_canonical()), blocked, "{}, unmapped", ip);
        }

        let rules: Vec<String> = model.iter().rev().map(|(_, (.., text))| text.clone()).collect();
        prop_assert_eq!(list.len(), rules.len());
        prop_assert_eq!(list.rules(), rules);
        let again: BlockList = list.to_string().parse().unwrap();
        prop_assert_eq!(again.rules(), list.rules());
    }
}
