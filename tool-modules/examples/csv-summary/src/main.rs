//! An example of a tool with data as its result: what is in a CSV file.

use std::collections::HashMap;
use std::fs::File;

use hardshell_sdk::{Json, Result, Schema, bail, tool};

/// Different values of a column that are counted; beyond, only their number grows.
const VALUES_MAX: usize = 10_000;

#[derive(serde::Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The CSV file.
    path: String,
    /// The character between fields; a comma unless given.
    delimiter: Option<char>,
    /// How many of the most frequent values to list for each column; 3 unless given.
    top: Option<usize>,
}

#[derive(serde::Serialize, Schema)]
struct Summary {
    rows: u64,
    columns: Vec<Column>,
}

#[derive(serde::Serialize, Schema)]
struct Column {
    name: String,
    kind: Kind,
    /// Cells without a value.
    empty: u64,
    /// Different values, counted up to 10,000.
    distinct: usize,
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    /// The most frequent values.
    top: Vec<Frequency>,
}

#[derive(serde::Serialize, Schema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Number,
    Text,
    Empty,
}

#[derive(serde::Serialize, Schema)]
struct Frequency {
    value: String,
    count: u64,
}

#[derive(Default)]
struct Tally {
    numbers: u64,
    texts: u64,
    empty: u64,
    sum: f64,
    min: f64,
    max: f64,
    values: HashMap<String, u64>,
}

impl Tally {
    fn add(&mut self, cell: &str) {
        let cell = cell.trim();
        if cell.is_empty() {
            self.empty += 1;
            return;
        }
        match cell.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                if self.numbers == 0 {
                    (self.min, self.max) = (number, number);
                }
                self.numbers += 1;
                self.sum += number;
                self.min = self.min.min(number);
                self.max = self.max.max(number);
            }
            _ => self.texts += 1,
        }
        if let Some(count) = self.values.get_mut(cell) {
            *count += 1;
        } else if self.values.len() < VALUES_MAX {
            self.values.insert(cell.to_owned(), 1);
        }
    }

    fn column(self, name: &str, top: usize) -> Column {
        let kind = match (self.numbers, self.texts) {
            (0, 0) => Kind::Empty,
            (_, 0) => Kind::Number,
            _ => Kind::Text,
        };
        let numeric = matches!(kind, Kind::Number);
        let distinct = self.values.len();
        let mut values: Vec<Frequency> = self
            .values
            .into_iter()
            .map(|(value, count)| Frequency { value, count })
            .collect();
        values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        values.truncate(top);
        Column {
            name: name.to_owned(),
            kind,
            empty: self.empty,
            distinct,
            min: numeric.then_some(self.min),
            max: numeric.then_some(self.max),
            mean: numeric.then(|| self.sum / self.numbers as f64),
            top: values,
        }
    }
}

/// Summarises a CSV file that has a header line: rows, and for each column its type, empty
/// cells, distinct values, minimum, maximum, mean and most frequent values.
#[tool(
    title = "Summarise a CSV file",
    workspace = "read-only",
    memory = "128MiB",
    timeout = "30s"
)]
fn csv_summary(input: Input) -> Result<Json<Summary>> {
    let Ok(delimiter) = u8::try_from(input.delimiter.unwrap_or(',')) else {
        bail!("the delimiter must be an ASCII character");
    };
    let file = File::open(&input.path)
        .map_err(|error| hardshell_sdk::Error::new(format!("{}: {error}", input.path)))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(file);
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut tallies: Vec<Tally> = names.iter().map(|_| Tally::default()).collect();
    let mut rows = 0;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        rows += 1;
        for (index, tally) in tallies.iter_mut().enumerate() {
            tally.add(record.get(index).unwrap_or_default());
        }
    }
    let top = input.top.unwrap_or(3);
    let columns = tallies
        .into_iter()
        .zip(&names)
        .map(|(tally, name)| tally.column(name, top))
        .collect();
    Ok(Json(Summary { rows, columns }))
}
