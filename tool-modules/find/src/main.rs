//! `find` and `xargs`.

mod actions;
mod expr;
mod parse;
mod printf;
mod walk;
mod xargs;

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    let status = match hardshell_cli::command_name(&args, "find").as_str() {
        "xargs" => xargs::run(args),
        _ => walk::run(args),
    };
    std::process::exit(status);
}
