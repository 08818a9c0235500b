//! `rg`: ripgrep's command line over ripgrep's libraries.

mod options;
mod search;

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    let status = match options::parse(args) {
        Ok(options) => search::run(&options),
        Err(status) => status,
    };
    std::process::exit(status);
}
