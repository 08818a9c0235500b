//! Compiling and running filters on the jaq libraries.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use jaq_core::data::{DataT, HasLut};
use jaq_core::load::{Arena, File, Loader, parse};
use jaq_core::native::{Filter as NativeFilter, bome, run, v};
use jaq_core::{Compiler, Ctx, Error, Filter, Lut, RunPtr, Vars};
use jaq_json::Val;
use jaq_std::input::{HasInputs, Inputs};

/// What native functions can see: the inputs and where they come from.
pub struct Kind;

/// Shared by all runs of a filter.
#[derive(Clone)]
pub struct Data<'a> {
    lut: &'a Lut<Kind>,
    inputs: Inputs<'a, Val>,
    place: &'a Place,
}

/// Where input is being read.
#[derive(Default)]
pub struct Place {
    pub file: RefCell<Option<String>>,
    pub line: Cell<usize>,
}

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

impl<'a> HasLut<'a, Kind> for Data<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.lut
    }
}

impl<'a> HasInputs<'a, Val> for Data<'a> {
    fn inputs(&self) -> Inputs<'a, Val> {
        self.inputs
    }
}

/// Data that knows where input comes from.
pub trait HasPlace<'a> {
    fn place(&self) -> &'a Place;
}

impl<'a> HasPlace<'a> for Data<'a> {
    fn place(&self) -> &'a Place {
        self.place
    }
}

fn own<D: for<'a> DataT<V<'a> = Val>>() -> impl Iterator<Item = jaq_core::native::Fun<D>>
where
    for<'a> D::Data<'a>: HasPlace<'a>,
{
    own_functions().into_iter().map(run)
}

fn own_functions<D: for<'a> DataT<V<'a> = Val>>() -> Vec<NativeFilter<RunPtr<D>>>
where
    for<'a> D::Data<'a>: HasPlace<'a>,
{
    vec![
        ("input_filename", v(0), |cv| {
            let name = cv.0.data().place().file.borrow().clone();
            bome(Ok(name.map_or(Val::Null, Val::from)))
        }),
        ("input_line_number", v(0), |cv| {
            let line = cv.0.data().place().line.get();
            bome(Ok(Val::from(isize::try_from(line).unwrap_or(isize::MAX))))
        }),
        ("tojson", v(0), |cv| {
            let mut out = Vec::new();
            crate::output::Format::default().append(&cv.1, &mut out);
            bome(Ok(Val::utf8_str(out)))
        }),
        ("tostring", v(0), |cv| match cv.1 {
            Val::TStr(_) | Val::BStr(_) => bome(Ok(cv.1)),
            other => {
                let mut out = Vec::new();
                crate::output::Format::default().append(&other, &mut out);
                bome(Ok(Val::utf8_str(out)))
            }
        }),
        ("csv", v(0), |cv| bome(row(&cv.1, "csv"))),
        ("tsv", v(0), |cv| bome(row(&cv.1, "tsv"))),
        ("base32", v(0), |cv| {
            bome(text(&cv.1).map(|t| Val::utf8_str(base32(&t))))
        }),
        ("base32d", v(0), |cv| {
            bome(text(&cv.1).and_then(|t| unbase32(&t)))
        }),
    ]
}

fn text(value: &Val) -> Result<Vec<u8>, Error<Val>> {
    match value {
        Val::TStr(t) | Val::BStr(t) => Ok(t.to_vec()),
        other => {
            let mut out = Vec::new();
            crate::output::Format::default().append(other, &mut out);
            Ok(out)
        }
    }
}

