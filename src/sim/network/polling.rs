//! Registrations, edges, and polls that hand them out.

use super::conditions::Conditions;
use super::table::Object;
use super::watch::{Cause, Owed, Watch};
use super::{Happening, Network};
use crate::sys::{Interest, Readiness};

/// How late an edge may be reported.
const LATE_NANOS: u64 = 20_000_000;

/// A loop that is told so often of a stream's input and neither reads it nor asks to be told no
/// more is woken by its peer for nothing, as often as that likes.
const MOST_IGNORED: u32 = 16;

impl Network {
    pub(in crate::sim) fn register(
        &mut self,
        host: usize,
        descriptor: u32,
        token: u64,
        interest: Interest,
    ) -> Result<(), i32> {
        self.serials += 1;
        let serial = self.serials;
        let watch = self.watch(host, descriptor);
        if watch.is_some() {
            return Err(libc::EEXIST);
        }
        *watch = Some(Watch {
            token,
            interest,
            owed: Owed::Nothing,
            serial,
            delayed: 0,
            ignored: 0,
        });
        self.tell_what_is_true(host, descriptor);
        Ok(())
    }

    pub(in crate::sim) fn reregister(
        &mut self,
        host: usize,
        descriptor: u32,
        token: u64,
        interest: Interest,
    ) -> Result<(), i32> {
        let Some(watch) = self.watch(host, descriptor) else {
            return Err(libc::ENOENT);
        };
        watch.token = token;
        watch.interest = interest;
        watch.ignored = 0;
        self.tell_what_is_true(host, descriptor);
        Ok(())
    }

    pub(in crate::sim) fn deregister(&mut self, host: usize, descriptor: u32) -> Result<(), i32> {
        if self.watch(host, descriptor).take().is_none() {
            return Err(libc::ENOENT);
        }
        self.hosts[host].ready.retain(|it| *it != descriptor);
        Ok(())
    }

    fn watch(&mut self, host: usize, descriptor: u32) -> &mut Option<Watch> {
        // Twice, since the borrow checker would not let go of it in the failing arm.
        if self.hosts[host].table.get(descriptor).is_none() {
            self.fail(format_args!(
                "host {host} uses descriptor {descriptor} with its poller, but it is not open"
            ));
        }
        let open = self.hosts[host].table.get_mut(descriptor);
        &mut open.expect("looked up above").watch
    }

    /// A registration is told at once what is true, even if it was told before (P5).
    fn tell_what_is_true(&mut self, host: usize, descriptor: u32) {
        let now = self.conditions(host, descriptor);
        let watch = self.watch(host, descriptor);
        let interest = watch.as_ref().map(|it| it.interest);
        if interest.is_some_and(|it| now.told_to(it) != Conditions::NONE) {
            self.owe(host, descriptor);
        }
    }

    /// Something changed on a descriptor: an edge, for those whom the cause concerns.
    pub(super) fn wake(&mut self, host: usize, descriptor: u32, cause: Cause) {
        let open = self.hosts[host].table.get_mut(descriptor);
        let Some(watch) = open.and_then(|it| it.watch.as_mut()) else {
            return;
        };
        if !watch.hears(cause) {
            return;
        }
        if self.dice.chance(self.faults.delayed_events) {
            watch.delayed += 1;
            let serial = watch.serial;
            let at = self.now + self.dice.magnitude(1..=LATE_NANOS);
            let late = Happening::Late {
                host,
                descriptor,
                serial,
            };
            return self.agenda.put(at, late);
        }
        self.owe(host, descriptor);
    }

    /// The loop reads: it does not ignore what it was told of.
    pub(in crate::sim) fn input_is_looked_at(&mut self, host: usize, descriptor: u32) {
        let open = self.hosts[host].table.get_mut(descriptor);
        if let Some(watch) = open.and_then(|it| it.watch.as_mut()) {
            watch.ignored = 0;
        }
    }

    pub(super) fn report_late(&mut self, host: usize, descriptor: u32, serial: u64) {
        let open = self.hosts[host].table.get_mut(descriptor);
        if let Some(watch) = open.and_then(|it| it.watch.as_mut())
            && watch.serial == serial
        {
            watch.delayed -= 1;
            self.owe(host, descriptor);
        }
    }

    fn owe(&mut self, host: usize, descriptor: u32) {
        let host = &mut self.hosts[host];
        let open = host.table.get_mut(descriptor);
        if let Some(watch) = open.and_then(|it| it.watch.as_mut()) {
            if watch.owed == Owed::Nothing {
                host.ready.push_back(descriptor);
            }
            watch.owed = Owed::Everything;
        }
    }

