//! Signals of the process, as an event of the poller.
//!
//! A signal's handler may do next to nothing: it raises a flag and writes a byte. Flags belong to a
//! loop, so each loop of the process hears of each signal that it watches. What a signal does by
//! default belongs to the process: it is put off for as long as any loop watches the signal.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::FORBIDDEN;
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};

use super::poller::Poller;
use crate::sys::Interest;

/// The signals that one loop watches.
#[derive(Default)]
pub(crate) struct Signals {
    /// Made with the first signal: both ends, of which the handlers have copies of the second.
    pipe: Option<(mio::net::UnixStream, UnixStream)>,
    watched: BTreeMap<i32, Watched>,
}

/// One signal, until it is dropped: first what its handler does for this loop, then the deferral.
struct Watched {
    raised: Arc<AtomicBool>,
    _actions: Actions,
    _deferral: Deferral,
}

/// Parts of a signal's handler, in the order of their calls.
#[derive(Default)]
struct Actions(Vec<SigId>);

impl Signals {
    /// Has `signal` told, with an event under `token`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is no signal or cannot be watched; any errno of a pipe's.
    pub(crate) fn watch(&mut self, poller: &Poller, signal: i32, token: u64) -> io::Result<()> {
        if FORBIDDEN.contains(&signal) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        install_fallback(signal)?;
        let (_, writer) = match &mut self.pipe {
            Some(pipe) => pipe,
            None => {
                let (reader, writer) = UnixStream::pair()?;
                reader.set_nonblocking(true)?;
                let mut reader = mio::net::UnixStream::from_std(reader);
                poller.register(&mut reader, token, Interest::Read)?;
                self.pipe.insert((reader, writer))
            }
        };
        let raised = Arc::<AtomicBool>::default();
        let mut actions = Actions::default();
        // The flag first: who hears the byte finds it.
        actions.0.push(flag::register(signal, Arc::clone(&raised))?);
        actions.0.push(pipe::register(signal, writer.try_clone()?)?);
        let watched = Watched {
            raised,
            _actions: actions,
            _deferral: Deferral::begin(signal),
        };
        self.watched.insert(signal, watched);
        Ok(())
    }

    pub(crate) fn unwatch(&mut self, signal: i32) {
        self.watched.remove(&signal);
    }

    /// Which signals have come since this was asked last, each once, by number.
    pub(crate) fn take(&mut self) -> Vec<i32> {
        // The bytes first: a signal that comes now writes another one.
        if let Some((reader, _)) = &mut self.pipe {
            let mut bytes = [0; 256];
            while reader.read(&mut bytes).is_ok_and(|read| read > 0) {}
        }
        let raised = |(&signal, watched): (&i32, &Watched)| {
            let raised = watched.raised.swap(false, Ordering::SeqCst);
            raised.then_some(signal)
        };
        self.watched.iter().filter_map(raised).collect()
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        for action in self.0.drain(..) {
            unregister(action);
        }
    }
}

/// What a signal does by default, to be done by its handler while no loop watches it.
struct Fallback {
    watchers: usize,
    applies: Arc<AtomicBool>,
}

/// By signal, each from when it was watched for the first time: its handler stays for good.
static FALLBACKS: Mutex<BTreeMap<i32, Fallback>> = Mutex::new(BTreeMap::new());

fn fallbacks() -> MutexGuard<'static, BTreeMap<i32, Fallback>> {
    FALLBACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the default a part of the handler, as the first one that is called. It goes on to apply.
fn install_fallback(signal: i32) -> io::Result<()> {
    if let Entry::Vacant(place) = fallbacks().entry(signal) {
        let applies = Arc::new(AtomicBool::new(true));
        flag::register_conditional_default(signal, Arc::clone(&applies))?;
        place.insert(Fallback {
            watchers: 0,
            applies,
        });
    }
    Ok(())
}

/// Puts a signal's default off while it lives.
struct Deferral(i32);

impl Deferral {
    fn begin(signal: i32) -> Deferral {
        if let Some(fallback) = fallbacks().get_mut(&signal) {
            fallback.watchers += 1;
            fallback.applies.store(false, Ordering::SeqCst);
        }
        Deferral(signal)
    }
}

impl Drop for Deferral {
    fn drop(&mut self) {
        if let Some(fallback) = fallbacks().get_mut(&self.0) {
            fallback.watchers -= 1;
            let nobody = fallback.watchers == 0;
            fallback.applies.store(nobody, Ordering::SeqCst);
        }
    }
}
