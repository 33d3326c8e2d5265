//! Which addresses are not to be talked to.
//!
//! - this file: the list that users share and change
//! - `rule`: one rule, and how it is written
//! - `prefix`, `prefix_set`: what rules cover, and the lookup
//! - `model`: the same as a plain list, for tests

#[cfg(test)]
mod model;
mod prefix;
mod prefix_set;
mod rule;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::Result;
use prefix_set::PrefixSet;
use rule::Rule;

/// Addresses that a server turns away, or that a socket does not connect to.
///
/// It is given to [`ListenOptions::block_list`](crate::ListenOptions::block_list) and
/// [`ConnectOptions::block_list`](crate::ConnectOptions::block_list). A clone is the same list: a
/// rule that is added or removed later counts from the next connection on, in every server and on
/// every thread that has the list. Connections that stand are left alone.
///
/// ```
/// # fn main() -> netloop::Result<()> {
/// use netloop::BlockList;
/// use std::net::{IpAddr, Ipv4Addr};
///
/// let list = BlockList::new();
/// list.add_address(Ipv4Addr::new(192, 0, 2, 7));
/// list.add_cidr("2001:db8::/32")?;
///
/// assert!(list.check(Ipv4Addr::new(192, 0, 2, 7)));
/// let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
/// assert!(list.check(mapped)); // as a server on `::` sees the same peer
/// assert_eq!(list.rules(), ["Subnet: IPv6 2001:db8::/32", "Address: IPv4 192.0.2.7"]);
/// # Ok(())
/// # }
/// ```
///
/// # Families
///
/// An IPv4 address and its IPv6 form, `::ffff:a.b.c.d`, are one address: rules of either family
/// match both. (Node differs in one case: there a range of IPv6 addresses that only includes some
/// mapped ones does not match their IPv4 form.) Zones, as in `fe80::1%eth0`, are not looked at.
///
/// # Text
///
/// A list prints one rule a line, oldest first, and is read from such a text. What is read may leave
/// out what stands before the addresses; blank lines and what follows a `#` are skipped:
///
/// ```
/// # fn main() -> netloop::Result<()> {
/// let list: netloop::BlockList = "
///     ## from the firewall
///     10.0.0.0/8
///     192.0.2.1-192.0.2.9
///     198.51.100.4        # asked too often
///     Address: IPv6 2001:db8::1
/// ".parse()?;
/// assert_eq!(list.len(), 4);
/// assert_eq!(list.to_string().lines().next(), Some("Subnet: IPv4 10.0.0.0/8"));
///
/// let error = "10.0.0.0/8\n10.0.0.0/33".parse::<netloop::BlockList>().unwrap_err();
/// assert_eq!(error.code(), "ERR_OUT_OF_RANGE");
/// assert!(error.to_string().starts_with("line 2: "));
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// To ask takes one walk down a trie, at most 129 steps, however many rules there are; so does
/// adding or removing a rule, with up to 254 walks for a range of IPv6 addresses. A lock, free
/// unless another thread is changing the list, is held for as long.
///
/// Node: [`net.BlockList`](https://nodejs.org/api/net.html#class-netblocklist).
#[derive(Clone, Default)]
#[doc(alias = "isBlockList")]
#[doc(alias = "fromJSON")]
pub struct BlockList {
    shared: Arc<RwLock<Rules>>,
}

/// What a list holds.
#[derive(Default)]
struct Rules {
    /// Oldest first; the numbers are never used again.
    by_age: BTreeMap<u64, Rule>,
    /// Invariant: the inverse of `by_age`.
    ages: HashMap<Rule, u64>,
    next_age: u64,
    /// Invariant: what the rules cover, each prefix as often as rules need it.
    covered: PrefixSet,
}

