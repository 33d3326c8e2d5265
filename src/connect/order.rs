//! Which addresses of a host are tried, and in what order (R77).

use std::net::IpAddr;

/// How many addresses of one host are tried at most: a name with hundreds of them must not keep a
/// socket busy for minutes (FAULTS G4, B11).
pub(crate) const MOST_ADDRESSES: usize = 32;

/// How many answers about one host are looked at, and told, at most: the same address may come any
/// number of times.
pub(crate) const MOST_ANSWERS: usize = 1024;

/// The answers of a resolver in the order of trying: each once, the family of the first answer
/// first, families in turn, what is left of the longer one behind.
pub(crate) fn in_order(answers: &[IpAddr]) -> Vec<IpAddr> {
    let leads_with_v6 = answers.first().is_some_and(IpAddr::is_ipv6);
    let mut families: [Vec<IpAddr>; 2] = Default::default();
    for answer in answers {
        let family = &mut families[usize::from(answer.is_ipv6() != leads_with_v6)];
        // No more of one family than could be tried if there were nothing of the other, so a long
        // answer costs no more than a short one squared.
        if family.len() < MOST_ADDRESSES && !family.contains(answer) {
            family.push(*answer);
        }
    }
    let mut order = Vec::new();
    for place in 0..MOST_ADDRESSES {
        order.extend(families.iter().filter_map(|family| family.get(place)));
    }
    order.truncate(MOST_ADDRESSES);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ips(texts: &str) -> Vec<IpAddr> {
        let ips = texts.split_whitespace().map(|text| text.parse());
        ips.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn r77_the_first_family_leads_families_alternate_and_leftovers_follow_in_order() {
        for (answers, order) in [
            ("", ""),
            ("10.0.0.1", "10.0.0.1"),
            ("::1 127.0.0.1", "::1 127.0.0.1"),
            ("127.0.0.1 ::1", "127.0.0.1 ::1"),
            ("::1 ::2 ::3 10.0.0.1", "::1 10.0.0.1 ::2 ::3"),
            ("10.0.0.1 10.0.0.2 ::1 ::2", "10.0.0.1 ::1 10.0.0.2 ::2"),
            ("10.0.0.1 ::1 ::2 ::3", "10.0.0.1 ::1 ::2 ::3"),
        ] {
            assert_eq!(in_order(&ips(answers)), ips(order), "{answers}");
        }
    }

    #[test]
    fn r77_an_answer_that_comes_twice_is_tried_once() {
        let answers = ips("::1 10.0.0.1 ::1 10.0.0.1 10.0.0.2 ::1");
        assert_eq!(in_order(&answers), ips("::1 10.0.0.1 10.0.0.2"));
        // Mapped into IPv6 it is another address, and may be reached where the other is not.
        let mapped = ips("10.0.0.1 ::ffff:10.0.0.1");
        assert_eq!(in_order(&mapped), mapped);
    }

    #[test]
    fn g4_of_five_hundred_addresses_thirty_two_are_tried_and_both_families_have_their_share() {
        let v4 = (0..250).map(|it| IpAddr::from([10, 0, 0, it as u8]));
        let v6 = (0..250).map(|it| IpAddr::from([0, 0, 0, 0, 0, 0, 0, it as u16 + 1]));
        let order = in_order(&v6.chain(v4).collect::<Vec<_>>());
        assert_eq!(order.len(), MOST_ADDRESSES);
        assert_eq!(order.iter().filter(|ip| ip.is_ipv4()).count(), 16);
    }

    fn some_ips() -> impl Strategy<Value = Vec<IpAddr>> {
        let v4 = (0..6u8).prop_map(|it| IpAddr::from([10, 0, 0, it]));
        let v6 = (0..6u16).prop_map(|it| IpAddr::from([0, 0, 0, 0, 0, 0, 0, it]));
        prop::collection::vec(prop_oneof![v4, v6], 0..20)
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_node_written_out_naively(answers in some_ips()) {
            let mut once = Vec::new();
            for answer in &answers {
                if !once.contains(answer) {
                    once.push(*answer);
                }
            }
            let first = once.first().is_some_and(IpAddr::is_ipv6);
            let (mut lead, mut other): (Vec<_>, Vec<_>) =
                once.into_iter().partition(|it| it.is_ipv6() == first);
            let mut expected = Vec::new();
            while !lead.is_empty() || !other.is_empty() {
                for family in [&mut lead, &mut other] {
                    if !family.is_empty() {
                        expected.push(family.remove(0));
                    }
                }
            }
            prop_assert_eq!(in_order(&answers), expected);
        }
    }
}
