//! New migrations make a new binary.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
