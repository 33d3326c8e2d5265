//! Where a connection stands, and what each thing that can happen does to it.
//!
//! Owns the one table of states and inputs. Knows no socket, no queue, no handler: it answers with
//! the next state, what to do now, and what to tell.
//!
//! ```text
//!              Connected              Eof                     End
//!   Opening ─────────────▶ Open ─────────────▶ WriteOnly ───────────────┐
//!      │                    │ End                                       ▼
//!      │ Connected,         ▼          Eof                           Closing
//!      │ ended early     Ending ───────────────────────────────────▶    │
//!      └───────────────▶    │ Shut                                      │ Shut
//!                           ▼          Eof                              ▼
//!                       ReadOnly ──────────────────────────────────▶  Ended
//!                                                                       │ Settled
//!   every state ── Destroy, Reset ─────────────────────▶ Destroyed ◀────┘
//!                                                            │ CloseTold
//!                                                            ▼
//!                                                          Closed
//! ```
//!
//! `end()` and the peer's FIN are the two halves of a close. Each may come first; when both are
//! through and told, the connection destroys itself (R33).

/// Where one connection stands. Names follow Node's `readyState` where it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lifecycle {
    /// Connecting. What was asked for meanwhile is carried out once the connection stands.
    Opening(Plan),
    /// Connected, with `reset_and_destroy` asked for while connecting: `connect` is told, then RST.
    Resetting,
    /// Both directions are open.
    Open,
    /// `end()` was called; queued bytes and then the FIN are still to go. Reading goes on.
    Ending(Then),
    /// Our FIN is sent. Reading goes on until the peer's.
    ReadOnly,
    /// The peer's FIN was read; we may still write.
    WriteOnly,
    /// The peer's FIN was read and `end()` was called; queued bytes and our FIN are still to go.
    Closing,
    /// Both directions are through; destroyed as soon as all that is noted has been told.
    Ended,
    /// Destroyed; `close` is still to be told and the descriptor to be closed.
    Destroyed(Farewell),
    /// `close` was told. The descriptor and the slot go at the end of the turn.
    Closed(Farewell),
}

/// What was asked of a connection that is not there yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    /// Nothing: stay open.
    Stay,
    /// `end()`: a FIN behind what was queued.
    End(Then),
    /// `reset_and_destroy()`: an RST once `connect` was told (R63).
    Reset,
}

/// What follows our own FIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Wait for the peer's FIN: `end()`.
    AwaitPeer,
    /// Destroy: `destroy_soon()` (R37).
    Destroy,
}

/// How the descriptor of a destroyed connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Farewell {
    /// As the kernel does by itself: a FIN, or an RST if input was left unread (R56).
    Plain,
    /// An RST in any case (R62).
    Reset,
}

/// What can happen to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// The connect succeeded.
    Connected,
    /// The peer's FIN was read, behind every byte.
    Eof,
    /// `end` was told, so an implicit `end()` follows unless half-open sockets are allowed (R28).
    EndTold {
        /// The socket's option of that name.
        allow_half_open: bool,
    },
    /// The last queued byte is with the kernel and SHUT_WR was issued behind it.
    Shut,
    /// Everything that was noted for the connection has been told.
    Settled,
    /// `end()`.
    End,
    /// `destroy_soon()`.
    DestroySoon,
    /// `reset_and_destroy()`.
    Reset,
    /// `destroy()`, or a failure.
    Destroy,
    /// `close` was told.
    CloseTold,
}

/// What to do at once about an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Nothing.
    Nothing,
    /// Send what is queued, and the FIN behind it if the new state wants one.
    Flush,
    /// Drop what is queued, stop timers, leave the server's count.
    Retire,
}

/// What to tell the handler about an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tell {
    /// Nothing.
    Nothing,
    /// `connect`, then `ready`.
    Connect,
    /// `end`.
    End,
    /// `finish`.
    Finish,
    /// `close`, last of all.
    Close,
}

