//! What a `Stream` or a `Listener` holds: the real socket or, in tests and in the simulated world,
//! a number that a `Kernel` gave out.
//!
//! A handle belongs to the `Sys` that made it and is given back to that one. Which of the two it
//! holds is therefore never asked, only relied on.

/// One of the two things that may stand behind a socket.
#[derive(Debug)]
pub(super) enum Handle<T> {
    Os(T),
    #[cfg(any(test, feature = "sim"))]
    Kernel(u32),
}

impl<T> Handle<T> {
    #[inline]
    pub(super) fn os(&self) -> &T {
        match self {
            Handle::Os(socket) => socket,
            #[cfg(any(test, feature = "sim"))]
            Handle::Kernel(descriptor) => {
                panic!("descriptor {descriptor} of a Kernel given to the real system")
            }
        }
    }

    #[inline]
    pub(super) fn os_mut(&mut self) -> &mut T {
        match self {
            Handle::Os(socket) => socket,
            #[cfg(any(test, feature = "sim"))]
            Handle::Kernel(descriptor) => {
                panic!("descriptor {descriptor} of a Kernel given to the real system")
            }
        }
    }

    pub(super) fn into_os(self) -> T {
        match self {
            Handle::Os(socket) => socket,
            #[cfg(any(test, feature = "sim"))]
            Handle::Kernel(descriptor) => {
                panic!("descriptor {descriptor} of a Kernel given to the real system")
            }
        }
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn descriptor(&self) -> u32 {
        match self {
            Handle::Os(_) => panic!("a real socket given to a Kernel"),
            Handle::Kernel(descriptor) => *descriptor,
        }
    }
}
