//! Runs the comparison: `cargo run --release --manifest-path benches/compare/Cargo.toml`.

use std::process::ExitCode;

fn main() -> ExitCode {
    netloop_compare::runner::main()
}