/// The answer of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) next: Lifecycle,
    pub(crate) act: Act,
    pub(crate) tell: Tell,
}

/// Why a write is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// After our own `end()` (R46).
    AfterEnd,
    /// After our own `end()`, with the peer gone too (R47).
    EndedByPeer,
    /// After `destroy()` (R49).
    Destroyed,
}

use Lifecycle::*;

impl Lifecycle {
    /// What `input` does in this state. Pure: the caller stores `next` and carries out the rest.
    ///
    /// An input that means nothing in a state leaves it as it is: calls may come at any time and
    /// in any order, and none of them is an error here.
    pub(crate) fn on(self, input: Input) -> Step {
        match input {
            Input::Connected => self.connected(),
            Input::Eof => match self {
                Open => go(WriteOnly, Act::Nothing, Tell::End),
                Ending(Then::AwaitPeer) => go(Closing, Act::Nothing, Tell::End),
                Ending(Then::Destroy) => go(Closing, Act::Nothing, Tell::End),
                ReadOnly => go(Ended, Act::Nothing, Tell::End),
                Opening(_) | Resetting | WriteOnly | Closing | Ended | Destroyed(_) | Closed(_) => {
                    self.stay()
                }
            },
            Input::EndTold { allow_half_open } => match self {
                WriteOnly if !allow_half_open => go(Closing, Act::Flush, Tell::Nothing),
                WriteOnly | Opening(_) | Resetting | Open | Ending(_) | ReadOnly | Closing
                | Ended | Destroyed(_) | Closed(_) => self.stay(),
            },
            Input::Shut => match self {
                Ending(Then::AwaitPeer) => go(ReadOnly, Act::Nothing, Tell::Finish),
                Ending(Then::Destroy) | Closing => go(Ended, Act::Nothing, Tell::Finish),
                Opening(_) | Resetting | Open | ReadOnly | WriteOnly | Ended | Destroyed(_)
                | Closed(_) => self.stay(),
            },
            Input::Settled => match self {
                Ended => go(Destroyed(Farewell::Plain), Act::Retire, Tell::Close),
                Resetting => go(Destroyed(Farewell::Reset), Act::Retire, Tell::Close),
                Opening(_) | Open | Ending(_) | ReadOnly | WriteOnly | Closing | Destroyed(_)
                | Closed(_) => self.stay(),
            },
            Input::End => self.end(Then::AwaitPeer),
            Input::DestroySoon => match self {
                // Our FIN is gone already: only `finish` may still have to be told.
                ReadOnly => go(Ended, Act::Nothing, Tell::Nothing),
                Opening(_) | Resetting | Open | Ending(_) | WriteOnly | Closing | Ended
                | Destroyed(_) | Closed(_) => self.end(Then::Destroy),
            },
            Input::Reset => match self {
                Opening(_) => go(Opening(Plan::Reset), Act::Nothing, Tell::Nothing),
                Resetting | Open | Ending(_) | ReadOnly | WriteOnly | Closing | Ended => {
                    go(Destroyed(Farewell::Reset), Act::Retire, Tell::Close)
                }
                Destroyed(_) | Closed(_) => self.stay(),
            },
            Input::Destroy => match self {
                Opening(_) | Resetting | Open | Ending(_) | ReadOnly | WriteOnly | Closing
                | Ended => go(Destroyed(Farewell::Plain), Act::Retire, Tell::Close),
                Destroyed(_) | Closed(_) => self.stay(),
            },
            Input::CloseTold => match self {
                Destroyed(farewell) => go(Closed(farewell), Act::Nothing, Tell::Nothing),
                Opening(_) | Resetting | Open | Ending(_) | ReadOnly | WriteOnly | Closing
                | Ended | Closed(_) => self.stay(),
            },
        }
    }

