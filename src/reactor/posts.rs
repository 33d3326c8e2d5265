//! What other threads have sent.

use super::{Reactor, tell};

impl Reactor {
    /// Runs what stood in the queue when this began, oldest first, as much as the budget allows. A
    /// closure that posts another one cannot hold up the sockets: the other waits for the next turn.
    pub(super) fn run_posts(&mut self) {
        let net = &mut self.net;
        for _ in 0..net.take_mail() {
            match net.next_mail() {
                Some(mail) => tell::mail(net, mail),
                None => break,
            }
        }
    }
}