    /// What is true of a descriptor now.
    pub(super) fn conditions(&self, host: usize, descriptor: u32) -> Conditions {
        match self.hosts[host].table.get(descriptor).map(|it| it.object) {
            Some(Object::Stream(id)) => self.endpoints[id.0].as_deref().map(|it| it.conditions()),
            Some(Object::Listener(id)) => self.listeners[id.0].as_ref().map(|it| it.conditions()),
            Some(Object::Bound(_) | Object::Spare) | None => None,
        }
        .unwrap_or_default()
    }

    /// Whether a poll would find something. Edges of which nothing is left are given up, as the
    /// kernel does without waking anybody.
    pub(in crate::sim) fn has_events(&mut self, host: usize) -> bool {
        if self.hosts[host]
            .bell
            .as_ref()
            .is_some_and(|(bell, _)| bell.is_rung())
        {
            return true;
        }
        #[cfg(feature = "signal")]
        if self.hosts[host].signals.is_rung() {
            return true;
        }
        while let Some(&descriptor) = self.hosts[host].ready.front() {
            let now = self.conditions(host, descriptor);
            let watch = self.watch(host, descriptor);
            match watch {
                Some(it) if it.due(now) != Readiness::empty() => return true,
                Some(it) => it.owed = Owed::Nothing,
                None => {}
            }
            self.hosts[host].ready.pop_front();
        }
        false
    }

    /// Hands out at most `capacity` events.
    pub(in crate::sim) fn poll(&mut self, host: usize, capacity: usize) -> Vec<(u64, Readiness)> {
        let mut most = capacity;
        if self.dice.chance(self.faults.small_batches) {
            most = most.min(self.dice.size(1..=8));
        }
        if self.dice.chance(self.faults.shuffled_events) {
            let ready = self.hosts[host].ready.make_contiguous();
            self.dice.shuffle(ready);
        }
        let mut events = Vec::new();
        if let Some((bell, token)) = &self.hosts[host].bell
            && bell.hear()
        {
            events.push((*token, Readiness::READ));
        }
        #[cfg(feature = "signal")]
        if events.len() < most
            && let Some(token) = self.hosts[host].signals.hear()
        {
            events.push((token, Readiness::READ));
        }
        for _ in 0..self.hosts[host].ready.len() {
            if events.len() == most {
                break;
            }
            let Some(descriptor) = self.hosts[host].ready.pop_front() else {
                break;
            };
            events.extend(self.hand_out(host, descriptor));
        }
        if events.len() < most && self.dice.chance(self.faults.spurious_events) {
            events.extend(self.spurious(host));
        }
        events
    }

    fn hand_out(&mut self, host: usize, descriptor: u32) -> Option<(u64, Readiness)> {
        let now = self.conditions(host, descriptor);
        let split = self.dice.chance(self.faults.split_events);
        let open = self.hosts[host].table.get(descriptor)?;
        let is_listener = matches!(open.object, Object::Listener(_));
        let watch = self.watch(host, descriptor).as_mut()?;
        let ready = watch.due(now);
        let whole = watch.owed == Owed::Everything;
        let token = watch.token;
        watch.owed = Owed::Nothing;
        if ready.is_empty() {
            return None;
        }
        // Behind a FIN a stream is readable for ever, and every event says so.
        let more = ready.contains(Readiness::READ) && !ready.contains(Readiness::READ_CLOSED);
        if more && !is_listener {
            watch.ignored += 1;
            if watch.ignored > MOST_IGNORED {
                self.fail(format_args!(
                    "host {host} ignores the input of descriptor {descriptor} and asks for more"
                ));
            }
        }
        // Input and room are two wake-ups of the kernel's; that one poll finds both is chance.
        let both = Readiness::READ.with(Readiness::WRITE);
        if split && whole && ready.contains(both) && !ready.contains(Readiness::ERROR) {
            watch.owed = Owed::Rest(Readiness::WRITE);
            self.hosts[host].ready.push_back(descriptor);
            return Some((
                token,
                ready.only(Readiness::READ.with(Readiness::READ_CLOSED)),
            ));
        }
        Some((token, ready))
    }

    /// An event for some registered socket of which nothing may be true.
    fn spurious(&mut self, host: usize) -> Option<(u64, Readiness)> {
        let watches: Vec<(u64, Interest)> = self.hosts[host]
            .table
            .iter()
            .filter(|(_, open)| matches!(open.object, Object::Stream(_)))
            .filter_map(|(_, open)| open.watch.as_ref())
            .map(|watch| (watch.token, watch.interest))
            .collect();
        if watches.is_empty() {
            return None;
        }
        let (token, interest) = self.dice.one_of(&watches);
        let lie = self.dice.one_of(&[
            Conditions::IN,
            Conditions::OUT,
            Conditions::HUP,
            Conditions::IN.with(Conditions::RDHUP),
        ]);
        let ready = lie.told_to(interest).readiness();
        (!ready.is_empty()).then_some((token, ready))
    }
}