    fn connected(self) -> Step {
        match self {
            Opening(Plan::Stay) => go(Open, Act::Flush, Tell::Connect),
            Opening(Plan::End(then)) => go(Ending(then), Act::Flush, Tell::Connect),
            Opening(Plan::Reset) => go(Resetting, Act::Nothing, Tell::Connect),
            Resetting | Open | Ending(_) | ReadOnly | WriteOnly | Closing | Ended
            | Destroyed(_) | Closed(_) => self.stay(),
        }
    }

    /// `end()` and `destroy_soon()` differ in what follows the FIN; the stricter one wins.
    fn end(self, then: Then) -> Step {
        match self {
            Opening(Plan::Stay) => go(Opening(Plan::End(then)), Act::Nothing, Tell::Nothing),
            Opening(Plan::End(before)) => go(
                Opening(Plan::End(before.or(then))),
                Act::Nothing,
                Tell::Nothing,
            ),
            Open => go(Ending(then), Act::Flush, Tell::Nothing),
            Ending(before) => go(Ending(before.or(then)), Act::Nothing, Tell::Nothing),
            WriteOnly => go(Closing, Act::Flush, Tell::Nothing),
            Opening(Plan::Reset) | Resetting | ReadOnly | Closing | Ended | Destroyed(_)
            | Closed(_) => self.stay(),
        }
    }

    fn stay(self) -> Step {
        go(self, Act::Nothing, Tell::Nothing)
    }

    /// Whether `write` is accepted; if not, why.
    pub(crate) fn refuses_write(self, allow_half_open: bool) -> Option<Refusal> {
        match self {
            Opening(Plan::Stay | Plan::Reset) | Resetting | Open | WriteOnly => None,
            Opening(Plan::End(_)) | Ending(_) | ReadOnly => Some(Refusal::AfterEnd),
            Closing | Ended if allow_half_open => Some(Refusal::AfterEnd),
            Closing | Ended => Some(Refusal::EndedByPeer),
            Destroyed(_) | Closed(_) => Some(Refusal::Destroyed),
        }
    }

    /// Bytes may still be read and told.
    pub(crate) fn is_reading(self) -> bool {
        match self {
            Open | Ending(_) | ReadOnly => true,
            Opening(_) | Resetting | WriteOnly | Closing | Ended | Destroyed(_) | Closed(_) => {
                false
            }
        }
    }

    /// Queued bytes may be handed to the kernel.
    pub(crate) fn is_sending(self) -> bool {
        match self {
            Open | Ending(_) | WriteOnly | Closing => true,
            Opening(_) | Resetting | ReadOnly | Ended | Destroyed(_) | Closed(_) => false,
        }
    }

    /// A FIN is due once the queue is empty.
    pub(crate) fn wants_fin(self) -> bool {
        match self {
            Ending(_) | Closing => true,
            Opening(_) | Resetting | Open | ReadOnly | WriteOnly | Ended | Destroyed(_)
            | Closed(_) => false,
        }
    }

    /// `end()` was called, by the user or for him.
    pub(crate) fn write_ended(self) -> bool {
        match self {
            Opening(Plan::End(_)) | Ending(_) | ReadOnly | Closing | Ended => true,
            Opening(Plan::Stay | Plan::Reset)
            | Resetting
            | Open
            | WriteOnly
            | Destroyed(_)
            | Closed(_) => false,
        }
    }

    /// Only what is noted stands between the connection and its end.
    pub(crate) fn awaits_settling(self) -> bool {
        matches!(self, Ended | Resetting)
    }

    pub(crate) fn is_connecting(self) -> bool {
        matches!(self, Opening(_))
    }

    pub(crate) fn is_destroyed(self) -> bool {
        matches!(self, Destroyed(_) | Closed(_))
    }

    /// Whether the connection by itself gives the loop a reason to go on (R105): something is on
    /// its way in or out. `listens` is false for a socket that is paused.
    pub(crate) fn keeps_alive(self, listens: bool, queue_is_empty: bool) -> bool {
        match self {
            Opening(_) | Resetting | Ending(_) | Closing | Ended | Destroyed(_) => true,
            Open | ReadOnly => listens || !queue_is_empty,
            WriteOnly => !queue_is_empty,
            Closed(_) => false,
        }
    }
}

