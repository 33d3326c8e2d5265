//! What other threads bring to a loop: posts and the results of offloads. There are no threads here;
//! to a loop a post looks the same whoever makes it, and it is made at any moment.

use std::collections::VecDeque;
use std::panic::resume_unwind;

use super::actor::{Planned, react};
use super::book::Shared;
use super::model::{End, Verdict, must};
use super::op::{Act, Kind, Who};
use super::timers::unless_calm;
use crate::{Net, Refused, Remote};

/// What is on its way to one loop.
#[derive(Default)]
pub(super) struct MailBook {
    remote: Option<Remote>,
    /// How much may wait, and how much runs in a turn.
    most: usize,
    a_turn: usize,
    /// Posts that were taken and have not run, oldest first, each with the turn in which it has to
    /// have run.
    posts: VecDeque<(u64, u64)>,
    /// How many posts were tried.
    tried: u64,
    /// Offloads that are not done.
    offloads: usize,
    /// The last turn that is over.
    turn: u64,
    /// The last turn in which mail ran, and how much.
    ran: (u64, usize),
    /// The loop is gone.
    gone: bool,
}

impl MailBook {
    /// A turn is over.
    pub(super) fn turned(&mut self, turn: u64, cut_short: bool) -> Verdict {
        self.turn = turn;
        if cut_short {
            self.posts.iter_mut().for_each(|(_, latest)| *latest += 1);
        }
        match self.posts.front() {
            Some((post, latest)) if *latest < turn => {
                Err(format!("I30: post {post} has not run in turn {latest}"))
            }
            _ => Ok(()),
        }
    }

    /// Something is to come that keeps the loop going.
    pub(super) fn is_owed(&self) -> bool {
        !self.posts.is_empty() || self.offloads > 0
    }

    pub(super) fn loop_goes(&mut self) {
        self.gone = true;
    }

    /// A post was taken, when at most so many answers to lookups waited.
    fn taken(&mut self, post: u64, answers: usize) -> Verdict {
        must!(!self.gone, "I30: a loop that is gone takes post {post}");
        let ahead = self.posts.len() + self.offloads + answers;
        must!(
            self.posts.len() < self.most + self.a_turn,
            "I11: {ahead} posts wait, and one more is taken"
        );
        // One that is posted within a turn may be too late for it.
        let latest = self.turn + 2 + (ahead / self.a_turn) as u64;
        self.posts.push_back((post, latest));
        Ok(())
    }

    /// A post came back.
    fn refused(&self, for_ever: bool) -> Verdict {
        must!(for_ever == self.gone, "I30: closed is {for_ever}");
        let waits = self.posts.len(); // answers take none of their room
        must!(
            for_ever || waits >= self.most,
            "I30: full with {waits} of {}",
            self.most
        );
        Ok(())
    }

    /// A post is run.
    fn runs(&mut self, post: u64, turn: u64) -> Verdict {
        must!(!self.gone, "I30: post {post} runs without a loop");
        self.counts(turn)?;
        match self.posts.pop_front() {
            Some((first, _)) if first == post => Ok(()),
            other => Err(format!("I30: post {post} before {other:?}")),
        }
    }

    /// A post is dropped, run or not.
    fn dropped(&mut self, post: u64) -> Verdict {
        let waits = self.posts.iter().any(|(it, _)| *it == post);
        must!(self.gone || !waits, "I30: post {post} is lost");
        Ok(())
    }

    fn counts(&mut self, turn: u64) -> Verdict {
        if self.ran.0 != turn {
            self.ran = (turn, 0);
        }
        self.ran.1 += 1;
        must!(self.ran.1 <= self.a_turn, "I15: {} posts", self.ran.1);
        Ok(())
    }
}

/// What a post carries.
struct Letter {
    shared: Shared,
    host: usize,
    post: u64,
}

impl Letter {
    fn check(&self, check: impl FnOnce(&mut MailBook) -> Verdict) {
        let host = self.host;
        self.shared.check(|book| {
            let verdict = check(&mut book.mail[host]);
            verdict.map_err(|what| format!("{what}, host {host}"))
        });
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.check(|mail| mail.dropped(self.post));
    }
}

