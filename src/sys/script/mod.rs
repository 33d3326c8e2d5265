//! A kernel that answers what a test says.
//!
//! It simulates nothing: no connection stands behind a descriptor, and no event follows from a
//! call. A test says what the next poll reports and what the next read returns, and looks at what
//! was asked and written. Where nothing is said, each call has the dullest answer: no events, no
//! bytes, everything taken.

mod answer;
mod answering;
mod call;

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use answer::{Accept, Connect, Event, Poll, Read, Write};
pub(crate) use call::{Call, Kind};

use super::{Bell, Readiness, Sys};
use answering::State;

/// A handle on the script. All clones are one kernel: the loop has one, the test keeps another.
#[derive(Clone)]
pub(crate) struct Script(Rc<RefCell<State>>);

impl Script {
    pub(crate) fn new() -> Script {
        Script(Rc::new(RefCell::new(State::default())))
    }

    /// A `Sys` that runs on this script.
    pub(crate) fn sys(&self) -> Sys {
        Sys::with_kernel(Box::new(self.clone()))
    }

    /// Queues what one poll answers. A poll beyond the queue finds nothing and sleeps its timeout
    /// out.
    pub(crate) fn on_poll(&self, answer: Poll) {
        self.0.borrow_mut().polls.push_back(answer);
    }

    /// Queues a poll with one event: `descriptor` is ready.
    pub(crate) fn ready(&self, descriptor: u32, ready: Readiness) {
        self.on_poll(Poll::Events(vec![Event::Ready(descriptor, ready)]));
    }

    /// Queues an answer to `accept`; beyond the queue, nobody waits.
    pub(crate) fn on_accept(&self, listener: u32, answer: Accept) {
        self.0
            .borrow_mut()
            .accepts
            .entry(listener)
            .or_default()
            .push_back(answer);
    }

    /// Queues an answer to `read`; beyond the queue, nothing is there. The stream need not be open
    /// yet, but what is left when it closes is forgotten. So with writes and connects.
    pub(crate) fn on_read(&self, stream: u32, answer: Read) {
        if let Read::Data(bytes) = &answer {
            assert!(
                !bytes.is_empty(),
                "no bytes would be the end of input: say Read::Eof"
            );
        }
        self.0
            .borrow_mut()
            .reads
            .entry(stream)
            .or_default()
            .push_back(answer);
    }

    /// Queues an answer to `write` or `write_vectored`; beyond the queue, everything is taken.
    pub(crate) fn on_write(&self, stream: u32, answer: Write) {
        self.0
            .borrow_mut()
            .writes
            .entry(stream)
            .or_default()
            .push_back(answer);
    }

    /// Queues how a connect stands when it is asked; beyond the queue, it is connected. For a
    /// connect that fails at once, see [`answer`](Script::answer).
    pub(crate) fn on_finish_connect(&self, stream: u32, answer: Connect) {
        self.0
            .borrow_mut()
            .connects
            .entry(stream)
            .or_default()
            .push_back(answer);
    }

    /// Queues whether the next call of this kind works, on whatever descriptor; beyond the queue,
    /// it does.
    pub(crate) fn answer(&self, kind: Kind, verdict: Result<(), i32>) {
        self.0
            .borrow_mut()
            .verdicts
            .entry(kind)
            .or_default()
            .push_back(verdict);
    }

    /// Makes the call that will stand at `index` of [`calls`](Script::calls) fail, whatever else is
    /// queued for it: run once, count, then run again with each call failing in turn. Calls that
    /// cannot fail do not.
    pub(crate) fn fail_call(&self, index: usize, errno: i32) {
        self.0.borrow_mut().faults.insert(index, errno);
    }

    /// Lets each poll take so long, as entering the kernel does. In the beginning one that does not
    /// sleep takes no time.
    pub(crate) fn polls_take(&self, time: Duration) {
        self.0.borrow_mut().poll_takes = time;
    }

    /// Does this while a poll runs, in the first one after which the clock says so.
    pub(crate) fn at(&self, time: Duration, deed: impl FnOnce() + 'static) {
        self.0.borrow_mut().happenings.push((time, Box::new(deed)));
    }