impl BlockList {
    /// Networks that belong to nobody on the internet, in CIDR notation: private use (RFC 1918),
    /// loopback, link-local and unique local addresses.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// use netloop::BlockList;
    ///
    /// let list = BlockList::new();
    /// list.add_cidrs(BlockList::PRIVATE_RANGES)?;
    /// assert!(list.check([192, 168, 0, 1]));
    /// assert!(!list.check([8, 8, 8, 8]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Node: [`BlockList.PRIVATE_RANGES`](https://nodejs.org/api/net.html#class-netblocklist).
    pub const PRIVATE_RANGES: [&'static str; 8] = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "::1/128",
        "169.254.0.0/16",
        "fe80::/10",
        "fc00::/7",
    ];

    /// A list without rules, which blocks nobody.
    pub fn new() -> BlockList {
        BlockList::default()
    }

    /// Whether a rule blocks `ip`. Node: `blockList.check`.
    pub fn check(&self, ip: impl Into<IpAddr>) -> bool {
        let number = prefix::number(ip.into());
        self.read().covered.covers(number)
    }
}

/// Adding rules. One that is there already stays as old as it is.
impl BlockList {
    /// Blocks one address. Node: `blockList.addAddress`.
    #[doc(alias = "addAddress")]
    pub fn add_address(&self, ip: impl Into<IpAddr>) {
        self.write().add(Rule::Address(ip.into()));
    }

    /// Blocks several addresses, all at the same moment. Node: `blockList.addAddresses`.
    #[doc(alias = "addAddresses")]
    pub fn add_addresses(&self, ips: impl IntoIterator<Item = impl Into<IpAddr>>) {
        // Before the lock: the iterator is the caller's, and may ask this very list.
        let rules: Vec<Rule> = (ips.into_iter())
            .map(|ip| Rule::Address(ip.into()))
            .collect();
        self.add_all(rules);
    }

    /// Blocks all addresses from `start` to `end`, both included. Node: `blockList.addRange`.
    ///
    /// # Errors
    ///
    /// `ERR_INVALID_ARG_VALUE` if `start` comes after `end`, or is of another family.
    #[doc(alias = "addRange")]
    pub fn add_range(&self, start: impl Into<IpAddr>, end: impl Into<IpAddr>) -> Result<()> {
        let rule = Rule::range(start.into(), end.into())?;
        self.write().add(rule);
        Ok(())
    }

    /// Blocks all addresses that share the first `prefix` bits of `network`. Node:
    /// `blockList.addSubnet`.
    ///
    /// # Errors
    ///
    /// `ERR_OUT_OF_RANGE` if `prefix` is more than the bits of the address: 32 for IPv4, 128 for
    /// IPv6.
    #[doc(alias = "addSubnet")]
    pub fn add_subnet(&self, network: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let rule = Rule::subnet(network.into(), prefix)?;
        self.write().add(rule);
        Ok(())
    }

    /// Blocks a subnet in CIDR notation, as in `10.0.0.0/8`. Node: `blockList.addCIDR`.
    ///
    /// # Errors
    ///
    /// `ERR_INVALID_ADDRESS` if no address stands before the slash, `ERR_INVALID_ARG_VALUE` if no
    /// number stands behind it or there is no slash, `ERR_OUT_OF_RANGE` if the number is more than
    /// the bits of the address.
    #[doc(alias = "addCIDR")]
    pub fn add_cidr(&self, cidr: &str) -> Result<()> {
        let rule = Rule::cidr(cidr)?;
        self.write().add(rule);
        Ok(())
    }

    /// Blocks several subnets, all at the same moment. Node: `blockList.addCIDRs`.
    ///
    /// # Errors
    ///
    /// As [`add_cidr`](BlockList::add_cidr); then none of them is added.
    #[doc(alias = "addCIDRs")]
    pub fn add_cidrs(&self, cidrs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let rules: Result<Vec<Rule>> = (cidrs.into_iter())
            .map(|cidr| Rule::cidr(cidr.as_ref()))
            .collect();
        self.add_all(rules?);
        Ok(())
    }

    fn add_all(&self, rules: Vec<Rule>) {
        let mut list = self.write();
        rules.into_iter().for_each(|rule| list.add(rule));
    }
}

/// Removing rules: each as it was written. What another rule covers too stays blocked.
impl BlockList {
    /// Removes the rule of one address; false if there was none. Node: `blockList.removeAddress`.
    #[doc(alias = "removeAddress")]
    pub fn remove_address(&self, ip: impl Into<IpAddr>) -> bool {
        self.write().remove(Rule::Address(ip.into()))
    }