/// The door of a host's loop, as whoever stands on `host` finds it: its own it can make.
fn door(shared: &Shared, net: &mut Net, host: usize, to: usize) -> Option<Remote> {
    if to != host {
        return shared.with(|book| book.mail[to].remote.clone());
    }
    let remote = net.remote().ok()?;
    shared.with(|book| {
        let mail = &mut book.mail[host];
        (mail.most, mail.a_turn) = (net.limits.queued_posts, net.limits.posts);
        mail.remote = Some(remote.clone());
    });
    Some(remote)
}

fn neighbour(shared: &Shared, to: u8) -> usize {
    shared.with(|book| usize::from(to) % book.mail.len())
}

/// False if all were refused, or if there is no way there.
pub(super) fn post(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    (to, times, who, act): (u8, u8, Who, Act),
) -> bool {
    let to = neighbour(shared, to);
    let Some(remote) = door(shared, net, host, to) else {
        return false;
    };
    let mut taken = false;
    for _ in 0..times {
        taken |= send(shared, &remote, to, move |shared, net| {
            unless_calm(shared, net, to, None, who, act);
            react(shared, net, to, Kind::Posted, None);
        });
    }
    taken
}

fn send(
    shared: &Shared,
    remote: &Remote,
    host: usize,
    run: impl FnOnce(&Shared, &mut Net) + Send + 'static,
) -> bool {
    let post = shared.with(|book| {
        book.mail[host].tried += 1;
        book.mail[host].tried
    });
    let letter = Letter {
        shared: shared.clone(),
        host,
        post,
    };
    let work = move |net: &mut Net| {
        let _inside = letter.shared.enter(Kind::Posted);
        letter.check(|mail| mail.runs(letter.post, net.counters.turns));
        run(&letter.shared, net);
    };
    let outcome = remote.post(work).map_err(|refused| {
        matches!(refused, Refused::Closed(_)) // and drops it, with the letter in it
    });
    shared.check(|book| {
        let asked = |it: &&End| it.host == host && it.is_named();
        let answers = book.ends.iter().filter(asked).count();
        if outcome == Err(false) {
            book.count("a post refused".to_owned());
        }
        let mail = &mut book.mail[host];
        match outcome {
            Ok(()) => mail.taken(post, answers),
            Err(for_ever) => mail.refused(for_ever),
        }
    });
    outcome.is_ok()
}

/// False if there is no way there.
pub(super) fn stop(shared: &Shared, net: &mut Net, host: usize, to: u8) -> bool {
    let to = neighbour(shared, to);
    let remote = door(shared, net, host, to);
    remote.map(|it| it.stop()).is_some()
}

/// Posts to a loop that goes or is gone: this is not to be run.
pub(super) fn knock(shared: &Shared, host: usize) {
    if let Some(remote) = shared.with(|book| book.mail[host].remote.clone()) {
        send(shared, &remote, host, |_, _| ());
        remote.stop();
    }
}

pub(super) fn offload(
    shared: &Shared,
    net: &mut Net,
    host: usize,
    me: Option<usize>,
    (returns, who, act): (bool, Who, Act),
) {
    door(shared, net, host, host);
    let number = shared.with(|book| {
        book.mail[host].offloads += 1;
        book.tasks += 1;
        book.tasks
    });
    let work = move || match returns {
        true => number,
        false => resume_unwind(Box::new(Planned)), // without the hook that would print it
    };
    let theirs = shared.clone();
    net.offload(work, move |net, result| {
        let _inside = theirs.enter(Kind::Offloaded);
        theirs.check(|book| {
            let mail = &mut book.mail[host];
            let right = match &result {
                Ok(its) => returns && *its == number,
                Err(error) if error.code() == "ERR_OFFLOAD_PANICKED" => !returns,
                Err(_) => true, // it was not begun
            };
            must!(right, "I30: task {number} came to {result:?}");
            must!(mail.offloads > 0 && !mail.gone, "I30: task {number} twice");
            mail.offloads -= 1;
            if let Err(error) = result {
                book.count(format!("offload {}", error.code()));
            }
            Ok(())
        });
        unless_calm(&theirs, net, host, me, who, act);
        react(&theirs, net, host, Kind::Offloaded, me);
    });
}
