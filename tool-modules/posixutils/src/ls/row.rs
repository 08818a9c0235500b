//! The long listing, and what the short one shares with it.

use super::options::{Indicator, Settings};
use super::{Entry, order, quote};
use hardshell_cli::stat::{Stat, group_name, stat, user_name};
use hardshell_cli::time::{Zone, now, strftime};
use hardshell_cli::{Out, human, path};

/// Half a year of 365.2425 days, seconds: older files show their year.
const RECENT: i64 = 15_778_476;

/// Widths of the index number and the blocks, which stand before everything else.
pub(super) struct Prefixes {
    inode: usize,
    blocks: usize,
}

impl Prefixes {
    pub fn of(entries: &[Entry], settings: &Settings) -> Self {
        let widest = |text: &dyn Fn(&Stat) -> String| {
            let shown = entries.iter().filter_map(|entry| entry.meta.as_ref());
            shown.map(|meta| text(meta).len()).max().unwrap_or(0)
        };
        let aligned = settings.long || settings.layout != super::options::Layout::Commas;
        Self {
            inode: if aligned {
                widest(&|meta| meta.ino.to_string())
            } else {
                0
            },
            blocks: if aligned {
                widest(&|meta| settings.blocks_text(meta.blocks))
            } else {
                0
            },
        }
    }

    pub fn text(&self, entry: &Entry, settings: &Settings) -> Vec<u8> {
        let mut out = String::new();
        if settings.inode {
            let inode = entry
                .meta
                .map_or("?".to_owned(), |meta| meta.ino.to_string());
            out += &format!("{inode:>width$} ", width = self.inode);
        }
        if settings.blocks {
            let blocks = entry
                .meta
                .map_or("?".to_owned(), |meta| settings.blocks_text(meta.blocks));
            out += &format!("{blocks:>width$} ", width = self.blocks);
        }
        out.into_bytes()
    }
}

/// The columns of one row before the name.
struct Row {
    mode: String,
    links: String,
    owner: String,
    group: String,
    size: String,
    time: String,
}

pub(super) fn print(entries: &[Entry], settings: &Settings, out: &mut Out) {
    let zone = Zone::local();
    let present = now();
    let prefixes = Prefixes::of(entries, settings);
    let mut names = Names::new(settings.numeric);
    let rows: Vec<Row> = entries
        .iter()
        .map(|entry| row(entry, settings, &zone, present, &mut names))
        .collect();
    let widest =
        |column: fn(&Row) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let links = widest(|row| &row.links);
    let owner = widest(|row| &row.owner);
    let group = widest(|row| &row.group);
    let size = widest(|row| &row.size);
    let time = widest(|row| &row.time);
    for (entry, row) in entries.iter().zip(&rows) {
        out.put(&prefixes.text(entry, settings));
        let mut line = format!("{} {:>links$} ", row.mode, row.links);
        // Names lean left and numbers right.
        let mut column = |text: &str, width: usize| {
            line += &if settings.numeric {
                format!("{text:>width$} ")
            } else {
                format!("{text:<width$} ")
            };
        };
        if settings.owner {
            column(&row.owner, owner);
        }
        if settings.group {
            column(&row.group, group);
        }
        line += &format!("{:>size$} {:>time$} ", row.size, row.time);
        out.put(line.as_bytes());
        out.put(&shown_name(entry, settings).0);
        link_target(entry, settings, out);
        out.byte(settings.end);
    }
}

fn row(entry: &Entry, settings: &Settings, zone: &Zone, present: i64, names: &mut Names) -> Row {
    let Some(meta) = entry.meta else {
        let unknown = || "?".to_owned();
        return Row {
            mode: "??????????".to_owned(),
            links: unknown(),
            owner: unknown(),
            group: unknown(),
            size: unknown(),
            time: unknown(),
        };
    };
    Row {
        mode: meta.mode_text(),
        links: meta.nlink.to_string(),
        owner: names.user(meta.uid),
        group: names.group(meta.gid),
        size: match (meta.kind(), settings.human) {
            (b'c' | b'b', _) => format!("{}, {}", meta.rdev >> 8, meta.rdev & 0xff),
            (_, Some(base)) => human(meta.size, base),
            (_, None) => meta.size.to_string(),
        },
        time: moment(order::time(entry, settings), settings, zone, present),
    }
}

