//! `set -o` and `shopt` options.

macro_rules! options {
    ($( $(#[$doc:meta])* $konst:ident = $bit:expr, $name:expr; )*) => {
        $( $(#[$doc])* pub const $konst: u64 = 1 << $bit; )*
    };
}

options! {
    /// `-a`
    ALLEXPORT = 0, "allexport";
    /// `-B`
    BRACEEXPAND = 1, "braceexpand";
    /// `-e`
    ERREXIT = 2, "errexit";
    /// `-E`
    ERRTRACE = 3, "errtrace";
    /// `-T`
    FUNCTRACE = 4, "functrace";
    /// `-h`
    HASHALL = 5, "hashall";
    /// `-k`
    KEYWORD = 6, "keyword";
    /// `-m`
    MONITOR = 7, "monitor";
    /// `-C`
    NOCLOBBER = 8, "noclobber";
    /// `-n`
    NOEXEC = 9, "noexec";
    /// `-f`
    NOGLOB = 10, "noglob";
    /// `-u`
    NOUNSET = 11, "nounset";
    /// `-t`
    ONECMD = 12, "onecmd";
    /// `-P`
    PHYSICAL = 13, "physical";
    /// `-o pipefail`
    PIPEFAIL = 14, "pipefail";
    /// `-o posix`
    POSIX = 15, "posix";
    /// `-v`
    VERBOSE = 16, "verbose";
    /// `-x`
    XTRACE = 17, "xtrace";
    /// `-b`
    NOTIFY = 18, "notify";
    /// `-H`
    HISTEXPAND = 19, "histexpand";
    /// `-o history`
    HISTORY = 20, "history";
    /// `-o ignoreeof`
    IGNOREEOF = 21, "ignoreeof";
    /// `-o interactive-comments`
    COMMENTS = 22, "interactive-comments";
    /// `-o nolog`
    NOLOG = 23, "nolog";
    /// `-p`
    PRIVILEGED = 24, "privileged";
    /// `-o emacs`
    EMACS = 25, "emacs";
    /// `-o vi`
    VI = 26, "vi";
    /// `-i`
    INTERACTIVE = 40, "i";
    /// `-s`
    STDIN = 41, "s";
    /// `-c`
    COMMAND = 42, "c";
}

/// (name, letter or 0, bit), sorted by name as `set -o` lists them.
pub const SET: [(&str, u8, u64); 27] = [
    ("allexport", b'a', ALLEXPORT),
    ("braceexpand", b'B', BRACEEXPAND),
    ("emacs", 0, EMACS),
    ("errexit", b'e', ERREXIT),
    ("errtrace", b'E', ERRTRACE),
    ("functrace", b'T', FUNCTRACE),
    ("hashall", b'h', HASHALL),
    ("histexpand", b'H', HISTEXPAND),
    ("history", 0, HISTORY),
    ("ignoreeof", 0, IGNOREEOF),
    ("interactive-comments", 0, COMMENTS),
    ("keyword", b'k', KEYWORD),
    ("monitor", b'm', MONITOR),
    ("noclobber", b'C', NOCLOBBER),
    ("noexec", b'n', NOEXEC),
    ("noglob", b'f', NOGLOB),
    ("nolog", 0, NOLOG),
    ("notify", b'b', NOTIFY),
    ("nounset", b'u', NOUNSET),
    ("onecmd", b't', ONECMD),
    ("physical", b'P', PHYSICAL),
    ("pipefail", 0, PIPEFAIL),
    ("posix", 0, POSIX),
    ("privileged", b'p', PRIVILEGED),
    ("verbose", b'v', VERBOSE),
    ("vi", 0, VI),
    ("xtrace", b'x', XTRACE),
];

/// `$-` in bash's order.
pub fn flags(bits: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for (letter, bit) in [
        (b'a', ALLEXPORT),
        (b'b', NOTIFY),
        (b'e', ERREXIT),
        (b'f', NOGLOB),
        (b'h', HASHALL),
        (b'i', INTERACTIVE),
        (b'k', KEYWORD),
        (b'm', MONITOR),
        (b'n', NOEXEC),
        (b'p', PRIVILEGED),
        (b't', ONECMD),
        (b'u', NOUNSET),
        (b'v', VERBOSE),
        (b'x', XTRACE),
        (b'B', BRACEEXPAND),
        (b'C', NOCLOBBER),
        (b'E', ERRTRACE),
        (b'H', HISTEXPAND),
        (b'P', PHYSICAL),
        (b'T', FUNCTRACE),
        (b'c', COMMAND),
        (b's', STDIN),
    ] {
        if bits & bit != 0 {
            out.push(letter);
        }
    }
    out
}

/// All `shopt` names with what they are at the start, sorted.
pub const SHOPT: [(&str, bool); 53] = [
    ("autocd", false),
    ("assoc_expand_once", false),
    ("cdable_vars", false),
    ("cdspell", false),
    ("checkhash", false),
    ("checkjobs", false),
    ("checkwinsize", true),
    ("cmdhist", true),
    ("compat31", false),
    ("compat32", false),
    ("compat40", false),
    ("compat41", false),
    ("compat42", false),
    ("compat43", false),
    ("compat44", false),
    ("complete_fullquote", true),
    ("direxpand", false),
    ("dirspell", false),
    ("dotglob", false),
    ("execfail", false),
    ("expand_aliases", false),
    ("extdebug", false),
    ("extglob", false),
    ("extquote", true),
    ("failglob", false),
    ("force_fignore", true),
    ("globasciiranges", true),
    ("globskipdots", true),
    ("globstar", false),
    ("gnu_errfmt", false),
    ("histappend", false),
    ("histreedit", false),
    ("histverify", false),
    ("hostcomplete", true),
    ("huponexit", false),
    ("inherit_errexit", false),
    ("interactive_comments", true),
    ("lastpipe", false),
    ("lithist", false),
    ("localvar_inherit", false),
    ("localvar_unset", false),
    ("login_shell", false),
    ("mailwarn", false),
    ("no_empty_cmd_completion", false),
    ("nocaseglob", false),
    ("nocasematch", false),
    ("noexpand_translation", false),
    ("nullglob", false),
    ("patsub_replacement", true),
    ("progcomp", true),
    ("progcomp_alias", false),
    ("promptvars", true),
    ("restricted_shell", false),
];
/// The rest of the list, which is longer than the table's type above says.
pub const SHOPT_MORE: [(&str, bool); 5] = [
    ("shift_verbose", false),
    ("sourcepath", true),
    ("syslog_history", false),
    ("varredir_close", false),
    ("xpg_echo", false),
];

/// The bit of a `shopt` name.
pub fn shopt_bit(name: &[u8]) -> Option<u64> {
    SHOPT
        .iter()
        .chain(SHOPT_MORE.iter())
        .position(|(n, _)| n.as_bytes() == name)
        .map(|i| 1 << i)
}

/// The bits that are on at the start.
pub fn shopt_start() -> u64 {
    SHOPT
        .iter()
        .chain(SHOPT_MORE.iter())
        .enumerate()
        .filter(|(_, (_, on))| *on)
        .fold(0, |bits, (i, _)| bits | 1 << i)
}

macro_rules! shopts {
    ($($konst:ident = $name:expr;)*) => {
        $( #[doc = concat!("`shopt ", $name, "`")] pub const $konst: u64 = bit_of($name); )*
    };
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn bit_of(name: &str) -> u64 {
    let mut i = 0;
    while i < SHOPT.len() {
        if same(SHOPT[i].0, name) {
            return 1 << i;
        }
        i += 1;
    }
    let mut j = 0;
    while j < SHOPT_MORE.len() {
        if same(SHOPT_MORE[j].0, name) {
            return 1 << (i + j);
        }
        j += 1;
    }
    0
}

shopts! {
    CDABLE_VARS = "cdable_vars"; DOTGLOB = "dotglob"; EXECFAIL = "execfail"; EXPAND_ALIASES = "expand_aliases";
    EXTDEBUG = "extdebug"; EXTGLOB = "extglob"; FAILGLOB = "failglob"; GLOBSKIPDOTS = "globskipdots";
    GLOBSTAR = "globstar"; INHERIT_ERREXIT = "inherit_errexit"; LASTPIPE = "lastpipe";
    LOCALVAR_INHERIT = "localvar_inherit"; LOGIN_SHELL = "login_shell"; NOCASEGLOB = "nocaseglob"; NOCASEMATCH = "nocasematch";
    NULLGLOB = "nullglob"; PATSUB_REPLACEMENT = "patsub_replacement"; SHIFT_VERBOSE = "shift_verbose";
    SOURCEPATH = "sourcepath"; XPG_ECHO = "xpg_echo"; VARREDIR_CLOSE = "varredir_close"; AUTOCD = "autocd";
    LOCALVAR_UNSET = "localvar_unset"; PROMPTVARS = "promptvars";
}
