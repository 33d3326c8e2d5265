//! Names: what is asked, who answers, and the promise of an answer.
//!
//! - this file: [`Resolver`], which users may write, and [`SystemResolver`], which is used unless
//!   they do
//! - `question`: what is asked
//! - `promise`: the answer that is still to come
//!
//! Looks nothing up: the system's resolver works in `net/names.rs`, on the threads of `sys`.

mod promise;
mod question;

pub(crate) use promise::Answer;
pub use promise::Promise;
pub use question::Question;

use crate::Net;
use std::time::Duration;

/// How long an answer may take unless a resolver says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);

/// Turns host names into addresses.
///
/// Set for the whole loop by [`Net::set_resolver`], or for one connection by
/// [`ConnectOptions::resolver`](crate::ConnectOptions::resolver). It is asked on the loop's thread,
/// never from inside a call, and must not block it: it may answer at once, later, or from another
/// thread, where the [`Promise`] may go. The socket meanwhile takes writes, `end`, `destroy` and
/// every setting. Every question is asked anew: whoever wants a cache has it in here.
///
/// A function will do:
///
/// ```
/// # fn main() -> netloop::Result<()> {
/// use netloop::{Net, Promise, Question, Reactor};
/// use std::net::{IpAddr, Ipv4Addr};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// reactor.net().set_resolver(|net: &mut Net, question: Question, promise: Promise| {
///     if question.host() == "slow.example" {
///         net.set_timeout(Duration::from_secs(1), move |_| {
///             promise.fulfil(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
///         });
///     } else {
///         promise.fulfil(Ok(Vec::new())); // no addresses: ENOTFOUND
///     }
/// });
/// # Ok(())
/// # }
/// ```
///
/// A panic in it goes on to whoever called [`Reactor::run`](crate::Reactor::run), and the lookup
/// fails.
///
/// Node: the option `lookup` of
/// [`socket.connect`](https://nodejs.org/api/net.html#socketconnectoptions-connectlistener).
#[doc(alias = "lookup")]
pub trait Resolver {
    /// Sees to it that `promise` is fulfilled, now or later. One that is dropped instead fails the
    /// lookup with `ECANCELED`.
    fn resolve(&self, net: &mut Net, question: Question, promise: Promise);

    /// How long the loop waits for an answer before the lookup fails with `ETIMEDOUT`; 10 s unless
    /// this says otherwise, [`Duration::MAX`] for ever.
    fn deadline(&self) -> Duration {
        DEADLINE
    }
}

impl<F: Fn(&mut Net, Question, Promise)> Resolver for F {
    fn resolve(&self, net: &mut Net, question: Question, promise: Promise) {
        self(net, question, promise);
    }
}

/// The system's resolver, `getaddrinfo(3)`: used unless another one is set.
///
/// At most four threads call it, started when there is something to look up; 1,024 hosts may wait
/// for them, and more fail with `ENOBUFS`. One host is looked up once however many wait for it, and
/// leaves the queue when nobody does any more. An answer has to come within 10 s.
///
/// std asks for it, and so what getaddrinfo says comes through a sieve: every failure that does not
/// call itself temporary (`EAI_AGAIN`) or final (`EAI_FAIL`) is `ENOTFOUND`, and the hint
/// `ADDRCONFIG`, which Node gives, cannot be given: a machine without IPv6 may be told IPv6
/// addresses, and tries them. See getaddrinfo(3).
///
/// A resolver of your own hands on to it what it does not know:
///
/// ```
/// use netloop::{Net, Promise, Question, Resolver, SystemResolver};
///
/// struct Overrides;
///
/// impl Resolver for Overrides {
///     fn resolve(&self, net: &mut Net, question: Question, promise: Promise) {
///         match question.host() {
///             "db.internal" => promise.fulfil(Ok(vec![[10, 0, 0, 7].into()])),
///             _ => SystemResolver.resolve(net, question, promise),
///         }
///     }
/// }
/// ```
///
/// Node: [`dns.lookup`](https://nodejs.org/api/dns.html#dnslookuphostname-options-callback).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, net: &mut Net, question: Question, promise: Promise) {
        net.look_up(question, promise);
    }
}