fn moment(time: i128, settings: &Settings, zone: &Zone, present: i64) -> String {
    let seconds = i64::try_from(time.div_euclid(1_000_000_000)).unwrap_or(0);
    let recent = seconds <= present && seconds > present - RECENT;
    let format = match &settings.time_format {
        Some(format) => {
            // A format of two lines: the first for old files, the second for recent ones.
            let mut forms = format.splitn(2, |byte| *byte == b'\n');
            let old = forms.next().unwrap_or_default();
            let form = if recent {
                forms.next().unwrap_or(old)
            } else {
                old
            };
            let nanoseconds = format!("{:09}", time.rem_euclid(1_000_000_000));
            replaced(form, b"%N", nanoseconds.as_bytes())
        }
        None if recent => b"%b %e %H:%M".to_vec(),
        None => b"%b %e  %Y".to_vec(),
    };
    String::from_utf8_lossy(&strftime(&format, seconds, zone, false)).into_owned()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(to);
        rest = rest.get(at + from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The name with its colour and its indicator, and the bytes among it that take no room.
pub(super) fn shown_name(entry: &Entry, settings: &Settings) -> (Vec<u8>, usize) {
    let mut out = quote::name(&entry.name, settings.quoting);
    let mut without_room = 0;
    if settings.color
        && let Some(colour) = entry.meta.and_then(|meta| colour(&meta))
    {
        let before = out.len();
        out = [b"\x1b[0m\x1b[", colour, b"m", out.as_slice(), b"\x1b[0m"].concat();
        without_room = out.len() - before;
    }
    // In a long listing the indicator of a link stands behind its target.
    let links_own = !(settings.long && entry.meta.is_some_and(|meta| meta.kind() == b'l'));
    if links_own && let Some(mark) = entry.meta.and_then(|meta| mark(&meta, settings.indicator)) {
        out.push(mark);
    }
    (out, without_room)
}

fn mark(meta: &Stat, indicator: Indicator) -> Option<u8> {
    let kind = meta.kind();
    match indicator {
        Indicator::None => None,
        Indicator::Slash => (kind == b'd').then_some(b'/'),
        Indicator::FileType | Indicator::Classify => match kind {
            b'd' => Some(b'/'),
            b'l' => Some(b'@'),
            b'p' => Some(b'|'),
            b's' => Some(b'='),
            b'f' if indicator == Indicator::Classify && meta.mode & 0o111 != 0 => Some(b'*'),
            _ => None,
        },
    }
}

fn colour(meta: &Stat) -> Option<&'static [u8]> {
    match meta.kind() {
        b'd' => Some(b"01;34"),
        b'l' => Some(b"01;36"),
        b'p' => Some(b"40;33"),
        b's' => Some(b"01;35"),
        b'c' | b'b' => Some(b"40;33;01"),
        _ if meta.mode & 0o111 != 0 => Some(b"01;32"),
        _ => None,
    }
}

fn link_target(entry: &Entry, settings: &Settings, out: &mut Out) {
    if entry.meta.is_none_or(|meta| meta.kind() != b'l') {
        return;
    }
    let Ok(target) = std::fs::read_link(path(&entry.place)) else {
        return;
    };
    out.put(b" -> ");
    let target = hardshell_cli::into_bytes(target.into_os_string());
    out.put(&quote::name(&target, settings.quoting));
    if let Ok(meta) = stat(&entry.place)
        && let Some(mark) = mark(&meta, settings.indicator)
    {
        out.put(&[mark]);
    }
}

/// Names of users and groups, each looked up once.
struct Names {
    numeric: bool,
    users: Vec<(u32, String)>,
    groups: Vec<(u32, String)>,
}

impl Names {
    fn new(numeric: bool) -> Self {
        Self {
            numeric,
            users: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn user(&mut self, id: u32) -> String {
        known(&mut self.users, id, self.numeric, user_name)
    }

    fn group(&mut self, id: u32) -> String {
        known(&mut self.groups, id, self.numeric, group_name)
    }
}

fn known(
    names: &mut Vec<(u32, String)>,
    id: u32,
    numeric: bool,
    look: fn(u32) -> String,
) -> String {
    if numeric {
        return id.to_string();
    }
    if let Some((_, name)) = names.iter().find(|(known, _)| *known == id) {
        return name.clone();
    }
    let name = look(id);
    names.push((id, name.clone()));
    name
}
