//! J1: the process has no descriptor left, and then everything is asked for. J7: it was started with
//! none.

use crate::apart::*;
use crate::support::*;
use netloop::{Event, Reactor, handler_fn};
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

/// What offloads came back with.
type Results = Rc<RefCell<Vec<String>>>;

fn offload(reactor: &mut Reactor, results: &Results) {
    let results = results.clone();
    reactor.net().offload(
        || "done".to_string(),
        move |_, result| {
            let result = result.unwrap_or_else(|error| error.to_string());
            results.borrow_mut().push(result);
        },
    );
}

#[test]
fn j1_without_descriptors_each_call_fails_alone_and_later_all_of_them_work() {
    let name =
        "j_descriptors::j1_without_descriptors_each_call_fails_alone_and_later_all_of_them_work";
    apart(name, "ulimit -S -n 64 && exec", || {
        let mut reactor = Reactor::new().unwrap();
        let (log, results) = (Log::new(), Results::default());
        let echo = listen(&mut reactor, |_| {
            handler_fn(|socket, event| {
                if let Event::Data(bytes) = event {
                    socket.write(bytes);
                }
            })
        });
        let mut peer = plain_peer(echo);
        let mut round_trip = move |reactor: &mut Reactor| {
            peer.write_all(b"still there").unwrap();
            let read = read_while_turning(reactor, &mut peer, 11).unwrap();
            assert_eq!(read, b"still there");
        };
        round_trip(&mut reactor);
        let before = open_descriptors();

        let taken = take_all_descriptors_but(0);
        for _ in 0..2 {
            let refused = reactor
                .net()
                .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()));
            assert_eq!(refused.err().unwrap().code(), "EMFILE");
            let refused = reactor.net().remote().unwrap_err();
            assert_eq!(refused.to_string(), "eventfd EMFILE");
            offload(&mut reactor, &results);
            log.clear();
            let client = recorder("client", &log);
            reactor.net().connect(echo, client).unwrap();
            turn_until_line(&mut reactor, &log, "client close true");
            assert_eq!(log.count("client error EMFILE"), 1, "{log:?}");
            round_trip(&mut reactor);
        }
        assert_eq!(results.take(), ["eventfd EMFILE"; 2]);

        drop(taken);
        assert_eq!(open_descriptors(), before);
        reactor
            .net()
            .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
            .unwrap()
            .close()
            .unwrap();
        log.clear();
        let client = recorder("client", &log);
        let client = reactor.net().connect(echo, client).unwrap().id();
        turn_until_line(&mut reactor, &log, "client ready");
        reactor.net().socket(client).unwrap().destroy();
        offload(&mut reactor, &results);
        turn_until(&mut reactor, |_| results.borrow().len() == 1);
        assert_eq!(results.take(), ["done"]);
        round_trip(&mut reactor);
    });
}

#[test]
fn j1_a_remote_made_in_time_and_work_on_threads_need_no_descriptor() {
    let name = "j_descriptors::j1_a_remote_made_in_time_and_work_on_threads_need_no_descriptor";
    apart(name, "ulimit -S -n 64 && exec", || {
        let mut reactor = Reactor::new().unwrap();
        let (remote, results) = (reactor.net().remote().unwrap(), Results::default());
        let taken = take_all_descriptors_but(0);
        (0..8).for_each(|_| offload(&mut reactor, &results));
        remote.clone().post(|_| ()).unwrap();
        reactor.run().unwrap();
        assert_eq!(results.take(), ["done"; 8]);
        assert_eq!(reactor.net().stats().posts, 9);
        drop(taken);
    });
}

/// Rust's own start-up opens what is closed, as /dev/null, so a program of Rust is safe whatever it is
/// started with. That is relied upon: a socket that became descriptor 2 would be sent panics.
#[test]
fn j7_started_without_standard_descriptors_no_socket_takes_their_place() {
    let name = "j_descriptors::j7_started_without_standard_descriptors_no_socket_takes_their_place";
    const HEARD: &str = "NETLOOP_J7";
    match role() {
        Some(role) if role == name => {
            let (mut reactor, log) = fresh();
            let (_us, _peer) = accepted(&mut reactor, recorder("us", &log));
            let _remote = reactor.net().remote().unwrap();
            let open = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
            let open = [0, 1, 2].map(|number| open(number).display().to_string());
            return std::fs::write(std::env::var(HEARD).unwrap(), open.join(" ")).unwrap();
        }
        Some(_) => return,
        None => {}
    }
    let directory = Directory::new();
    let heard = directory.path("heard");
    let mut child = command(name, name, "exec <&- >&- 2>&-; exec");
    let status = child.env(HEARD, &heard).status().unwrap();
    assert!(status.success(), "{status}");
    let open = std::fs::read_to_string(heard).unwrap();
    assert_eq!(open, "/dev/null /dev/null /dev/null");
}

#[test]
fn j1_room_for_more_sockets_than_there_may_be_is_refused_and_nothing_is_left_open() {
    let name = "j_descriptors::j1_room_for_more_sockets_than_there_may_be_is_refused_and_nothing_is_left_open";
    apart(name, "ulimit -S -n 64 && exec", || {
        let mut reactor = Reactor::new().unwrap();
        let before = open_descriptors();
        for sockets in [64, 100_000] {
            let refused = reactor.net().reserve(sockets).unwrap_err();
            assert_eq!(refused.to_string(), "fcntl EMFILE");
            assert_eq!(refused.errno(), Some(24));
            assert_eq!(open_descriptors(), before);
        }
        reactor.net().reserve(64 - before).unwrap(); // all that there may be
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn the_descriptor_table_has_its_size_before_a_socket_has_come() {
    let name = "j_descriptors::the_descriptor_table_has_its_size_before_a_socket_has_come";
    apart(name, "ulimit -S -n 4096 && exec", || {
        let size = || -> usize {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
            size.unwrap().trim().parse().unwrap()
        };
        let mut reactor = Reactor::new().unwrap();
        let before = open_descriptors();
        assert!(size() < 3000, "{}", size());
        reactor.net().reserve(3000).unwrap();
        assert!(size() >= 3000, "{}", size());
        assert_eq!(open_descriptors(), before);
    });
}
