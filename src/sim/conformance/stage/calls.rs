//! The calls of a scenario, each compared with what the other kernel answered.

use std::io::{self, IoSlice};

use super::answer::Answer::{self, Address, All, Bytes, Done, NoError, Refused};
use super::answer::failed;
use super::{End, Object, Stage};
use crate::sys::Interest;

impl Stage {
    pub(in crate::sim::conformance) fn read(&mut self, end: End, most: usize) -> Answer {
        self.call(format!("read {most} from {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.read(stream, &mut vec![0; most])
                .map_or_else(failed, Bytes)
        })
    }

    /// Reads until something else than bytes comes.
    pub(in crate::sim::conformance) fn read_all(&mut self, end: End) -> Answer {
        self.read_to_the_end(end, true)
    }

    /// As `read_all`, where how many bytes there are depends on buffers.
    pub(in crate::sim::conformance) fn read_whatever(&mut self, end: End) -> Answer {
        self.read_to_the_end(end, false)
    }

    fn read_to_the_end(&mut self, end: End, counts: bool) -> Answer {
        let mut read = 0;
        self.call(format!("read all from {end:?}"), |stage, _| {
            let mut buffer = vec![0; 1 << 20];
            loop {
                let (sys, stream) = stage.stream(end);
                let last = match sys.read(stream, &mut buffer) {
                    Ok(0) => Bytes(0),
                    Ok(bytes) => {
                        read += bytes;
                        stage.settle();
                        continue;
                    }
                    Err(error) => failed(error),
                };
                return All(counts.then_some(read), Box::new(last));
            }
        })
    }

    pub(in crate::sim::conformance) fn write(&mut self, end: End, bytes: usize) -> Answer {
        self.call(format!("write {bytes} to {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.write(stream, &vec![b'x'; bytes])
                .map_or_else(failed, Bytes)
        })
    }

    /// As `write`, in one vectored call of several slices.
    pub(in crate::sim::conformance) fn write_vectored(
        &mut self,
        end: End,
        slices: &[usize],
    ) -> Answer {
        self.call(format!("write {slices:?} to {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let bytes: Vec<_> = slices.iter().map(|&length| vec![b'x'; length]).collect();
            let slices: Vec<_> = bytes.iter().map(|it| IoSlice::new(it)).collect();
            sys.write_vectored(stream, &slices)
                .map_or_else(failed, Bytes)
        })
    }

    /// Writes until nothing more is taken, however long one waits. What this end is told meanwhile
    /// is used up.
    pub(in crate::sim::conformance) fn fill(&mut self, end: End) -> Answer {
        self.call(format!("fill {end:?}"), |stage, _| {
            let bytes = vec![b'x'; 1 << 18];
            let mut refusals = 0;
            while refusals < 2 {
                let (sys, stream) = stage.stream(end);
                match sys.write(stream, &bytes) {
                    Ok(_) => refusals = 0,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => refusals += 1,
                    Err(error) => return failed(error),
                }
                stage.settle();
            }
            stage.look();
            stage.told.remove(&end);
            Done
        })
    }

    pub(in crate::sim::conformance) fn shutdown(&mut self, end: End) -> Answer {
        self.call(format!("shut {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.shutdown_write(stream);
            if answer.is_ok() {
                stage.shut.insert(end);
            }
            answer.map_or_else(failed, |()| Done)
        })
    }

    pub(in crate::sim::conformance) fn take_error(&mut self, end: End) -> Answer {
        self.call(format!("take the error of {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            sys.take_error(stream).unwrap().map_or(NoError, failed)
        })
    }

    /// Whether a connect is through: `Bytes(1)` it is, `Bytes(0)` it is not.
    pub(in crate::sim::conformance) fn finish_connect(&mut self, end: End) -> Answer {
        self.call(format!("finish {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.finish_connect(stream);
            answer.map_or_else(failed, |done| Bytes(done.into()))
        })
    }

    pub(in crate::sim::conformance) fn local_address(&mut self, end: End) -> Answer {
        self.call(format!("address of {end:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let address = sys.local_address(stream);
            address.map_or_else(failed, |it| Address(stage.shown(it.as_inet().unwrap())))
        })
    }

    pub(in crate::sim::conformance) fn watch(&mut self, end: End, interest: Interest) -> Answer {
        self.call(format!("watch {end:?} for {interest:?}"), |stage, _| {
            let open = &mut stage.open[end.0];
            let sys = &mut stage.sides[open.side];
            let answer = match &mut open.object {
                Object::Stream(it) => sys.register(it, end.0 as u64, interest),
                Object::Listener(it) => sys.register_listener(it, end.0 as u64),
                Object::Closed => panic!("{end:?} is closed"),
            };
            open.is_watched |= answer.is_ok();
            answer.map_or_else(|error| Refused(error.kind()), |()| Done)
        })
    }

    pub(in crate::sim::conformance) fn rewatch(&mut self, end: End, interest: Interest) -> Answer {
        self.call(format!("rewatch {end:?} for {interest:?}"), |stage, _| {
            let (sys, stream) = stage.stream(end);
            let answer = sys.reregister(stream, end.0 as u64, interest);
            answer.map_or_else(|error| Refused(error.kind()), |()| Done)
        })
    }

    pub(in crate::sim::conformance) fn is_open(&self, end: End) -> bool {
        !matches!(self.open[end.0].object, Object::Closed)
    }

    pub(in crate::sim::conformance) fn is_watched(&self, end: End) -> bool {
        self.open[end.0].is_watched
    }
}
