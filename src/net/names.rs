//! The system's resolver at work: which hosts wait for a thread, and who waits for which host.
//!
//! All of it is kept on the loop's thread. The threads get one host at a time and know of no
//! socket, so nothing needs a lock, and a host whose sockets are all gone just leaves the queue.

use super::{Mail, Net, Remote};
use crate::resolver::{Answer, Promise, Question};
use crate::sys::{self, Pool};
use crate::{Error, Family, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Hosts that are looked up at the same time: as many as there are threads for it.
const AT_ONCE: usize = 4;
/// Hosts that may wait for a thread.
const MOST_WAITING: usize = 1024;

/// What a thread does with a host. A value, so that tests may put in one that does not answer.
pub(crate) type LookUp = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// Hosts on their way to the threads and back.
pub(crate) struct Names {
    /// With a thread now. One that is stuck keeps its place until it is not any more.
    under_way: Vec<Host>,
    waiting: VecDeque<Host>,
    /// The number of the next host.
    next: u64,
    pub(crate) look_up: LookUp,
}

/// A host, and who wants its addresses.
struct Host {
    number: u64,
    name: Arc<str>,
    wanted_by: Vec<(Question, Promise)>,
}

impl Host {
    fn is_wanted(&self) -> bool {
        self.wanted_by
            .iter()
            .any(|(_, promise)| promise.is_wanted())
    }

    /// Lets `promise` wait too. Those who have gone make room before the list grows, or it would
    /// grow for as long as the lookup hangs.
    fn add(&mut self, question: Question, promise: Promise) {
        if self.wanted_by.len() == self.wanted_by.capacity() {
            self.wanted_by.retain(|(_, promise)| promise.is_wanted());
            self.wanted_by.reserve(self.wanted_by.len() + 1); // so that it pays
        }
        self.wanted_by.push((question, promise));
    }

    /// Answers everybody with what they have asked for of `answer`.
    fn answer(self, answer: Answer) {
        for (question, promise) in self.wanted_by {
            promise.fulfil(match &answer {
                Ok(ips) => {
                    let ips = ips.iter().copied();
                    Ok(ips.filter(|&ip| question.wants(Family::of(ip))).collect())
                }
                Err(error) => Err(error.clone()),
            });
        }
    }
}

/// Brings a host back to the loop by being dropped, so that it comes back whatever becomes of the
/// job: done, panicked, or refused.
struct Back {
    remote: Remote,
    number: u64,
    answer: Answer,
}

impl Drop for Back {
    fn drop(&mut self) {
        self.remote
            .answer(Mail::Host(self.number, self.answer.clone()));
    }
}

impl Names {
    pub(crate) fn new() -> Names {
        Names {
            under_way: Vec::new(),
            waiting: VecDeque::new(),
            next: 0,
            look_up: Arc::new(sys::look_up),
        }
    }

    /// Lets `promise` wait for a host; gives it back if too many hosts wait.
    fn enter(&mut self, question: Question, promise: Promise) -> Result<(), Promise> {
        let mut hosts = self.under_way.iter_mut().chain(&mut self.waiting);
        if let Some(host) = hosts.find(|host| host.name == question.host) {
            host.add(question, promise);
            return Ok(());
        }
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.retain(Host::is_wanted);
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(promise);
        }
        self.waiting.push_back(Host {
            number: self.next,
            name: Arc::clone(&question.host),
            wanted_by: vec![(question, promise)],
        });
        self.next += 1;
        Ok(())
    }
}

impl Net {
    /// Has the system's resolver answer.
    pub(crate) fn look_up(&mut self, question: Question, promise: Promise) {
        let host = Arc::clone(&question.host);
        match self.names.enter(question, promise) {
            Ok(()) => self.send_hosts(),
            Err(promise) => promise.fulfil(Err(Error::lookup_refused(
                "ENOBUFS",
                &host,
                format!("{MOST_WAITING} lookups wait already"),
            ))),
        }
    }

    /// Gives hosts that wait to threads that are free.
    fn send_hosts(&mut self) {
        while self.names.under_way.len() < AT_ONCE
            && let Some(host) = self.names.waiting.pop_front()
        {
            if !host.is_wanted() {
                continue;
            }
            match self.send_host(&host) {
                Ok(()) => self.names.under_way.push(host),
                Err(error) => host.answer(Err(error)),
            }
        }
    }

