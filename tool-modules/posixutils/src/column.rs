//! `column`: text in columns.

use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain_file, open_input};

const OPTIONS: &[Opt] = &[
    Opt::new('t', "table", Arg::No),
    Opt::new('s', "separator", Arg::Yes),
    Opt::new('o', "output-separator", Arg::Yes),
    Opt::new('N', "table-columns", Arg::Yes),
    Opt::new('R', "table-right", Arg::Yes),
    Opt::new('H', "table-hide", Arg::Yes),
    Opt::new('c', "output-width", Arg::Yes),
    Opt::new('x', "fillrows", Arg::No),
    Opt::new('n', "table-name", Arg::Yes),
    Opt::new('J', "json", Arg::No),
    Opt::new('L', "keep-empty-lines", Arg::No),
    Opt::new('e', "", Arg::No),
    Opt::new('h', "help", Arg::No),
    Opt::new('V', "version", Arg::No),
];

const HELP: &str = "\
Usage: column [options] [FILE]...
Columnate lists.

 -t, --table                      create a table
 -s, --separator STRING           possible table delimiters
 -o, --output-separator STRING    columns separator for table output (two spaces)
 -N, --table-columns NAMES        comma separated column names
 -R, --table-right COLUMNS        right align text in these columns
 -c, --output-width WIDTH         width of output in number of characters
 -x, --fillrows                   fill rows before columns
 -J, --json                       use JSON output format for table
 -n, --table-name NAME            table name for JSON output
 -L, --keep-empty-lines           don't ignore empty lines
";

fn width(text: &str) -> usize {
    text.chars().count()
}

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut parser = Parser::new("column", OPTIONS, args);
    let (mut table, mut fill_rows, mut keep_empty, mut json) = (false, false, false, false);
    let mut separator: Option<String> = None;
    let mut between = "  ".to_owned();
    let mut names: Vec<String> = Vec::new();
    let mut right: Vec<String> = Vec::new();
    let mut hidden: Vec<String> = Vec::new();
    let mut title = "table".to_owned();
    let mut total = std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(80usize);
    let mut files = Vec::new();
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let value = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
                let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
                match id {
                    't' => table = true,
                    's' => separator = Some(value.replace("\\t", "\t")),
                    'o' => between = value,
                    'N' => names = list(),
                    'R' => right = list(),
                    'H' => hidden = list(),
                    'c' => total = value.parse().unwrap_or(total),
                    'x' => fill_rows = true,
                    'n' => title = value,
                    'J' => (json, table) = (true, true),
                    'L' | 'e' => keep_empty = true,
                    'h' => {
                        print!("{HELP}");
                        return 0;
                    }
                    'V' => {
                        println!("column (hardshell) 0.1");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let mut text = String::new();
    let mut status = 0;
    for file in &files {
        match open_input(file).and_then(|mut i| i.read_all()) {
            Ok(data) => {
                text.push_str(&String::from_utf8_lossy(&data));
                if !text.ends_with('\n') && !text.is_empty() {
                    text.push('\n');
                }
            }
            Err(error) => {
                status = 1;
                complain_file("column", file, &error);
            }
        }
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|l| keep_empty || !l.trim().is_empty())
        .collect();
    let mut out = Out::stdout();
    if table {
        let mut rows: Vec<Vec<String>> = Vec::new();
        if !names.is_empty() && !json {
            rows.push(names.clone());
        }
        for line in lines {
            rows.push(match &separator {
                Some(set) => line.split(|c| set.contains(c)).map(str::to_owned).collect(),
                None => line.split_whitespace().map(str::to_owned).collect(),
            });
        }
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        if json {
            print_json(&mut out, &title, &names, &rows);
            return i32::from(out.finish().is_err()).max(status);
        }
        let is = |list: &[String], i: usize| {
            list.iter()
                .any(|r| names.get(i) == Some(r) || *r == (i + 1).to_string())
        };
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                rows.iter()
                    .filter_map(|r| r.get(i))
                    .map(|c| width(c))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &rows {
            let mut line = String::new();
            let last = row.len().saturating_sub(1);
            for (i, cell) in row.iter().enumerate() {
                if is(&hidden, i) {
                    continue;
                }
                let fill = " ".repeat(widths[i] - width(cell));
                if is(&right, i) {
                    line.push_str(&fill);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    // The last column of the table is not padded.
                    if i < last || i + 1 < columns {
                        line.push_str(&fill);
                    }
                }
                if i < last {
                    line.push_str(&between);
                } else if i + 1 < columns {
                    // Missing cells are blank.
                    for w in &widths[i + 1..columns] {
                        line.push_str(&between);
                        if w + 1 > 0 {
                            line.push_str(&" ".repeat(*w));
                        }
                    }
                }
            }
            let line = if row.len() < columns {
                line.trim_end().to_owned()
            } else {
                line
            };
            out.put(line.as_bytes());
            out.byte(b'\n');
        }
    } else {
        let items: Vec<&str> = lines;
        let longest = items.iter().map(|i| width(i)).max().unwrap_or(0);
        let cell = (longest / 8 + 1) * 8;
        let columns = (total / cell).max(1);
        if items.is_empty() {
            return status;
        }
        let rows = items.len().div_ceil(columns);
        for row in 0..rows {
            let mut line = String::new();
            let mut at = 0;
            for column in 0..columns {
                let index = if fill_rows {
                    row * columns + column
                } else {
                    column * rows + row
                };
                let Some(item) = items.get(index) else {
                    continue;
                };
                // Tabs lead to the next column.
                while at < column * cell {
                    line.push('\t');
                    at = (at / 8 + 1) * 8;
                }
                line.push_str(item);
                at += width(item);
            }
            out.put(line.as_bytes());
            out.byte(b'\n');
        }
    }
    i32::from(out.finish().is_err()).max(status)
}

fn print_json(out: &mut Out, title: &str, names: &[String], rows: &[Vec<String>]) {
    let quote = |text: &str| {
        let mut quoted = String::from('"');
        for c in text.chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                c if (c as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
                c => quoted.push(c),
            }
        }
        quoted + "\""
    };
    out.put(format!("{{\n   {}: [\n", quote(title)).as_bytes());
    for (i, row) in rows.iter().enumerate() {
        out.put(if i == 0 { b"      {\n" } else { b",{\n" });
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(j, cell)| {
                format!(
                    "         {}: {}",
                    quote(
                        &names
                            .get(j)
                            .cloned()
                            .unwrap_or_else(|| format!("column{}", j + 1))
                            .to_lowercase()
                    ),
                    quote(cell)
                )
            })
            .collect();
        out.put(cells.join(",\n").as_bytes());
        out.put(b"\n      }");
    }
    out.put(b"\n   ]\n}\n");
}
