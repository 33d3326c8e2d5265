//! Listening on a host by name: the server that does not listen yet.

use super::Net;
use super::ids::{Key, Target};
use super::lookup::Asking;
use super::server_entry::Opening;
use crate::Result;
use crate::options::Bind;
use crate::resolver::{Answer, Question};
use std::net::IpAddr;
use std::sync::Arc;

impl Net {
    /// Lets a server wait for the addresses of `host`.
    pub(super) fn open_later(&mut self, key: Key, host: Arc<str>, port: u16) {
        if let Some(server) = self.servers.get_mut(key) {
            let question = Question {
                host,
                family: None,
                all: true,
            };
            server.opening = Some(Box::new(Opening {
                question,
                port,
                asked: false,
                lookup: None,
            }));
        }
    }

    /// Makes what the resolver is to be asked, and the promise of its answer.
    pub(crate) fn ask_for_server(&mut self, key: Key) -> Option<Asking> {
        let opening = self.servers.get(key)?.opening.as_ref()?;
        let (question, resolver) = (opening.question.clone(), self.resolver());
        match self.begin_lookup(Target::Server(key), question, resolver) {
            Ok(asking) => {
                self.servers.get_mut(key)?.opening.as_mut()?.lookup = Some(asking.lookup);
                Some(asking)
            }
            Err(error) => {
                self.server_answered(key, Err(error));
                None
            }
        }
    }

    /// The answer of the resolver is there, and the server was not closed meanwhile.
    pub(super) fn server_answered(&mut self, key: Key, answer: Answer) {
        let server = self.servers.get_mut(key);
        let Some(opening) = server.and_then(|server| server.opening.take()) else {
            return;
        };
        if let Err(error) = self.open_answered(key, opening.port, answer)
            && let Some(server) = self.servers.get_mut(key)
        {
            server.error = Some(error);
            if !server.unref {
                self.alive -= 1;
            }
            // Nobody can make it listen any more: `close` follows the error.
            self.close_server_if_done(key);
        }
        self.note_server(key);
    }

    fn open_answered(&mut self, key: Key, port: u16, answer: Answer) -> Result<()> {
        let ips = answer?;
        // An address that means something on one link only is not what a server is known by (R93).
        let first = ips.iter().find(|ip| !is_link_local(ip)).or(ips.first());
        match first {
            Some(ip) => self.open(key, &Bind::At((*ip, port).into())),
            None => Ok(()), // made an error of before
        }
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