    fn send_host(&mut self, host: &Host) -> Result<()> {
        let name = Arc::clone(&host.name);
        let look_up = Arc::clone(&self.names.look_up);
        let back = Back {
            remote: self.remote()?,
            number: host.number,
            answer: Err(Error::lookup("EAI_FAIL", &name)),
        };
        let job = move || {
            let mut back = back;
            back.answer = look_up(&name);
        };
        let sent = self.sys.run_job(Pool::Names, Box::new(job));
        sent.map_err(|error| {
            let why = format!("no thread to look it up: {error}");
            Error::lookup_refused("EAI_AGAIN", &host.name, why)
        })
    }

    /// A thread is through with a host.
    pub(crate) fn host_is_back(&mut self, number: u64, answer: Answer) {
        let hosts = &mut self.names.under_way;
        if let Some(place) = hosts.iter().position(|host| host.number == number) {
            hosts.swap_remove(place).answer(answer);
        }
        self.send_hosts();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Limits, SocketId};
    use crate::reactor::Reactor;
    use crate::sys::Sys;
    use crate::{ConnectOptions, Event, handler_fn};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};
    use std::time::{Duration, Instant};

    /// A loop whose threads look up what the test lets them find.
    struct World {
        reactor: Reactor,
        /// What sockets were told.
        log: Rc<RefCell<Vec<String>>>,
        /// A name for each call of a thread.
        asked: Receiver<String>,
        /// An answer lets one of the calls return.
        answers: Sender<Answer>,
    }

    impl World {
        fn new() -> World {
            let limits = Limits::default();
            let mut reactor = Reactor::on(Sys::new(limits.events).unwrap(), limits);
            let (asks, asked) = channel();
            let (answers, answer) = channel::<Answer>();
            let answer = Mutex::new(answer);
            let asks = Mutex::new(asks);
            reactor.net().names.look_up = Arc::new(move |host| {
                let asks = asks.lock().unwrap_or_else(PoisonError::into_inner);
                asks.send(host.to_owned()).unwrap();
                drop(asks);
                let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
                // The world is gone, and nobody hears of it.
                answer.recv().unwrap_or_else(|_| Ok(Vec::new()))
            });
            World {
                reactor,
                log: Rc::default(),
                asked,
                answers,
            }
        }

        fn connect(&mut self, host: &str) -> SocketId {
            let log = Rc::clone(&self.log);
            let name = host.to_owned();
            let handler = handler_fn(move |_, event| {
                let line = match event {
                    Event::Lookup { answer: Ok(ip), .. } => format!("{name} {ip}"),
                    Event::Error(error) => format!("{name} {}", error.code()),
                    Event::Close { .. } => format!("{name} close"),
                    _ => return,
                };
                log.borrow_mut().push(line);
            });
            let options = ConnectOptions::from((host, 1));
            self.reactor.net().connect(options, handler).unwrap().id()
        }

        fn destroy(&mut self, id: SocketId) {
            self.reactor.net().socket(id).unwrap().destroy();
        }

        fn turn(&mut self) {
            self.reactor.turn(Some(Duration::ZERO)).unwrap();
        }

        fn turn_until(&mut self, lines: usize) -> Vec<String> {
            let deadline = Instant::now() + Duration::from_secs(20);
            while self.log.borrow().len() < lines {
                assert!(Instant::now() < deadline, "told only {:?}", self.log);
                let tick = Some(Duration::from_millis(10));
                self.reactor.turn(tick).unwrap();
            }
            self.log.take()
        }

        /// The next name that a thread asks for.
        fn next_asked(&self) -> String {
            self.asked.recv_timeout(Duration::from_secs(20)).unwrap()
        }

        fn nothing(&self) -> Answer {
            Ok(Vec::new())
        }
    }

    #[test]
    fn g9_a_host_is_looked_up_once_however_many_ask_for_it() {
        let mut world = World::new();
        for _ in 0..50 {
            world.connect("one.example");
        }
        world.turn();
        assert_eq!(world.next_asked(), "one.example");
        world.connect("one.example"); // while it is under way
        world.turn();
        world.answers.send(Ok(vec![[127, 0, 0, 9].into()])).unwrap();
        world.turn_until(3 * 51);
        assert!(world.asked.try_recv().is_err(), "asked again");
        // From now on it is a question like any other.
        world.connect("one.example");
        world.turn();
        assert_eq!(world.next_asked(), "one.example");
    }

    #[test]
    fn g3_four_hosts_are_looked_up_at_once_and_a_thousand_wait() {
        let mut world = World::new();
        for host in 0..AT_ONCE + MOST_WAITING {
            world.connect(&format!("h{host}.example"));
        }
        world.connect("h1.example"); // which is under way: needs no place
        world.connect("one-more.example");
        let told = world.turn_until(2);
        assert_eq!(told, ["one-more.example ENOBUFS", "one-more.example close"]);
        for _ in 0..AT_ONCE {
            world.next_asked();
        }
        assert!(world.asked.try_recv().is_err(), "more threads than four");
        // An address needs none of them.
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let handler = handler_fn(|_, _| ());
        let id = world.reactor.net().connect(address, handler).unwrap().id();
        while world.reactor.net().socket(id).is_some() {
            world.turn();
        }
    }

    #[test]
    fn g3_a_host_that_nobody_waits_for_leaves_the_queue() {
        let mut world = World::new();
        for host in 0..AT_ONCE {
            world.connect(&format!("stuck{host}.example"));
        }
        world.turn();
        for _ in 0..AT_ONCE {
            world.next_asked();
        }
        let mut gone = Vec::new();
        for host in 0..MOST_WAITING {
            gone.push(world.connect(&format!("h{host}.example")));
        }
        world.turn();
        gone.into_iter().for_each(|id| world.destroy(id));
        world.connect("there-is-room.example");
        world.turn_until(MOST_WAITING);
        world.answers.send(world.nothing()).unwrap();
        let told = world.turn_until(2);
        assert!(told[0].starts_with("stuck"), "{told:?}");
        assert_eq!(world.next_asked(), "there-is-room.example");
        assert_eq!(world.reactor.net().names.waiting.len(), 0);
    }

    #[test]
    fn g2_those_who_ask_for_a_host_that_hangs_and_go_again_pile_up_nowhere() {
        let mut world = World::new();
        let stays = world.connect("hangs.example");
        world.turn();
        world.next_asked();
        for _ in 0..1000 {
            let id = world.connect("hangs.example");
            world.turn();
            world.destroy(id);
            world.turn();
        }
        let promises = world.reactor.net().names.under_way[0].wanted_by.len();
        assert!(promises < 50, "{promises} promises for one socket");
        world.log.take();
        world.answers.send(Ok(vec![[127, 0, 0, 9].into()])).unwrap();
        assert_eq!(world.turn_until(1)[0], "hangs.example 127.0.0.9");
        world.destroy(stays);
    }

    #[test]
    fn g2_g7_destroy_closes_at_once_and_the_late_answer_reaches_nobody() {
        let mut world = World::new();
        let id = world.connect("slow.example");
        world.turn();
        world.next_asked();
        world.destroy(id);
        assert_eq!(world.turn_until(1), ["slow.example close"]);
        assert!(!world.reactor.is_alive(), "nothing waits for the thread");
        // Its slot goes to somebody else before the answer comes.
        let other = world.connect("other.example");
        world.turn();
        assert_eq!(world.next_asked(), "other.example");
        world.answers.send(Ok(vec![[127, 0, 0, 9].into()])).unwrap();
        let under_way = |world: &mut World| world.reactor.net().names.under_way.len();
        while under_way(&mut world) == 2 {
            world.turn();
        }
        world.destroy(other);
        let told = world.turn_until(1);
        // Which of the two calls took the answer is chance; that of the first is nobody's.
        assert!(
            !told.contains(&"slow.example 127.0.0.9".to_owned()),
            "{told:?}"
        );
    }

    #[test]
    fn g6_a_lookup_that_panics_fails_and_its_thread_goes_on() {
        let mut world = World::new();
        world.reactor.net().names.look_up = Arc::new(|host| match host {
            "panics.example" => panic!("on purpose"),
            _ => Ok(vec![[127, 0, 0, 9].into()]),
        });
        for _ in 0..2 * AT_ONCE {
            world.connect("panics.example");
            let told = world.turn_until(2);
            assert_eq!(told[0], "panics.example EAI_FAIL");
        }
        world.connect("fine.example");
        assert_eq!(world.turn_until(1)[0], "fine.example 127.0.0.9");
    }

    #[test]
    fn g8_a_loop_that_is_dropped_does_not_wait_for_its_lookups() {
        let mut world = World::new();
        world.connect("slow.example");
        world.turn();
        world.next_asked();
        let before = Instant::now();
        drop(world.reactor);
        assert!(before.elapsed() < Duration::from_secs(5));
        // The answer finds no loop.
        world.answers.send(Ok(vec![[127, 0, 0, 9].into()])).unwrap();
    }
}