    /// Moves the clock. Besides this, only polls do.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.borrow_mut().now += by;
    }

    /// Moves the clock back, as no kernel of ours does: what is above has to bear it.
    pub(crate) fn rewind(&self, by: Duration) {
        self.0.borrow_mut().now -= by;
    }

    /// Everything asked so far, in order.
    pub(crate) fn calls(&self) -> Ref<'_, [Call]> {
        Ref::map(self.0.borrow(), |state| state.calls.as_slice())
    }

    /// What was asked since this was called last, or since the start.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        let mut state = self.0.borrow_mut();
        assert!(
            state.faults.is_empty(),
            "the places of the calls still to fail would be lost"
        );
        std::mem::take(&mut state.calls)
    }

    /// What the descriptor's writer got rid of, while it is open and afterwards until its number
    /// comes again.
    pub(crate) fn written(&self, stream: u32) -> Vec<u8> {
        self.0
            .borrow()
            .written
            .get(&stream)
            .cloned()
            .unwrap_or_default()
    }

    /// Everything that is open, but for the spare.
    pub(crate) fn open_descriptors(&self) -> Vec<u32> {
        self.0.borrow().ledger.keys().copied().collect()
    }

    /// The token that a descriptor is registered under.
    pub(crate) fn token(&self, descriptor: u32) -> Option<u64> {
        self.0.borrow().ledger.get(&descriptor)?.token
    }

    /// The loop's bell, once it has asked for one.
    pub(crate) fn bell(&self) -> Option<Arc<Bell>> {
        Some(Arc::clone(&self.0.borrow().bell.as_ref()?.0))
    }

    /// Sends a signal to the loop's process; whether it is watched.
    #[cfg(feature = "signal")]
    pub(crate) fn raise(&self, signal: i32) -> bool {
        self.0.borrow_mut().signals.raise(signal)
    }

    /// Does the job that has waited longest, as a thread of the loop's would; whether there was one.
    pub(crate) fn do_job(&self) -> bool {
        let job = self.0.borrow_mut().jobs.pop_front();
        job.map(|job| job()).is_some()
    }

    /// How often a poll would have slept for ever: no timeout, and nothing queued.
    pub(crate) fn sleeps_for_ever(&self) -> u32 {
        self.0.borrow().sleeps_for_ever
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::Address;
    use crate::sys::{Interest, Kernel};

    const SECOND: Duration = Duration::from_secs(1);

    fn address() -> Address {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 80)).into()
    }

    #[test]
    fn without_a_script_each_call_has_the_dullest_answer() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut listener = sys
            .listen((Ipv4Addr::LOCALHOST, 0).into(), 1, false, false)
            .unwrap();
        assert_ne!(sys.listener_address(&listener).unwrap().port(), Some(0));
        let nobody = sys.accept(&mut listener).unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        let mut stream = sys.connect(&address(), None, None).unwrap();
        assert!(sys.finish_connect(&stream).unwrap());
        let nothing = sys.read(&mut stream, &mut [0; 4]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(sys.write(&mut stream, b"abc").unwrap(), 3);
        assert_eq!(script.written(4), b"abc");
        assert_eq!(script.open_descriptors(), [3, 4]);
    }

    #[test]
    fn time_passes_in_a_poll_that_finds_nothing_and_by_advance() {
        let script = Script::new();
        let mut sys = script.sys();
        sys.poll(Some(SECOND), |_, _| {}).unwrap();
        script.advance(SECOND);
        assert_eq!(sys.now(), 2_000_000_000);
        script.on_poll(Poll::Events(vec![Event::Token(1, Readiness::READ)]));
        sys.poll(Some(SECOND), |_, _| {}).unwrap();
        assert_eq!(sys.now(), 2_000_000_000, "an event comes at once");
    }

    #[test]
    fn an_event_finds_the_token_that_its_descriptor_has_when_the_poll_comes() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut stream = sys.connect(&address(), None, None).unwrap();
        script.ready(3, Readiness::READ);
        sys.register(&mut stream, 10, Interest::Read).unwrap();
        sys.reregister(&mut stream, 11, Interest::Read).unwrap();
        sys.poll(None, |token, ready| {
            assert_eq!((token, ready), (11, Readiness::READ))
        })
        .unwrap();
        assert_eq!(script.token(3), Some(11));
    }

    #[test]
    #[should_panic(expected = "sleeps for ever")]
    fn a_loop_that_nothing_will_wake_does_not_run_for_ever() {
        let mut sys = Script::new().sys();
        loop {
            sys.poll(None, |_, _| {}).unwrap();
        }
    }

    #[test]
    fn bytes_that_do_not_fit_are_read_later_and_the_end_stays_the_end() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut stream = sys.connect(&address(), None, None).unwrap();
        script.on_read(3, Read::Data(b"hello".to_vec()));
        script.on_read(3, Read::Eof);
        let mut buffer = [0; 4];
        assert_eq!(sys.read(&mut stream, &mut []).unwrap(), 0);
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 4);
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], b'o');
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 0);
        assert_eq!(sys.read(&mut stream, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_number_comes_back_lowest_first_and_without_its_past() {
        let script = Script::new();
        let mut sys = script.sys();
        let mut first = sys.connect(&address(), None, None).unwrap();
        let _second = sys.connect(&address(), None, None).unwrap();
        sys.write(&mut first, b"old").unwrap();
        script.on_read(3, Read::Eof);
        sys.discard(first);
        assert_eq!(script.written(3), b"old");
        let mut third = sys.connect(&address(), None, None).unwrap();
        assert_eq!(script.open_descriptors(), [3, 4]);
        assert_eq!(script.written(3), b"");
        let nothing = sys.read(&mut third, &mut [0; 4]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    #[should_panic(expected = "not open")]
    fn a_second_close_is_a_bug() {
        let mut script = Script::new();
        let descriptor = script.connect(&address(), None, None).unwrap();
        script.close(descriptor);
        script.close(descriptor);
    }

    #[test]
    fn the_call_with_the_number_that_was_said_fails() {
        let script = Script::new();
        let mut sys = script.sys();
        script.fail_call(2, libc::EIO);
        let mut stream = sys.connect(&address(), None, None).unwrap();
        assert!(sys.write(&mut stream, b"a").is_ok());
        assert_eq!(
            sys.write(&mut stream, b"b").unwrap_err().raw_os_error(),
            Some(libc::EIO)
        );
        assert!(sys.write(&mut stream, b"c").is_ok());
        assert_eq!(script.written(3), b"ac");
    }
}
