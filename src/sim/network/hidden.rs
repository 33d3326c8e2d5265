//! What injected answers have hidden, until it comes to light.

use super::Network;
use super::agenda::Happening;
use super::conditions::Conditions;
use super::table::{EndpointId, ListenerId};
use super::watch::Cause;

/// How long an injected answer hides what is there, at most.
const HIDDEN_NANOS: u64 = 5_000_000;

impl Network {
    /// An answer said that there was nothing more to read, though there is.
    pub(in crate::sim) fn hide_input(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        self.stream_mut(host, stream).hidden_input += 1;
        self.hide(Happening::Unhidden(id, Cause::Input));
    }

    /// An answer said that there was no room, though there is.
    pub(in crate::sim) fn hide_room(&mut self, host: usize, stream: u32) {
        let id = self.stream(host, stream);
        let endpoint = self.stream_mut(host, stream);
        endpoint.hidden_room += 1;
        endpoint.wants_room = true;
        self.hide(Happening::Unhidden(id, Cause::Room));
    }

    /// An answer said that nobody waits, though somebody does.
    pub(in crate::sim) fn hide_backlog(&mut self, host: usize, listener: u32) {
        let id = self.listening(host, listener);
        if let Some(listener) = self.listener(id) {
            listener.hidden += 1;
        }
        self.hide(Happening::UnhiddenBacklog(id));
    }

    fn hide(&mut self, end: Happening) {
        let hidden = self.dice.magnitude(1..=HIDDEN_NANOS);
        self.agenda.put(self.now + hidden, end);
    }

    pub(super) fn unhide(&mut self, id: EndpointId, cause: Cause) {
        let Some(endpoint) = self.endpoint(id) else {
            return;
        };
        match cause {
            Cause::Room => {
                endpoint.hidden_room -= 1;
                if endpoint.regain_room() {
                    self.wake_endpoint(id, Cause::Room);
                }
            }
            Cause::Input | Cause::Change => {
                endpoint.hidden_input -= 1;
                if endpoint.has_news() {
                    // A FIN or an error that was hidden is a change again.
                    let only_bytes = endpoint.conditions() == {
                        let room = endpoint.conditions().has(Conditions::OUT);
                        match room {
                            true => Conditions::IN.with(Conditions::OUT),
                            false => Conditions::IN,
                        }
                    };
                    let cause = match only_bytes {
                        true => Cause::Input,
                        false => Cause::Change,
                    };
                    self.wake_endpoint(id, cause);
                }
            }
        }
    }

    pub(super) fn unhide_backlog(&mut self, id: ListenerId) {
        let Some(listener) = self.listener(id) else {
            return;
        };
        listener.hidden -= 1;
        if !listener.waiting.is_empty() {
            let (host, descriptor) = (listener.host, listener.descriptor);
            self.wake(host, descriptor, Cause::Input);
        }
    }
}
