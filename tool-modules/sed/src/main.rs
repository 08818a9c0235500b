//! `sed` with GNU's commands, options and messages.

mod exec;
mod files;
mod input;
mod options;
mod parse;
mod script;
mod substitute;

fn main() {
    hardshell_sys::init();
    std::process::exit(run(hardshell_cli::args()));
}

fn run(args: Vec<Vec<u8>>) -> i32 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let script = match parse::parse(&options) {
        Ok(script) => script,
        Err(message) => {
            hardshell_cli::complain("sed", message);
            return 1;
        }
    };
    exec::Machine::new(&options, script).run()
}
