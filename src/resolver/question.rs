//! What a resolver is asked.

use crate::Family;
use std::sync::Arc;

/// What a [`Resolver`](super::Resolver) is asked: the addresses of a host.
///
/// Without Node's `hints`: std's lookup takes none, and a resolver of your own does as it likes.
///
/// Node: the first two arguments of `lookup`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "hints")]
pub struct Question {
    pub(crate) host: Arc<str>,
    pub(crate) family: Option<Family>,
    pub(crate) all: bool,
}

impl Question {
    /// The name as it was given to `connect` or `listen`: 1 to 253 visible ASCII characters, never
    /// an IP address in any notation.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The only family that is wanted; `None`: any. Addresses of another one are not used.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// Whether all addresses are wanted. Otherwise only the first one is used, and more are no
    /// mistake.
    pub fn all(&self) -> bool {
        self.all
    }

    /// Whether an address is of the family that is wanted.
    pub(crate) fn wants(&self, family: Family) -> bool {
        self.family.is_none_or(|wanted| wanted == family)
    }
}
