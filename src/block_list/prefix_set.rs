//! Which addresses some prefix covers: a binary trie.
//!
//! Knows nothing of rules. A step down a branch decides at least one bit, so that adding, removing
//! and asking take at most 129 steps, however many prefixes there are and however they overlap;
//! branches are compressed, so that among n unrelated prefixes it takes about log2(n).

use std::mem;

use super::prefix::Prefix;

/// Prefixes, each as often as it was inserted.
#[derive(Default)]
pub(super) struct PrefixSet {
    root: Link,
}

type Link = Option<Box<Node>>;

/// Invariant: a node that was not inserted itself has two children, and each child lies in the
/// half of its parent that it hangs in.
struct Node {
    prefix: Prefix,
    /// How often the prefix was inserted; 0: only the children were.
    times: usize,
    halves: [Link; 2],
}

impl PrefixSet {
    /// Whether one of the prefixes contains `address`.
    pub(super) fn covers(&self, address: u128) -> bool {
        let mut link = &self.root;
        while let Some(node) = link {
            if !node.prefix.contains(address) {
                return false;
            }
            if node.times > 0 {
                return true; // whole addresses, which have no halves, end here at the latest
            }
            link = &node.halves[node.prefix.half(address)];
        }
        false
    }

    pub(super) fn insert(&mut self, prefix: Prefix) {
        insert(&mut self.root, prefix);
    }

    /// Takes back one [`insert`](PrefixSet::insert); a prefix that is not there stays away.
    pub(super) fn remove(&mut self, prefix: Prefix) {
        remove(&mut self.root, prefix);
    }
}

fn insert(link: &mut Link, prefix: Prefix) {
    let Some(node) = link else {
        *link = Some(Box::new(Node::new(prefix, 1)));
        return;
    };
    let common = node.prefix.common(prefix);
    if common != node.prefix {
        // The new prefix covers the node, or parts from it: the node moves down by one.
        let above = Box::new(Node::new(common, 0));
        let below = mem::replace(node, above);
        let half = common.half(below.prefix.first());
        node.halves[half] = Some(below);
    }
    if common == prefix {
        node.times += 1;
    } else {
        insert(&mut node.halves[common.half(prefix.first())], prefix);
    }
}

fn remove(link: &mut Link, prefix: Prefix) {
    let Some(node) = link else {
        return;
    };
    if node.prefix == prefix {
        node.times = node.times.saturating_sub(1);
    } else if node.prefix == node.prefix.common(prefix) {
        remove(&mut node.halves[node.prefix.half(prefix.first())], prefix);
    }
    if node.times == 0 && node.halves.iter().any(Option::is_none) {
        let [zero, one] = mem::take(&mut node.halves);
        *link = zero.or(one); // a branch with one side is none
    }
}

impl Node {
    fn new(prefix: Prefix, times: usize) -> Node {
        Node {
            prefix,
            times,
            halves: [None, None],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(prefixes: &[Prefix]) -> PrefixSet {
        let mut set = PrefixSet::default();
        prefixes.iter().for_each(|prefix| set.insert(*prefix));
        set
    }

    #[test]
    fn an_empty_set_covers_nothing_and_the_empty_prefix_everything() {
        assert!(!set(&[]).covers(0));
        let all = set(&[Prefix::around(0, 0)]);
        assert!(all.covers(0) && all.covers(u128::MAX));
    }

    #[test]
    fn the_halves_of_the_space_and_their_ends_are_apart() {
        let lower = set(&[Prefix::around(0, 1)]);
        assert!(lower.covers(u128::MAX >> 1) && !lower.covers(1 << 127));
        let ends = set(&[Prefix::around(0, 128), Prefix::around(u128::MAX, 128)]);
        assert!(ends.covers(0) && ends.covers(u128::MAX));
        assert!(!ends.covers(1) && !ends.covers(u128::MAX - 1));
    }

    #[test]
    fn a_prefix_is_gone_when_it_was_removed_as_often_as_it_was_inserted() {
        let wide = Prefix::around(8, 125);
        let mut set = set(&[wide, Prefix::around(9, 128), wide]);
        set.remove(wide);
        assert!(set.covers(15));
        set.remove(wide);
        assert!(!set.covers(15) && set.covers(9));
        set.remove(wide);
        assert!(set.covers(9));
    }

    /// Nodes below a link, after a look at the invariant.
    fn nodes(link: &Link) -> usize {
        let Some(node) = link else {
            return 0;
        };
        let mut below = 0;
        for (half, link) in node.halves.iter().enumerate() {
            if let Some(child) = link {
                assert_eq!(child.prefix.common(node.prefix), node.prefix);
                assert_ne!(child.prefix, node.prefix);
                assert_eq!(node.prefix.half(child.prefix.first()), half);
            }
            assert!(node.times > 0 || link.is_some(), "a branch with one side");
            below += nodes(link);
        }
        below + 1
    }

    #[test]
    fn a_set_keeps_no_node_that_nothing_needs() {
        let mut set = PrefixSet::default();
        let all: Vec<Prefix> = (0..300_u128)
            .map(|nth| Prefix::around((nth * 7 % 64) << 60, (nth % 129) as u8))
            .collect();
        for prefix in &all {
            set.insert(*prefix);
            assert!(nodes(&set.root) <= 2 * all.len());
        }
        for prefix in &all {
            set.remove(*prefix);
            nodes(&set.root);
        }
        assert_eq!(nodes(&set.root), 0, "as it was before the first");
    }
}
