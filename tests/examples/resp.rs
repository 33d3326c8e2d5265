//! The decoder of `examples/kv`, as one who copies it into a server of their own may use it: there a client
//! may be handed to somebody else in the middle of a request, which `kv` itself never does.

#[path = "../../examples/kv/resp.rs"]
#[allow(dead_code)] // there is no server here that would answer
mod whole;

use netloop::frame::{Decoded, Decoder};
use whole::Requests;

#[test]
fn nothing_of_half_a_request_is_left_behind_a_reset() {
    for half in ["*2\r\n$4\r\nECHO\r\n$100\r\n", "*3\r\n", "PING wi"] {
        let mut requests = Requests::default();
        let incomplete = requests.decode(half.as_bytes()).unwrap();
        assert!(matches!(incomplete, Decoded::Incomplete { .. }), "{half:?}");
        requests.reset();
        for whole in ["*1\r\n$4\r\nPING\r\n", "PING\r\n"] {
            let Decoded::Frame { end, .. } = requests.decode(whole.as_bytes()).unwrap() else {
                panic!("{whole:?} is not whole behind {half:?}");
            };
            assert_eq!(end, whole.len(), "{whole:?} behind {half:?}");
        }
    }
}
