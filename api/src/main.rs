//! hardshell
fn main() {}
