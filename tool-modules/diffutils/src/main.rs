//! `diff`, `cmp`, `sdiff` and `patch`.

mod cmp;
mod compare;
mod diff;
mod formats;
mod patch;
mod patchfile;

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    let status = match hardshell_cli::command_name(&args, "diff").as_str() {
        "cmp" => cmp::run(args),
        "patch" => patch::run(args),
        "sdiff" => diff::run(args, true),
        _ => diff::run(args, false),
    };
    std::process::exit(status);
}
