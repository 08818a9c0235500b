//! `jq` and `yq`.

mod cli;
mod engine;
mod errors;
mod input;
mod output;
mod rewrite;
mod stream;
mod yaml;
mod yq;

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    let status = match hardshell_cli::command_name(&args, "jq").as_str() {
        "yq" => yq::run(args),
        _ => cli::run(args),
    };
    std::process::exit(status);
}
