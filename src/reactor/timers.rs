//! Time in the turn: immediates, the user's timers, idle timeouts.

use super::{Reactor, tell};
use crate::Event;
use crate::net::Idle;

impl Reactor {
    /// Runs the immediates that stood in their queue when this began.
    pub(super) fn run_immediates(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.timers.immediates() {
            match net.timers.next_immediate() {
                Some(run) => tell::immediate(net, run),
                None => break,
            }
        }
    }

    /// Runs the timers that are due, earliest first, as many as the budget allows. The clock is
    /// read again: the handlers before may have taken a while.
    pub(super) fn run_timers(&mut self) {
        let net = &mut self.net;
        if net.timers.next_wake().is_none() {
            return;
        }
        net.read_clock();
        let tick = net.tick;
        for _ in 0..net.limits.timers {
            match net.next_timer(tick) {
                Some(due) => tell::timer(net, due),
                None => break,
            }
        }
    }

    /// Tells sockets that have been idle for their whole timeout.
    ///
    /// After a full batch more events may wait behind it, for sockets that only look idle: a
    /// process that was stopped for a while must not cut its live clients off (F6). So idle
    /// timeouts wait for the next poll then, but not for ever. And they are measured by the time of
    /// the last poll: what came while handlers took their time has not been seen yet either.
    pub(super) fn expire_idle(&mut self) {
        if self.batch_was_full && self.full_batches < self.net.limits.full_batches {
            self.full_batches += 1;
            return;
        }
        self.full_batches = 0;
        for _ in 0..self.net.limits.idle_timeouts {
            match self.net.next_idle(self.polled_at) {
                Idle::None => break,
                Idle::Moved => {}
                Idle::Expired(key) => tell::event_if_open(&mut self.net, key, Event::Timeout),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::net::Limits;
    use crate::reactor::Reactor;
    use crate::sys::Readiness;
    use crate::sys::script::{Event as Ready, Poll, Read, Script, Write};
    use crate::{Event, Socket, SocketId, handler_fn};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);
    const IDLE: Duration = Duration::from_millis(10);
    const HOUR: Duration = Duration::from_secs(3600);

    /// A loop whose clock and kernel do as the test says.
    struct World {
        script: Script,
        reactor: Reactor,
        log: Rc<RefCell<Vec<String>>>,
    }

    impl World {
        fn new(limits: Limits) -> World {
            let script = Script::new();
            World {
                reactor: Reactor::on(script.sys(), limits),
                script,
                log: Rc::default(),
            }
        }

        /// Begins to connect a socket with an idle timeout that logs its events, then does what
        /// `react` says; answers with its descriptor too.
        fn connecting(
            &mut self,
            mut react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
        ) -> (SocketId, u32) {
            let log = self.log.clone();
            let handler = handler_fn(move |socket, event| {
                log.borrow_mut().push(match event {
                    Event::ConnectionAttempt(_) => "attempt".into(),
                    event => format!("{event:?}"),
                });
                react(socket, event);
            });
            let net = self.reactor.net();
            let mut socket = net.connect("127.0.0.1:80", handler).unwrap();
            socket.set_timeout(IDLE);
            let id = socket.id();
            self.turn();
            (id, *self.script.open_descriptors().last().unwrap())
        }

        /// The same, connected, with an empty log.
        fn connected(
            &mut self,
            react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
        ) -> (SocketId, u32) {
            let (id, descriptor) = self.connecting(react);
            self.ready(&[descriptor], Readiness::WRITE);
            self.log.borrow_mut().clear();
            (id, descriptor)
        }

        /// A turn that does not sleep.
        fn turn(&mut self) {
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }

        /// A turn whose poll finds these descriptors ready.
        fn ready(&mut self, descriptors: &[u32], said: Readiness) {
            let batch = descriptors
                .iter()
                .map(|&it| Ready::Token(self.token(it), said));
            self.script.on_poll(Poll::Events(batch.collect()));
            self.turn();
        }

        fn token(&self, descriptor: u32) -> u64 {
            self.script.token(descriptor).unwrap()
        }

        fn now(&mut self) -> Duration {
            self.reactor.net().now()
        }

        fn told(&self) -> Vec<String> {
            self.log.take()
        }
    }

    fn nothing(_: &mut Socket<'_>, _: Event<'_>) {}

    /// Until `timeout` is told, and not a tick longer.
    fn sleeps_until_timeout(world: &mut World) -> Duration {
        let before = world.now();
        while !world.log.borrow().iter().any(|line| line == "Timeout") {
            assert!(world.now() - before < HOUR, "told nothing in an hour");
            world.reactor.turn(None).unwrap();
        }
        world.now() - before
    }

    #[test]
    fn r70_a_queue_that_gets_shorter_is_no_idle_one_and_a_stuck_one_is() {
        let mut world = World::new(Limits::default());
        let (id, descriptor) = world.connected(nothing);
        world.script.on_write(descriptor, Write::Takes(100));
        world.reactor.net().socket(id).unwrap().write(&[0; 1000]);
        world.turn();
        for _ in 0..5 {
            world.script.advance(8 * MS);
            world.script.on_write(descriptor, Write::Takes(100));
            world.ready(&[descriptor], Readiness::WRITE);
        }
        assert_eq!(world.told(), [""; 0], "told although bytes left");
        let stuck = sleeps_until_timeout(&mut world);
        assert!(stuck >= IDLE && stuck <= IDLE + 2 * MS, "{stuck:?}");
        let net = world.reactor.net();
        assert_eq!(net.socket(id).unwrap().buffer_size(), 400);
        assert_eq!(world.told(), ["Timeout"]);

        // Told once: now only the kernel can bring something (R68).
        world.reactor.turn(None).unwrap();
        assert_eq!(world.script.sleeps_for_ever(), 1);
        world.script.on_write(descriptor, Write::All);
        world.ready(&[descriptor], Readiness::WRITE);
        sleeps_until_timeout(&mut world);
        assert_eq!(world.told(), ["Timeout"]);
    }

    #[test]
    fn r72_connecting_goes_on_after_a_timeout_and_its_success_is_activity() {
        let mut world = World::new(Limits::default());
        let (_, descriptor) = world.connecting(nothing);
        sleeps_until_timeout(&mut world);
        assert_eq!(world.told(), ["attempt", "Timeout"]);
        world.script.advance(HOUR);
        world.ready(&[descriptor], Readiness::WRITE);
        assert_eq!(world.told(), ["Connect", "Ready"]);
        let quiet = sleeps_until_timeout(&mut world);
        assert!(quiet >= IDLE && quiet <= IDLE + 2 * MS, "{quiet:?}");
    }

    #[test]
    fn a_process_that_stood_still_serves_input_before_it_calls_anybody_idle() {
        let mut world = World::new(Limits::default());
        let (_, descriptor) = world.connected(nothing);
        world.script.advance(HOUR);
        world.script.on_read(descriptor, Read::Data(b"x".to_vec()));
        world.ready(&[descriptor], Readiness::READ);
        assert_eq!(world.told(), ["Data([120])"]);
    }

    #[test]
    fn what_came_while_a_handler_took_its_time_is_served_before_anybody_is_called_idle() {
        let mut world = World::new(Limits::default());
        let script = world.script.clone();
        let (_, slow) = world.connected(move |_, event| {
            if let Event::Data(_) = event {
                script.advance(HOUR);
            }
        });
        let (_, other) = world.connected(nothing);
        // With a timer the clock is read again after the sockets.
        world.reactor.net().set_timeout(HOUR, |_| ());
        world.script.on_read(slow, Read::Data(b"a".to_vec()));
        world.ready(&[slow], Readiness::READ);
        assert_eq!(world.told(), ["Data([97])"]);
        world.script.on_read(other, Read::Data(b"b".to_vec()));
        world.ready(&[other], Readiness::READ);
        // The slow one, of which nothing has come, has been idle for that hour.
        assert_eq!(world.told(), ["Data([98])", "Timeout"]);
    }

    #[test]
    fn a_write_that_leaves_at_the_end_of_the_turn_comes_before_the_timeout() {
        let mut world = World::new(Limits::default());
        let (id, descriptor) = world.connected(nothing);
        // A heartbeat in the very tick in which the socket has been idle for its timeout.
        world.reactor.net().set_timeout(IDLE, move |net| {
            net.socket(id).unwrap().write(b"beat");
        });
        world.script.advance(IDLE + 2 * MS);
        world.turn();
        assert_eq!(world.script.written(descriptor), b"beat");
        assert_eq!(world.told(), [""; 0]);
        let quiet = sleeps_until_timeout(&mut world);
        assert!(quiet >= IDLE, "{quiet:?} after the beat");
    }

    /// Two sockets and room for one event in a batch: the second one's waits behind it.
    fn one_at_a_time(world: &mut World) -> [u32; 2] {
        let both = [world.connected(nothing).1, world.connected(nothing).1];
        world.turn();
        both
    }

    #[test]
    fn after_a_full_batch_a_host_is_not_let_sleep() {
        let mut world = World::new(Limits {
            events: 1,
            ..Limits::default()
        });
        let [first, _] = one_at_a_time(&mut world);
        assert!(world.reactor.next_timeout() > Some(Duration::ZERO));
        world.ready(&[first], Readiness::READ);
        assert_eq!(world.reactor.next_timeout(), Some(Duration::ZERO));
        world.turn();
        assert!(world.reactor.next_timeout() > Some(Duration::ZERO));
    }

    #[test]
    fn after_a_full_batch_idle_timeouts_wait_for_the_next_poll_but_not_for_ever() {
        let mut world = World::new(Limits {
            events: 1,
            full_batches: 2,
            ..Limits::default()
        });
        let [first, second] = one_at_a_time(&mut world);
        world.script.advance(HOUR);
        let came = |world: &mut World, descriptor| {
            world.script.on_read(descriptor, Read::Data(b"x".to_vec()));
            world.ready(&[descriptor], Readiness::READ);
            world.told()
        };
        assert_eq!(came(&mut world, first), ["Data([120])"]);
        assert_eq!(came(&mut world, second), ["Data([120])"]);
        world.script.advance(HOUR);
        assert_eq!(came(&mut world, first), ["Data([120])", "Timeout"]);
    }
}
