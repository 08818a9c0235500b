//! `tar`, the compressors, `zip` and `unzip`.

mod compress;
mod formats;
mod tar;
mod tar_create;
mod tar_extract;
mod unzip;
mod zip;

fn main() {
    hardshell_sys::init();
    let args = hardshell_cli::args();
    let name = hardshell_cli::command_name(&args, "tar");
    let status = match name.as_str() {
        "tar" => tar::run(args),
        "zip" => zip::run(args),
        "unzip" => unzip::run(args),
        _ => compress::run(&name, args),
    };
    std::process::exit(status);
}
