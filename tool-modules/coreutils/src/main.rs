//! The core utilities as one multi-call module: the command is the base name
//! of `argv[0]`, or the first argument when it is called `coreutils`.

use std::ffi::OsString;
use std::io::Write;

type Main = fn(std::vec::IntoIter<OsString>) -> i32;

/// Every utility by name, sorted, so that a look-up is a binary search.
static UTILITIES: &[(&str, Main)] = &[
    ("arch", uu_arch::uumain),
    ("b2sum", uu_b2sum::uumain),
    ("base32", uu_base32::uumain),
    ("base64", uu_base64::uumain),
    ("basename", uu_basename::uumain),
    ("basenc", uu_basenc::uumain),
    ("cksum", uu_cksum::uumain),
    ("comm", uu_comm::uumain),
    ("cp", uu_cp::uumain),
    ("csplit", uu_csplit::uumain),
    ("cut", uu_cut::uumain),
    ("date", uu_date::uumain),
    ("dd", uu_dd::uumain),
    ("dircolors", uu_dircolors::uumain),
    ("dirname", uu_dirname::uumain),
    ("echo", uu_echo::uumain),
    ("expand", uu_expand::uumain),
    ("expr", uu_expr::uumain),
    ("factor", uu_factor::uumain),
    ("false", uu_false::uumain),
    ("fmt", uu_fmt::uumain),
    ("fold", uu_fold::uumain),
    ("head", uu_head::uumain),
    ("join", uu_join::uumain),
    ("link", uu_link::uumain),
    ("ln", uu_ln::uumain),
    ("md5sum", uu_md5sum::uumain),
    ("mkdir", uu_mkdir::uumain),
    ("mktemp", uu_mktemp::uumain),
    ("mv", uu_mv::uumain),
    ("nl", uu_nl::uumain),
    ("nproc", uu_nproc::uumain),
    ("numfmt", uu_numfmt::uumain),
    ("od", uu_od::uumain),
    ("paste", uu_paste::uumain),
    ("pathchk", uu_pathchk::uumain),
    ("pr", uu_pr::uumain),
    ("printenv", uu_printenv::uumain),
    ("printf", uu_printf::uumain),
    ("ptx", uu_ptx::uumain),
    ("pwd", uu_pwd::uumain),
    ("readlink", uu_readlink::uumain),
    ("realpath", uu_realpath::uumain),
    ("rm", uu_rm::uumain),
    ("rmdir", uu_rmdir::uumain),
    ("seq", uu_seq::uumain),
    ("sha1sum", uu_sha1sum::uumain),
    ("sha224sum", uu_sha224sum::uumain),
    ("sha256sum", uu_sha256sum::uumain),
    ("sha384sum", uu_sha384sum::uumain),
    ("sha512sum", uu_sha512sum::uumain),
    ("shred", uu_shred::uumain),
    ("shuf", uu_shuf::uumain),
    ("sleep", uu_sleep::uumain),
    ("sort", uu_sort::uumain),
    ("split", uu_split::uumain),
    ("sum", uu_sum::uumain),
    ("tac", uu_tac::uumain),
    ("tail", uu_tail::uumain),
    ("tee", uu_tee::uumain),
    ("test", uu_test::uumain),
    ("touch", uu_touch::uumain),
    ("tr", uu_tr::uumain),
    ("true", uu_true::uumain),
    ("truncate", uu_truncate::uumain),
    ("tsort", uu_tsort::uumain),
    ("tty", uu_tty::uumain),
    ("uname", uu_uname::uumain),
    ("unexpand", uu_unexpand::uumain),
    ("uniq", uu_uniq::uumain),
    ("unlink", uu_unlink::uumain),
    ("wc", uu_wc::uumain),
    ("yes", uu_yes::uumain),
];

fn main() {
    hardshell_sys::init();
    std::process::exit(run());
}

fn run() -> i32 {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let mut name = base_name(&args);
    if name == "coreutils" && !args.is_empty() {
        args.remove(0);
        match args.first().and_then(|a| a.to_str()) {
            None | Some("--help") => return list(false),
            Some("--list") => return list(true),
            Some(_) => name = base_name(&args),
        }
    }
    let utility = if name == "[" { "test" } else { name.as_str() };
    let Some(main) = find(utility) else {
        let _ = writeln!(std::io::stderr(), "coreutils: unknown program '{name}'");
        return 127;
    };
    let locale = match utility {
        "dir" | "vdir" => "ls",
        other => other,
    };
    let _ = uucore::locale::setup_localization(locale);
    if let Some(first) = args.first_mut() {
        *first = OsString::from(&name);
    }
    main(args.into_iter())
}

fn find(name: &str) -> Option<Main> {
    UTILITIES
        .binary_search_by(|(n, _)| (*n).cmp(name))
        .ok()
        .and_then(|i| UTILITIES.get(i))
        .map(|(_, main)| *main)
}

fn base_name(args: &[OsString]) -> String {
    let first = args
        .first()
        .map(|a| a.to_string_lossy().into_owned())
        .unwrap_or_default();
    first.rsplit('/').next().unwrap_or_default().to_owned()
}

fn list(plain: bool) -> i32 {
    let mut out = std::io::stdout().lock();
    if !plain {
        let _ = writeln!(out, "Usage: coreutils UTILITY [ARGUMENT]...\n\nUtilities:");
    }
    for (name, _) in UTILITIES {
        let _ = writeln!(out, "{}{name}", if plain { "" } else { "  " });
    }
    0
}
