//! The keys and their values, one store for all connections of a loop.
//!
//! Knows nothing of the protocol. A key that expires has a timer of the loop, which removes it;
//! whoever asks before the timer was told finds it gone all the same.

use bytes::Bytes;
use netloop::{Net, TimerId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// A handle to share. The map's hash is the standard one: it is keyed, so that no client can make
/// all keys meet in one place.
#[derive(Clone, Default)]
pub(crate) struct Store(Rc<RefCell<HashMap<Box<[u8]>, Value>>>);

struct Value {
    bytes: Bytes,
    expiry: Option<Expiry>,
}

#[derive(Clone, Copy)]
struct Expiry {
    /// By the clock of [`Net::now`].
    at: Duration,
    timer: TimerId,
}

impl Value {
    fn lives(&self, now: Duration) -> bool {
        self.expiry.is_none_or(|expiry| expiry.at > now)
    }
}

impl Store {
    /// Lets `look` see the value of a key, if it has one.
    pub(crate) fn get<T>(
        &self,
        now: Duration,
        key: &[u8],
        look: impl FnOnce(Option<&Bytes>) -> T,
    ) -> T {
        let map = self.0.borrow();
        let value = map.get(key).filter(|value| value.lives(now));
        look(value.map(|value| &value.bytes))
    }

    pub(crate) fn contains(&self, now: Duration, key: &[u8]) -> bool {
        self.get(now, key, |value| value.is_some())
    }

    /// Sets a key's value. How long it lives stays as it is, unless that time is over.
    pub(crate) fn replace(&self, net: &mut Net, key: &[u8], bytes: Bytes) {
        if !self.contains(net.now(), key) {
            self.forget_expiry(net, key); // a dead value would leave its end to the new one
        }
        self.put(key, bytes);
    }

    fn put(&self, key: &[u8], bytes: Bytes) {
        let mut map = self.0.borrow_mut();
        match map.get_mut(key) {
            Some(value) => value.bytes = bytes,
            None => {
                let expiry = None;
                map.insert(key.into(), Value { bytes, expiry });
            }
        }
    }

    /// Sets a key's value, for ever.
    pub(crate) fn set(&self, net: &mut Net, key: &[u8], bytes: Bytes) {
        self.forget_expiry(net, key);
        self.put(key, bytes);
    }

    /// Removes a key; answers whether there was one.
    pub(crate) fn remove(&self, net: &mut Net, key: &[u8]) -> bool {
        self.forget_expiry(net, key);
        let removed = self.0.borrow_mut().remove(key);
        removed.is_some_and(|value| value.lives(net.now()))
    }

    /// Lets a key live for so long from now on; answers whether there is one.
    pub(crate) fn expire(&self, net: &mut Net, key: &[u8], after: Duration) -> bool {
        if !self.contains(net.now(), key) {
            return false;
        }
        self.forget_expiry(net, key);
        let (store, name) = (self.clone(), Box::<[u8]>::from(key));
        let timer = net.set_timeout(after, move |_net| drop(store.0.borrow_mut().remove(&name)));
        let at = net.now().saturating_add(after);
        if let Some(value) = self.0.borrow_mut().get_mut(key) {
            value.expiry = Some(Expiry { at, timer });
        }
        true
    }

    /// How long a key has still to live: `None` if it is not there, `Some(None)` if for ever.
    pub(crate) fn time_to_live(&self, net: &Net, key: &[u8]) -> Option<Option<Duration>> {
        let (map, now) = (self.0.borrow(), net.now());
        let value = map.get(key).filter(|value| value.lives(now))?;
        Some(value.expiry.map(|expiry| expiry.at - now))
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn clear(&self, net: &mut Net) {
        for (_, value) in self.0.borrow_mut().drain() {
            if let Some(expiry) = value.expiry {
                net.clear_timer(expiry.timer);
            }
        }
    }

    /// A key that was removed or set anew must not be removed by the timer of its former value. One
    /// whose time is over is removed.
    fn forget_expiry(&self, net: &mut Net, key: &[u8]) {
        let mut map = self.0.borrow_mut();
        let expiry = map.get_mut(key).and_then(|value| value.expiry.take());
        if let Some(expiry) = expiry {
            net.clear_timer(expiry.timer);
            if expiry.at <= net.now() {
                map.remove(key);
            }
        }
    }
}
