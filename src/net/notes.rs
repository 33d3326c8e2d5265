//! What is to be told to a socket later, since no handler is called from inside a call (R1).
//!
//! A socket stands in the queue of notes at most once, with a bit for each thing to tell, so the
//! queue is bounded by the number of sockets. The order of the bits is the order of telling.

/// One thing to tell, or to do, outside of any call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Note {
    /// Go on with connecting: ask, tell and begin what is next (R6: not inside `connect`).
    Connect = 0,
    /// Run write completions that are due.
    Written = 1,
    /// Tell `drain`.
    Drain = 2,
    /// Tell `finish`.
    Finish = 3,
    /// Tell `error`.
    Error = 4,
    /// End, if nothing is under way: the loop is being shut down. After `drain`, since who writes
    /// then is not through.
    Leave = 5,
}

const ORDER: [Note; 6] = [
    Note::Connect,
    Note::Written,
    Note::Drain,
    Note::Finish,
    Note::Error,
    Note::Leave,
];

/// A set of notes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Notes(u8);

impl Notes {
    pub(crate) fn insert(&mut self, note: Note) {
        self.0 |= 1 << note as u8;
    }

    pub(crate) fn remove(&mut self, note: Note) {
        self.0 &= !(1 << note as u8);
    }

    pub(crate) fn contains(self, note: Note) -> bool {
        self.0 & 1 << note as u8 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first note in the order of telling that is not in `told`.
    pub(crate) fn first_but(self, told: Notes) -> Option<Note> {
        ORDER
            .into_iter()
            .find(|&note| self.contains(note) && !told.contains(note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_in_the_order_of_telling_whatever_the_order_of_noting() {
        let mut notes = Notes::default();
        for note in [Note::Error, Note::Finish, Note::Written, Note::Drain] {
            notes.insert(note);
        }
        let mut told = Notes::default();
        let mut order = Vec::new();
        while let Some(note) = notes.first_but(told) {
            told.insert(note);
            order.push(note);
        }
        assert_eq!(
            order,
            [Note::Written, Note::Drain, Note::Finish, Note::Error]
        );
    }

    #[test]
    fn a_note_made_again_while_its_kind_is_being_told_waits() {
        let mut notes = Notes::default();
        notes.insert(Note::Drain);
        let mut told = Notes::default();
        assert_eq!(notes.first_but(told), Some(Note::Drain));
        notes.remove(Note::Drain);
        told.insert(Note::Drain);
        notes.insert(Note::Drain); // the handler filled the queue and it drained once more
        assert_eq!(notes.first_but(told), None);
        assert!(notes.contains(Note::Drain));
    }
}
