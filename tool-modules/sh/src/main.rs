//! The program.

fn main() {
    let status = hardshell_sh::invoke::main();
    std::process::exit(status);
}
