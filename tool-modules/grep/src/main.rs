//! `grep`, `egrep` and `fgrep` with GNU's command line, output and exit codes.

mod matcher;
mod options;
mod print;
mod search;
mod walk;

use hardshell_cli::{complain, errno_text};

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    std::process::exit(run(args));
}

fn run(args: Vec<Vec<u8>>) -> i32 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(status) => return status,
    };
    // Nothing is asked for, so nothing is opened or compiled.
    if options.max_count == 0 && options.list != options::List::Other {
        return 1;
    }
    let matcher = match matcher::Matcher::new(&options) {
        Ok(matcher) => matcher,
        Err(message) => {
            complain("grep", message);
            return 2;
        }
    };
    let mut searcher = search::Searcher::new(&options, matcher);
    walk::run(&options, &mut searcher);
    if let Err(error) = searcher.printer.out.finish() {
        complain("grep", format!("write error: {}", errno_text(&error)));
        return 2;
    }
    if searcher.failed && !(options.quiet && searcher.matched) {
        2
    } else if searcher.matched {
        0
    } else {
        1
    }
}