    /// Removes the range with these ends; false if there was none. Node: `blockList.removeRange`.
    #[doc(alias = "removeRange")]
    pub fn remove_range(&self, start: impl Into<IpAddr>, end: impl Into<IpAddr>) -> bool {
        self.write().remove(Rule::Range(start.into(), end.into()))
    }

    /// Removes the subnet of this network and prefix; false if there was none. Node:
    /// `blockList.removeSubnet`.
    #[doc(alias = "removeSubnet")]
    pub fn remove_subnet(&self, network: impl Into<IpAddr>, prefix: u8) -> bool {
        self.write().remove(Rule::Subnet(network.into(), prefix))
    }

    /// Removes a subnet in CIDR notation; false if there was none. Node: `blockList.removeCIDR`.
    ///
    /// # Errors
    ///
    /// As [`add_cidr`](BlockList::add_cidr).
    #[doc(alias = "removeCIDR")]
    pub fn remove_cidr(&self, cidr: &str) -> Result<bool> {
        let rule = Rule::cidr(cidr)?;
        Ok(self.write().remove(rule))
    }

    /// Removes all rules. Node: `blockList.clear`.
    pub fn clear(&self) {
        // Taken out under the lock and freed after it: a large list is long in going.
        let rules = std::mem::take(&mut *self.write());
        drop(rules);
    }
}

/// What a list tells.
impl BlockList {
    /// How many rules there are. Node: `blockList.size`.
    #[doc(alias = "size")]
    pub fn len(&self) -> usize {
        self.read().by_age.len()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rules as Node writes them, newest first: `Address: IPv4 a`, `Range: IPv4 a-b`,
    /// `Subnet: IPv6 n/p`. Node: `blockList.rules`.
    #[doc(alias = "toJSON")]
    pub fn rules(&self) -> Vec<String> {
        let list = self.read();
        list.by_age.values().rev().map(Rule::to_string).collect()
    }

    // A lock is poisoned by a panic while a rule is added. No code of users runs under it and
    // nothing there is meant to panic; if something does, a list that still blocks is better than
    // a loop that ends.
    fn read(&self) -> RwLockReadGuard<'_, Rules> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rules> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    fn add(&mut self, rule: Rule) {
        if let Entry::Vacant(entry) = self.ages.entry(rule) {
            entry.insert(self.next_age);
            self.by_age.insert(self.next_age, rule);
            self.next_age += 1;
            rule.prefixes().for_each(|it| self.covered.insert(it));
        }
    }

    fn remove(&mut self, rule: Rule) -> bool {
        let Some(age) = self.ages.remove(&rule) else {
            return false;
        };
        self.by_age.remove(&age);
        rule.prefixes().for_each(|it| self.covered.remove(it));
        true
    }
}

impl fmt::Display for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A copy, so that a writer of the user's runs without the lock.
        let rules: Vec<Rule> = self.read().by_age.values().copied().collect();
        rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

impl FromStr for BlockList {
    type Err = crate::Error;

    /// Reads one rule a line.
    ///
    /// # Errors
    ///
    /// Of the first line that is no rule, with its number: `ERR_INVALID_ADDRESS`,
    /// `ERR_INVALID_ARG_VALUE` or `ERR_OUT_OF_RANGE`.
    fn from_str(text: &str) -> Result<BlockList> {
        let mut rules = Rules::default();
        for (index, line) in text.lines().enumerate() {
            let (line, _comment) = line.split_once('#').unwrap_or((line, ""));
            let line = line.trim();
            if !line.is_empty() {
                rules.add(
                    line.parse()
                        .map_err(|error: crate::Error| error.in_line(index + 1))?,
                );
            }
        }
        Ok(BlockList {
            shared: Arc::new(RwLock::new(rules)),
        })
    }
}

impl fmt::Debug for BlockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_struct("BlockList");
        list.field("len", &self.len()).finish_non_exhaustive()
    }
}