/// One line of comma- or tab-separated values.
fn row(value: &Val, format: &str) -> Result<Val, Error<Val>> {
    let Val::Arr(items) = value else {
        let mut shown = Vec::new();
        crate::output::Format::default().append(value, &mut shown);
        let shown = String::from_utf8_lossy(&shown).into_owned();
        return Err(Error::str(format!(
            "{} cannot be {format}-formatted, only an array can be",
            crate::errors::shown(&shown)
        )));
    };
    let mut out = Vec::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(if format == "csv" { b',' } else { b'\t' });
        }
        match item {
            Val::Null => {}
            Val::TStr(text) | Val::BStr(text) if format == "csv" => {
                out.push(b'"');
                for byte in text.iter() {
                    if *byte == b'"' {
                        out.push(b'"');
                    }
                    out.push(*byte);
                }
                out.push(b'"');
            }
            Val::TStr(text) | Val::BStr(text) => {
                for byte in text.iter() {
                    match byte {
                        b'\t' => out.extend_from_slice(b"\\t"),
                        b'\n' => out.extend_from_slice(b"\\n"),
                        b'\r' => out.extend_from_slice(b"\\r"),
                        b'\\' => out.extend_from_slice(b"\\\\"),
                        other => out.push(*other),
                    }
                }
            }
            Val::Num(_) | Val::Bool(_) => crate::output::Format::default().append(item, &mut out),
            Val::Arr(_) | Val::Obj(_) => {
                let mut shown = Vec::new();
                crate::output::Format::default().append(item, &mut shown);
                let shown = String::from_utf8_lossy(&shown).into_owned();
                return Err(Error::str(format!(
                    "{} is not valid in a csv row",
                    crate::errors::shown(&shown)
                )));
            }
        }
    }
    Ok(Val::utf8_str(out))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in text.chunks(5) {
        let mut word = [0u8; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(word);
        let letters = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            if i < letters {
                out.push(BASE32[(bits >> (35 - 5 * i) & 31) as usize]);
            } else {
                out.push(b'=');
            }
        }
    }
    out
}

fn unbase32(text: &[u8]) -> Result<Val, Error<Val>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.iter().filter(|b| **b != b'=') {
        let Some(value) = BASE32.iter().position(|b| *b == byte.to_ascii_uppercase()) else {
            let shown = String::from_utf8_lossy(text);
            return Err(Error::str(format!(
                "string ({shown:?}) is not valid base32 data"
            )));
        };
        bits = (bits << 5) | value as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Ok(Val::utf8_str(String::from_utf8_lossy(&out).into_owned()))
}

/// A compiled program.
pub struct Program {
    filter: Filter<Kind>,
    pub place: Place,
    vars: Vec<Val>,
}

impl Program {
    /// Compiles a program with these global variables, or says what is wrong
    /// with it: the lines of the message without `jq: `.
    pub fn new(
        original: &str,
        vars: Vec<(String, Val)>,
        library: &[std::path::PathBuf],
    ) -> Result<Self, Vec<String>> {
        let rewritten = crate::rewrite::rewrite(original);
        let code = rewritten.as_str();
        let prelude = parse_prelude();
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .chain(prelude);
        let loader = Loader::new(defs).with_std_read(library);
        let arena = Arena::default();
        let file = File {
            code,
            path: std::path::PathBuf::new(),
        };
        let modules = loader
            .load(&arena, file)
            .map_err(|errors| crate::errors::load(code, errors))?;
        let own = own::<Kind>();
        let input = jaq_std::input::funs().into_vec().into_iter().map(run);
        let funs = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs())
            .chain(own)
            .chain(input);
        let names: Vec<String> = vars.iter().map(|(name, _)| format!("${name}")).collect();
        let filter = Compiler::default()
            .with_funs(funs)
            .with_global_vars(names.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| crate::errors::compile(code, errors))?;
        Ok(Self {
            filter,
            place: Place::default(),
            vars: vars.into_iter().map(|(_, value)| value).collect(),
        })
    }

    /// Runs it on one input; `each` gets the results and says whether to go on.
    pub fn run<'a>(
        &'a self,
        inputs: Inputs<'a, Val>,
        input: Val,
        mut each: impl FnMut(Result<Val, Failure>) -> bool,
    ) {
        let data = Data {
            lut: &self.filter.lut,
            inputs,
            place: &self.place,
        };
        let ctx = Ctx::<Kind>::new(data, Vars::new(self.vars.iter().cloned()));
        for result in self.filter.id.run((ctx, input)) {
            let result = match result {
                Ok(value) => Ok(value),
                Err(exception) => Err(match exception.get_halt() {
                    Ok(code) => Failure::Halt(code),
                    Err(exception) => match exception.get_err() {
                        Ok(error) => Failure::Error(error),
                        Err(_) => Failure::Break,
                    },
                }),
            };
            let ended = result.is_err();
            if !each(result) || ended {
                return;
            }
        }
    }
}

/// How a run can fail.
pub enum Failure {
    Error(Error<Val>),
    Halt(i32),
    Break,
}

fn parse_prelude() -> impl Iterator<Item = parse::Def<&'static str>> {
    let text = include_str!("prelude.jq");
    jaq_core::load::parse(text, |p| p.defs())
        .unwrap_or_default()
        .into_iter()
}

/// An object from pairs.
pub fn object(pairs: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::Obj(Rc::new(pairs.into_iter().collect()))
}

/// A string.
pub fn string(text: impl Into<Vec<u8>>) -> Val {
    Val::utf8_str(text.into())
}
