//! Options of `pipe`.

/// How [`Net::pipe`](crate::Net::pipe) pipes.
///
/// ```
/// use netloop::PipeOptions;
///
/// let keep_open = PipeOptions::default().end(false);
/// # let _ = keep_open;
/// ```
#[derive(Clone, Debug)]
pub struct PipeOptions {
    pub(crate) end: bool,
}

impl Default for PipeOptions {
    fn default() -> PipeOptions {
        PipeOptions { end: true }
    }
}

impl PipeOptions {
    /// Whether the source's end ends the destination. `true` unless this says otherwise.
    pub fn end(mut self, end: bool) -> PipeOptions {
        self.end = end;
        self
    }
}
