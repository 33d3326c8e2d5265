//! What threads agree by. `tests/loom` puts its own in the place of this file, and plays every order
//! in which two threads can meet at it.

pub(super) use std::sync::{Mutex, MutexGuard};