impl Then {
    fn or(self, other: Then) -> Then {
        match (self, other) {
            (Then::AwaitPeer, Then::AwaitPeer) => Then::AwaitPeer,
            (Then::Destroy, _) | (_, Then::Destroy) => Then::Destroy,
        }
    }
}

fn go(next: Lifecycle, act: Act, tell: Tell) -> Step {
    Step { next, act, tell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INPUTS: [Input; 11] = [
        Input::Connected,
        Input::Eof,
        Input::EndTold {
            allow_half_open: false,
        },
        Input::EndTold {
            allow_half_open: true,
        },
        Input::Shut,
        Input::Settled,
        Input::End,
        Input::DestroySoon,
        Input::Reset,
        Input::Destroy,
        Input::CloseTold,
    ];

    const ENDING: Lifecycle = Ending(Then::AwaitPeer);
    const ENDING_SOON: Lifecycle = Ending(Then::Destroy);
    const OPENING: Lifecycle = Opening(Plan::Stay);
    const OPENING_END: Lifecycle = Opening(Plan::End(Then::AwaitPeer));
    const OPENING_SOON: Lifecycle = Opening(Plan::End(Then::Destroy));
    const OPENING_RESET: Lifecycle = Opening(Plan::Reset);
    const GONE: Lifecycle = Destroyed(Farewell::Plain);
    const GONE_RESET: Lifecycle = Destroyed(Farewell::Reset);
    const CLOSED: Lifecycle = Closed(Farewell::Plain);
    const CLOSED_RESET: Lifecycle = Closed(Farewell::Reset);

    /// What every state does with every input, by next state; `=` is "stays". Written out by hand
    /// from the contract, not from the code above.
    #[rustfmt::skip]
    const TABLE: [(Lifecycle, [&str; 11]); 16] = [
        // state          Connected     Eof          EndTold   half-open  Shut        Settled       End            DestroySoon     Reset            Destroy   CloseTold
        (OPENING,        ["open",       "=",         "=",      "=",       "=",        "=",          "opening-end", "opening-soon", "opening-reset", "gone",   "="]),
        (OPENING_END,    ["ending",     "=",         "=",      "=",       "=",        "=",          "=",           "opening-soon", "opening-reset", "gone",   "="]),
        (OPENING_SOON,   ["ending-soon","=",         "=",      "=",       "=",        "=",          "=",           "=",            "opening-reset", "gone",   "="]),
        (OPENING_RESET,  ["resetting",  "=",         "=",      "=",       "=",        "=",          "=",           "=",            "=",             "gone",   "="]),
        (Resetting,      ["=",          "=",         "=",      "=",       "=",        "gone-reset", "=",           "=",            "gone-reset",    "gone",   "="]),
        (Open,           ["=",          "writeonly", "=",      "=",       "=",        "=",          "ending",      "ending-soon",  "gone-reset",    "gone",   "="]),
        (ENDING,         ["=",          "closing",   "=",      "=",       "readonly", "=",          "=",           "ending-soon",  "gone-reset",    "gone",   "="]),
        (ENDING_SOON,    ["=",          "closing",   "=",      "=",       "ended",    "=",          "=",           "=",            "gone-reset",    "gone",   "="]),
        (ReadOnly,       ["=",          "ended",     "=",      "=",       "=",        "=",          "=",           "ended",        "gone-reset",    "gone",   "="]),
        (WriteOnly,      ["=",          "=",         "closing","=",       "=",        "=",          "closing",     "closing",      "gone-reset",    "gone",   "="]),
        (Closing,        ["=",          "=",         "=",      "=",       "ended",    "=",          "=",           "=",            "gone-reset",    "gone",   "="]),
        (Ended,          ["=",          "=",         "=",      "=",       "=",        "gone",       "=",           "=",            "gone-reset",    "gone",   "="]),
        (GONE,           ["=",          "=",         "=",      "=",       "=",        "=",          "=",           "=",            "=",             "=",      "closed"]),
        (GONE_RESET,     ["=",          "=",         "=",      "=",       "=",        "=",          "=",           "=",            "=",             "=",      "closed-reset"]),
        (CLOSED,         ["=",          "=",         "=",      "=",       "=",        "=",          "=",           "=",            "=",             "=",      "="]),
        (CLOSED_RESET,   ["=",          "=",         "=",      "=",       "=",        "=",          "=",           "=",            "=",             "=",      "="]),
    ];

    fn named(name: &str, from: Lifecycle) -> Lifecycle {
        match name {
            "=" => from,
            "open" => Open,
            "opening-end" => OPENING_END,
            "opening-soon" => OPENING_SOON,
            "opening-reset" => OPENING_RESET,
            "resetting" => Resetting,
            "ending" => ENDING,
            "ending-soon" => ENDING_SOON,
            "readonly" => ReadOnly,
            "writeonly" => WriteOnly,
            "closing" => Closing,
            "ended" => Ended,
            "gone" => GONE,
            "gone-reset" => GONE_RESET,
            "closed" => CLOSED,
            "closed-reset" => CLOSED_RESET,
            other => panic!("no state is called {other}"),
        }
    }

    /// What a move from one state to another has to say and do, whatever caused it.
    fn expected_tell(from: Lifecycle, input: Input, next: Lifecycle) -> Tell {
        match (input, next) {
            _ if next == from => Tell::Nothing,
            (Input::Connected, _) => Tell::Connect,
            (Input::Eof, _) => Tell::End,
            (Input::Shut, _) => Tell::Finish,
            (_, Destroyed(_)) => Tell::Close,
            _ => Tell::Nothing,
        }
    }

    fn expected_act(from: Lifecycle, input: Input, next: Lifecycle) -> Act {
        match (from, input, next) {
            _ if next == from => Act::Nothing,
            (_, _, Destroyed(_)) => Act::Retire,
            // What was queued while connecting leaves, and so does a FIN that has become due.
            (Opening(_), Input::Connected, Open | Ending(_)) => Act::Flush,
            (Open, Input::End | Input::DestroySoon, Ending(_)) => Act::Flush,
            (WriteOnly, _, Closing) => Act::Flush,
            _ => Act::Nothing,
        }
    }

    #[test]
    fn every_input_in_every_state_moves_as_the_table_says() {
        for (state, row) in TABLE {
            for (input, name) in INPUTS.into_iter().zip(row) {
                let step = state.on(input);
                let next = named(name, state);
                assert_eq!(step.next, next, "{state:?} on {input:?}");
                assert_eq!(
                    step.tell,
                    expected_tell(state, input, next),
                    "{state:?} on {input:?} tells"
                );
                assert_eq!(
                    step.act,
                    expected_act(state, input, next),
                    "{state:?} on {input:?} does"
                );
            }
        }
    }

    #[test]
    fn writes_are_refused_for_the_reason_that_node_gives() {
        use Refusal::*;
        for (state, whole, half_open) in [
            (OPENING, None, None),
            (OPENING_END, Some(AfterEnd), Some(AfterEnd)),
            (OPENING_SOON, Some(AfterEnd), Some(AfterEnd)),
            (OPENING_RESET, None, None),
            (Resetting, None, None),
            (Open, None, None),
            (ENDING, Some(AfterEnd), Some(AfterEnd)),
            (ENDING_SOON, Some(AfterEnd), Some(AfterEnd)),
            (ReadOnly, Some(AfterEnd), Some(AfterEnd)),
            (WriteOnly, None, None), // R29, R48
            (Closing, Some(EndedByPeer), Some(AfterEnd)),
            (Ended, Some(EndedByPeer), Some(AfterEnd)),
            (GONE, Some(Refusal::Destroyed), Some(Refusal::Destroyed)),
            (CLOSED, Some(Refusal::Destroyed), Some(Refusal::Destroyed)),
        ] {
            assert_eq!(state.refuses_write(false), whole, "{state:?}");
            assert_eq!(state.refuses_write(true), half_open, "{state:?}, half-open");
        }
    }

    #[test]
    fn what_each_state_allows_stands_in_one_table() {
        #[rustfmt::skip]
        let table = [
            // state         reads  sends  fin    ended  alive: listening, paused, paused with a queue
            (OPENING,       [false, false, false, false, true,  true,  true]),
            (OPENING_END,   [false, false, false, true,  true,  true,  true]),
            (OPENING_RESET, [false, false, false, false, true,  true,  true]),
            (Resetting,     [false, false, false, false, true,  true,  true]),
            (Open,          [true,  true,  false, false, true,  false, true]),
            (ENDING,        [true,  true,  true,  true,  true,  true,  true]),
            (ENDING_SOON,   [true,  true,  true,  true,  true,  true,  true]),
            (ReadOnly,      [true,  false, false, true,  true,  false, true]),
            (WriteOnly,     [false, true,  false, false, false, false, true]),
            (Closing,       [false, true,  true,  true,  true,  true,  true]),
            (Ended,         [false, false, false, true,  true,  true,  true]),
            (GONE,          [false, false, false, false, true,  true,  true]),
            (CLOSED,        [false, false, false, false, false, false, false]),
        ];
        for (state, expected) in table {
            let found = [
                state.is_reading(),
                state.is_sending(),
                state.wants_fin(),
                state.write_ended(),
                state.keeps_alive(true, true),
                state.keeps_alive(false, true),
                state.keeps_alive(false, false),
            ];
            assert_eq!(found, expected, "{state:?}");
            assert_eq!(state.is_connecting(), matches!(state, Opening(_)));
            assert_eq!(state.is_destroyed(), matches!(state, GONE | CLOSED));
            assert_eq!(state.awaits_settling(), matches!(state, Ended | Resetting));
        }
    }

    proptest! {
        /// Whatever happens, in whatever order: each thing is told at most once and in the order of
        /// the contract, and nothing but `close` after destruction.
        #[test]
        fn no_sequence_of_inputs_tells_anything_twice_or_too_late(
            connecting in any::<bool>(),
            inputs in prop::collection::vec(prop::sample::select(&INPUTS[..]), 0..40),
        ) {
            let mut state = if connecting { OPENING } else { Open };
            let (mut connects, mut ends, mut finishes, mut closes) = (0, 0, 0, 0);
            for input in inputs {
                let before = state;
                let step = state.on(input);
                state = step.next;
                match step.tell {
                    Tell::Nothing => {}
                    Tell::Connect => connects += 1,
                    Tell::End => ends += 1,
                    Tell::Finish => finishes += 1,
                    Tell::Close => closes += 1,
                }
                prop_assert!(connects <= u32::from(connecting));
                prop_assert!(ends <= 1 && finishes <= 1 && closes <= 1);
                if before.is_destroyed() {
                    prop_assert_eq!(step.tell, Tell::Nothing);
                    prop_assert!(state.is_destroyed(), "destruction is for good");
                }
                prop_assert_eq!(closes == 1, state.is_destroyed());
                prop_assert_eq!(step.act == Act::Retire, step.tell == Tell::Close);
                if ends == 1 && finishes == 1 {
                    prop_assert!(matches!(state, Ended | Destroyed(_) | Closed(_)), "{state:?}");
                }
            }
            // And from wherever it got to, two inputs see it off.
            let state = state.on(Input::Destroy).next.on(Input::CloseTold).next;
            prop_assert!(matches!(state, Closed(_)));
        }
    }
}
