//! L8: the loop is dropped in the middle of everything.

use crate::apart::*;
use crate::support::*;
use netloop::{
    Acceptor, Event, Handler, ListenOptions, Net, OutOfDescriptors, Reactor, Server, Socket,
};
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Held by everything that the loop owns; told when the loop calls what it should not.
#[derive(Clone)]
struct Witness(Rc<Cell<bool>>);

impl Witness {
    fn called(&self) {
        assert!(!self.0.get(), "called by a loop that is being dropped");
    }
}

impl Handler for Witness {
    fn on_event(&mut self, _: &mut Socket<'_>, _: Event<'_>) {
        self.called();
    }
    fn on_data(&mut self, _: &mut Socket<'_>, _: &[u8]) {}
}

impl Acceptor for Witness {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        Box::new(self.clone())
    }
    fn on_close(&mut self, _: &mut Server<'_>) {
        self.called();
    }
}

#[test]
fn l8_a_dropped_loop_closes_every_descriptor_frees_everything_once_and_calls_nobody() {
    let name = "l_shutdown::l8_a_dropped_loop_closes_every_descriptor_frees_everything_once_and_calls_nobody";
    apart(name, "exec", || {
        let witness = Witness(Rc::new(Cell::new(false)));
        let before = open_descriptors();
        let mut reactor = Reactor::new().unwrap();
        let options =
            ListenOptions::from("127.0.0.1:0").when_out_of_descriptors(OutOfDescriptors::Shed);
        let server = reactor.net().listen_with(options, witness.clone()).unwrap();
        let address = inet(server.address().unwrap());
        let mut peers: Vec<_> = (0..3).map(|_| plain_peer(address)).collect();
        let first = reactor
            .net()
            .connect(address, witness.clone())
            .unwrap()
            .id();
        turn_until(&mut reactor, |net| net.stats().accepted == 4);
        turn_until_quiet(&mut reactor);

        // A full queue with a completion, a closed server, one that was told nothing yet, a connect
        // that has not begun, a destroyed socket before its close, timers of each kind, readiness.
        let mut socket = reactor.net().socket(first).unwrap();
        socket.write(&pattern(8 * 1024 * 1024));
        let [in_write, in_timer, in_interval, in_immediate, in_offload] =
            [(); 5].map(|()| witness.clone());
        socket.write_then(b"x", move |_, _| in_write.called());
        socket.set_timeout(Duration::from_millis(1));
        let net: &mut Net = reactor.net();
        net.listen_with("127.0.0.1:0", witness.clone())
            .unwrap()
            .close()
            .unwrap();
        net.listen_with("127.0.0.1:0", witness.clone()).unwrap();
        net.connect(address, witness.clone()).unwrap();
        net.connect(address, witness.clone()).unwrap().destroy();
        net.set_timeout(Duration::ZERO, move |_| in_timer.called());
        net.set_interval(Duration::ZERO, move |_| in_interval.called());
        net.set_immediate(move |_| in_immediate.called());
        // A post, work that hangs on a thread, and a remote that outlives the loop.
        let (held, hangs) = (Arc::new(()), mpsc::channel::<()>());
        let in_post = Arc::clone(&held);
        let remote = net.remote().unwrap();
        remote.post(move |_| panic!("{in_post:?}")).unwrap();
        net.offload(
            move || hangs.1.recv().is_err(),
            move |_, _| in_offload.called(),
        );
        peers[0].write_all(b"hello").unwrap();
        assert!(open_descriptors() > before + peers.len() + 5);
        assert!(Rc::strong_count(&witness.0) > 10);

        witness.0.set(true);
        drop(reactor);
        assert_eq!(open_descriptors(), before + peers.len());
        assert_eq!(Rc::strong_count(&witness.0), 1);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(remote.post(|_| ()).is_err());
        drop(hangs.0);
    });
}
