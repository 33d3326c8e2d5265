//! How a host is looked up, and how its addresses are tried.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::address::Family;
use crate::error::{Error, Result};
use crate::resolver::Resolver;

/// The least that an attempt is given (R85).
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(10);

/// What matters only where there is a name.
#[derive(Clone, Default)]
pub(crate) struct NameOptions {
    /// `None`: any.
    pub(crate) family: Option<Family>,
    /// `None`: as the loop does by default.
    pub(crate) auto_select_family: Option<bool>,
    /// `None`: as the loop does by default, or what suits a parallel race.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) parallel: bool,
    /// `None`: that of the loop.
    pub(crate) resolver: Option<Rc<dyn Resolver>>,
}

/// What holds for names where no option says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameDefaults {
    pub(crate) auto_select_family: bool,
    pub(crate) attempt_timeout: Duration,
}

impl Default for NameDefaults {
    fn default() -> NameDefaults {
        NameDefaults {
            auto_select_family: true,
            attempt_timeout: Duration::from_millis(500), // what runs in Node, whatever net.md says
        }
    }
}

/// A timeout of an attempt as it is kept.
///
/// # Errors
///
/// `ERR_OUT_OF_RANGE` for none at all.
pub(crate) fn attempt_timeout(timeout: Duration) -> Result<Duration> {
    match timeout.is_zero() {
        true => Err(Error::not_positive("autoSelectFamilyAttemptTimeout")),
        false => Ok(timeout.max(SHORTEST_ATTEMPT)),
    }
}

impl fmt::Debug for NameOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameOptions")
            .field("family", &self.family)
            .field("auto_select_family", &self.auto_select_family)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("parallel", &self.parallel)
            .field("resolver", &self.resolver.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r85_an_attempt_is_given_ten_milliseconds_at_least_and_none_is_a_mistake() {
        for (asked, kept) in [(1, 10), (9, 10), (10, 10), (11, 11)] {
            let kept = Duration::from_millis(kept);
            assert_eq!(attempt_timeout(Duration::from_millis(asked)).unwrap(), kept);
        }
        let error = attempt_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(error.code(), "ERR_OUT_OF_RANGE");
    }
}
