//! Room that is made before it is needed, so that no accept waits for a table to grow.

use super::Net;
use super::entry::SocketEntry;
use crate::time::ENTRY_BYTES;
use crate::{Error, Result};
use std::io;

impl Net {
    /// Makes room for `sockets` sockets in all, those that are open included: in the loop's own
    /// tables, one with the idle timeouts among them, and in the process's table of descriptors.
    ///
    /// Without it each table grows when it is full, to twice its size, in the middle of the turn that
    /// opens one socket more. The kernel's is the one that is felt: in a process with several threads
    /// it waits until all processors have let go of the old table, for some milliseconds.
    ///
    /// The last call counts. Tables never get smaller than it says while the loop lives, not even
    /// when they are emptied, and `reserve(0)` takes that back; more sockets may be opened, and then
    /// tables grow as ever. It takes 128 bytes of address space a socket, and memory as sockets come.
    /// It takes about a microsecond a socket, and those waits, and while it runs the descriptors
    /// are in use: call it before other threads need any.
    ///
    /// ```
    /// # fn main() -> netloop::Result<()> {
    /// let mut reactor = netloop::Reactor::new()?;
    /// reactor.net().reserve(500)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `EMFILE` if the process may not have as many descriptors (`ulimit -n`), `ENOMEM` if there is no
    /// memory. Then nothing has changed, and nothing is left open. Whether the system has as many
    /// files is not asked.
    pub fn reserve(&mut self, sockets: usize) -> Result<()> {
        let more = sockets.saturating_sub(self.sockets.len());
        if !fits_into_memory(sockets) {
            let error = io::Error::from_raw_os_error(libc::ENOMEM);
            return Err(Error::io("malloc", error));
        }
        let grown = self.sys.grow_descriptor_table(more);
        grown.map_err(|error| Error::io("fcntl", error))?;
        self.sockets.reserve(sockets);
        self.idle.reserve(sockets);
        // Not for all sockets: a queue walks through all the memory that it has, and what one poll
        // brings would no longer stay in the nearest cache.
        let most = sockets.min(2 * self.limits.events);
        self.ready.reserve(most);
        for list in [&mut self.notes, &mut self.closing, &mut self.freed] {
            list.reserve(most.saturating_sub(list.len()));
        }
        self.dirty.reserve(most.saturating_sub(self.dirty.len()));
        Ok(())
    }
}

/// Whether there are indices and memory for so many sockets. Tried first, since a slab has no way to
/// say that it can't be had but to end the process.
fn fits_into_memory(sockets: usize) -> bool {
    const SLAB_WORD: usize = size_of::<usize>(); // what a vacant place may need beside the entry
    let bytes = sockets.checked_mul(size_of::<SocketEntry>() + SLAB_WORD + ENTRY_BYTES);
    let fits = |bytes| {
        let mut memory = Vec::<u8>::new();
        // Or the compiler leaves an allocation out that nobody uses.
        let answer = memory.try_reserve_exact(bytes);
        std::hint::black_box(memory);
        answer.is_ok()
    };
    u32::try_from(sockets).is_ok() && bytes.is_some_and(fits)
}

#[cfg(test)]
mod tests {
    use crate::Reactor;
    use crate::net::Limits;
    use crate::sys::script::{Call, Kind, Script};

    #[test]
    fn descriptors_are_asked_for_once_and_only_for_sockets_that_are_still_to_come() {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let net = reactor.net();
        net.reserve(1000).unwrap();
        assert_eq!(script.take_calls(), [Call::GrowDescriptorTable(1000)]);
        let nobody = crate::handler_fn(|_, _| ());
        net.connect("127.0.0.1:80", nobody).unwrap();
        net.reserve(1000).unwrap();
        assert_eq!(script.take_calls(), [Call::GrowDescriptorTable(999)]);
        net.reserve(0).unwrap();
        assert_eq!(script.take_calls(), [Call::GrowDescriptorTable(0)]);
    }

    #[test]
    fn more_than_there_can_be_is_an_error_that_names_the_call() {
        let script = Script::new();
        let mut reactor = Reactor::on(script.sys(), Limits::default());
        let net = reactor.net();
        for sockets in [usize::MAX, 1 << 32] {
            let error = net.reserve(sockets).unwrap_err();
            assert_eq!(error.to_string(), "malloc ENOMEM");
        }
        assert_eq!(script.take_calls(), [], "memory first");
        script.answer(Kind::GrowDescriptorTable, Err(libc::EMFILE));
        let error = net.reserve(5000).unwrap_err();
        assert_eq!((error.code(), error.syscall()), ("EMFILE", Some("fcntl")));
        assert_eq!(error.errno(), Some(libc::EMFILE));
        net.reserve(5000).unwrap();
    }
}
