//! hardshell-benches
fn main() {}
