//! The contract of Node's `net`, rule by rule: a test is named after its rule.
//!
//! Both ends are ours wherever that shows the rule; where a peer has to do what ours would not, it
//! is a plain socket. A rule that takes another form in Rust says so in its test.

#[path = "../support/mod.rs"]
mod support;

mod a_callbacks;
mod b_connecting;
mod b_local_address;
mod b_names;
mod c_reading;
mod d_half_close;
mod e_answers;
mod e_completions;
mod e_corking;
mod e_refusals;
mod f_answers;
mod f_destroy;
mod f_reset;
mod g_idle;
mod h_addresses;
mod i_local;
mod i_server;
mod j_liveness;
mod table;
