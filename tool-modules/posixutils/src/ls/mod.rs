//! `ls`. Ours because the core utilities' own knows neither modes nor owners on WASI and would
//! print the same made-up ones for every file.

mod columns;
mod options;
mod order;
mod quote;
mod row;

use hardshell_cli::stat::{Stat, lstat, stat};
use hardshell_cli::{Out, complain, errno_text, join, path};
use options::{Dereference, Settings};

/// One name to be shown.
struct Entry {
    name: Vec<u8>,
    /// Where it is, for a link's target and for going into it.
    place: Vec<u8>,
    /// None where nothing asked for it, or where it could not be read.
    meta: Option<Stat>,
}

impl Entry {
    fn is_dir(&self) -> bool {
        self.meta.is_some_and(|meta| meta.is_dir())
    }

    /// A folder, or a link to one.
    fn leads_to_dir(&self) -> bool {
        self.meta.is_some_and(|meta| match meta.kind() {
            b'l' => stat(&self.place).is_ok_and(|meta| meta.is_dir()),
            _ => meta.is_dir(),
        })
    }
}

/// 0, 1 for a minor and 2 for a serious trouble, as GNU has it.
struct Lister {
    settings: Settings,
    out: Out,
    status: i32,
    /// Whether a listing has been printed, which the next one is set apart from.
    printed: bool,
}

pub fn run(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let (settings, mut files) = match options::parse(name, args) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if files.is_empty() {
        files.push(b".".to_vec());
    }
    let mut lister = Lister {
        settings,
        out: Out::stdout(),
        status: 0,
        printed: false,
    };
    lister.operands(files);
    match lister.out.finish() {
        Ok(()) => lister.status,
        Err(error) => {
            complain(name, format!("write error: {}", errno_text(&error)));
            2
        }
    }
}

impl Lister {
    fn operands(&mut self, files: Vec<Vec<u8>>) {
        let several = files.len() > 1 || self.settings.recursive;
        let (mut plain, mut folders) = (Vec::new(), Vec::new());
        for file in files {
            let meta = match self.operand_meta(&file) {
                Ok(meta) => meta,
                Err(error) => {
                    self.trouble(2, "cannot access", &file, &error);
                    continue;
                }
            };
            let entry = Entry {
                place: file.clone(),
                name: file,
                meta: Some(meta),
            };
            if meta.is_dir() && !self.settings.directory {
                folders.push(entry);
            } else {
                plain.push(entry);
            }
        }
        order::sort(&mut plain, &self.settings);
        order::sort(&mut folders, &self.settings);
        if !plain.is_empty() {
            self.print(&plain);
            self.printed = true;
        }
        for folder in folders {
            self.folder(&folder.place, several || self.printed, &mut Vec::new());
        }
    }

    fn operand_meta(&self, file: &[u8]) -> std::io::Result<Stat> {
        let follow = match self.settings.dereference {
            Dereference::Always | Dereference::Operands => true,
            Dereference::OperandFolders => match stat(file) {
                Ok(meta) if meta.is_dir() => return Ok(meta),
                _ => false,
            },
            Dereference::Never => false,
        };
        if follow {
            stat(file).or_else(|error| lstat(file).map_err(|_| error))
        } else {
            lstat(file)
        }
    }

    fn folder(&mut self, place: &[u8], headed: bool, above: &mut Vec<(u64, u64)>) {
        let names = match read_names(place) {
            Ok(names) => names,
            Err(error) => {
                let serious = if above.is_empty() { 2 } else { 1 };
                self.trouble(serious, "cannot open directory", place, &error);
                return;
            }
        };
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            if !self.settings.shows(&name) {
                continue;
            }
            let place = match place {
                b"." => name.clone(),
                _ => join(place, &name),
            };
            let meta = if self.settings.wants_meta() {
                self.entry_meta(&place)
            } else {
                None
            };
            entries.push(Entry { name, place, meta });
        }
        order::sort(&mut entries, &self.settings);
        if self.printed {
            self.out.byte(b'\n');
        }
        if headed {
            let name = quote::name(place, self.settings.quoting);
            self.out.put(&name);
            self.out.put(b":\n");
        }
        if self.settings.shows_total() {
            let blocks = entries
                .iter()
                .filter_map(|entry| entry.meta.map(|meta| meta.blocks))
                .sum::<u64>();
            let total = self.settings.blocks_text(blocks);
            self.out.put(format!("total {total}\n").as_bytes());
        }
        self.print(&entries);
        self.printed = true;
        if self.settings.recursive {
            for entry in entries {
                let inner = entry.name != b"." && entry.name != b"..";
                if inner && entry.is_dir() {
                    self.inner_folder(place, &entry, above);
                }
            }
        }
    }

    /// Goes into a folder, unless following links has led into one that we are in already.
    fn inner_folder(&mut self, within: &[u8], entry: &Entry, above: &mut Vec<(u64, u64)>) {
        let Some(meta) = entry.meta else { return };
        let id = (meta.dev, meta.ino);
        if above.contains(&id) {
            self.status = 2;
            let shown = String::from_utf8_lossy(&entry.place).into_owned();
            complain(
                "ls",
                format!("{shown}: not listing already-listed directory"),
            );
            return;
        }
        above.push(id);
        self.folder(&join(within, &entry.name), true, above);
        above.pop();
    }

    fn entry_meta(&mut self, place: &[u8]) -> Option<Stat> {
        let follow = self.settings.dereference == Dereference::Always;
        let meta = if follow { stat(place) } else { lstat(place) };
        match meta {
            Ok(meta) => Some(meta),
            Err(error) => {
                self.trouble(1, "cannot access", place, &error);
                None
            }
        }
    }

    fn print(&mut self, entries: &[Entry]) {
        if self.settings.long {
            row::print(entries, &self.settings, &mut self.out);
        } else {
            columns::print(entries, &self.settings, &mut self.out);
        }
    }

    fn trouble(&mut self, status: i32, what: &str, file: &[u8], error: &std::io::Error) {
        self.out.flush();
        self.status = self.status.max(status);
        let shown = String::from_utf8_lossy(file).into_owned();
        complain("ls", format!("{what} '{shown}': {}", errno_text(error)));
    }
}

/// The names in a folder, with `.` and `..` first.
fn read_names(place: &[u8]) -> std::io::Result<Vec<Vec<u8>>> {
    let mut names = vec![b".".to_vec(), b"..".to_vec()];
    for entry in std::fs::read_dir(path(place))? {
        names.push(hardshell_cli::into_bytes(entry?.file_name()));
    }
    Ok(names)
}
