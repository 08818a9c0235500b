//! The program in the form that runs: names are resolved to slots.

use std::cell::RefCell;
use std::rc::Rc;

use hardshell_posix_regex::Regex;

/// A shared string.
pub type Text = Rc<[u8]>;

/// A compiled regular expression, shared by all its uses.
pub type Pattern = Rc<RefCell<Regex>>;

/// Variables with a meaning of their own occupy the first global slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Special {
    Nf,
    Nr,
    Fnr,
    Fs,
    Ofs,
    Ors,
    Rs,
    Subsep,
    Convfmt,
    Ofmt,
    IgnoreCase,
    Fpat,
    FieldWidths,
}

/// The names of the special variables, in the order of their slots.
pub const SPECIALS: [(&str, Special); 13] = [
    ("NF", Special::Nf),
    ("NR", Special::Nr),
    ("FNR", Special::Fnr),
    ("FS", Special::Fs),
    ("OFS", Special::Ofs),
    ("ORS", Special::Ors),
    ("RS", Special::Rs),
    ("SUBSEP", Special::Subsep),
    ("CONVFMT", Special::Convfmt),
    ("OFMT", Special::Ofmt),
    ("IGNORECASE", Special::IgnoreCase),
    ("FPAT", Special::Fpat),
    ("FIELDWIDTHS", Special::FieldWidths),
];

/// Plain globals that the interpreter sets, in the slots after the specials.
pub const WELL_KNOWN: [&str; 10] = [
    "FILENAME", "RSTART", "RLENGTH", "ENVIRON", "ARGC", "ARGV", "RT", "ERRNO", "PROCINFO", "ARGIND",
];

/// Slot of a well-known global by its place in the list.
pub const fn well_known(index: usize) -> usize {
    SPECIALS.len() + index
}

pub const FILENAME: usize = well_known(0);
pub const RSTART: usize = well_known(1);
pub const RLENGTH: usize = well_known(2);
pub const ENVIRON: usize = well_known(3);
pub const ARGC: usize = well_known(4);
pub const ARGV: usize = well_known(5);
pub const RT: usize = well_known(6);
pub const ERRNO: usize = well_known(7);
pub const PROCINFO: usize = well_known(8);
pub const ARGIND: usize = well_known(9);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Var {
    Global(usize),
    Local(usize),
    Special(Special),
}

/// Where an array lives.
#[derive(Clone, Debug)]
pub enum Array {
    Global(usize),
    Local(usize),
    /// An element that is itself an array.
    Element(Box<Index>),
}

#[derive(Clone, Debug)]
pub struct Index {
    pub array: Array,
    pub subs: Vec<Expr>,
}

#[derive(Clone, Debug)]
pub enum LValue {
    Var(Var),
    Field(Expr),
    Index(Index),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmp {
    Lt,
    Le,
    Eq,
    Ne,
    Gt,
    Ge,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Num(f64),
    Str(Text),
    /// A literal regular expression: matches `$0` where a value is wanted.
    Regex(RegexLiteral),
    Var(Var),
    FieldConst(usize),
    Field(Box<Expr>),
    Index(Box<Index>),
    Assign(Box<LValue>, Box<Expr>),
    Augment(Op, Box<LValue>, Box<Expr>, u32),
    /// Increment or decrement: by how much, and whether the new value counts.
    Step(Box<LValue>, f64, bool),
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Plus(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>, u32),
    Compare(Cmp, Box<Expr>, Box<Expr>),
    /// Whether to negate, the text, the pattern.
    Match(bool, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    In(Vec<Expr>, Array),
    /// In parentheses; matters for the parser only.
    Group(Box<Expr>),
    Call(usize, Vec<Expr>),
    Builtin(Builtin, Vec<Expr>, u32),
    Getline(Box<Getline>),
}

/// The source of a literal, and its compiled form.
#[derive(Clone)]
pub struct RegexLiteral {
    pub source: Text,
    pub pattern: Pattern,
}

impl std::fmt::Debug for RegexLiteral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}/", String::from_utf8_lossy(&self.source))
    }
}

#[derive(Clone, Debug)]
pub struct Getline {
    pub from: Origin,
    pub into: Option<LValue>,
}

#[derive(Clone, Debug)]
pub enum Origin {
    Main,
    File(Expr),
    Command(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Builtin {
    Length,
    Substr,
    Index,
    Split,
    Sub,
    Gsub,
    Gensub,
    Match,
    Sprintf,
    ToLower,
    ToUpper,
    Sin,
    Cos,
    Atan2,
    Exp,
    Log,
    Sqrt,
    Int,
    Rand,
    Srand,
    System,
    Close,
    Fflush,
    Systime,
    Strftime,
    Mktime,
    And,
    Or,
    Xor,
    Lshift,
    Rshift,
    Compl,
    Strtonum,
    Asort,
    Asorti,
    Typeof,
    IsArray,
    Patsplit,
}

/// Builtins by name, and how many arguments they take.
pub const BUILTINS: &[(&str, Builtin, usize, usize)] = &[
    ("length", Builtin::Length, 0, 1),
    ("substr", Builtin::Substr, 2, 3),
    ("index", Builtin::Index, 2, 2),
    ("split", Builtin::Split, 2, 4),
    ("sub", Builtin::Sub, 2, 3),
    ("gsub", Builtin::Gsub, 2, 3),
    ("gensub", Builtin::Gensub, 3, 4),
    ("match", Builtin::Match, 2, 3),
    ("sprintf", Builtin::Sprintf, 1, usize::MAX),
    ("tolower", Builtin::ToLower, 1, 1),
    ("toupper", Builtin::ToUpper, 1, 1),
    ("sin", Builtin::Sin, 1, 1),
    ("cos", Builtin::Cos, 1, 1),
    ("atan2", Builtin::Atan2, 2, 2),
    ("exp", Builtin::Exp, 1, 1),
    ("log", Builtin::Log, 1, 1),
    ("sqrt", Builtin::Sqrt, 1, 1),
    ("int", Builtin::Int, 1, 1),
    ("rand", Builtin::Rand, 0, 0),
    ("srand", Builtin::Srand, 0, 1),
    ("system", Builtin::System, 1, 1),
    ("close", Builtin::Close, 1, 2),
    ("fflush", Builtin::Fflush, 0, 1),
    ("systime", Builtin::Systime, 0, 0),
    ("strftime", Builtin::Strftime, 0, 3),
    ("mktime", Builtin::Mktime, 1, 2),
    ("and", Builtin::And, 2, usize::MAX),
    ("or", Builtin::Or, 2, usize::MAX),
    ("xor", Builtin::Xor, 2, usize::MAX),
    ("lshift", Builtin::Lshift, 2, 2),
    ("rshift", Builtin::Rshift, 2, 2),
    ("compl", Builtin::Compl, 1, 1),
    ("strtonum", Builtin::Strtonum, 1, 1),
    ("asort", Builtin::Asort, 1, 3),
    ("asorti", Builtin::Asorti, 1, 3),
    ("typeof", Builtin::Typeof, 1, 1),
    ("isarray", Builtin::IsArray, 1, 1),
    ("patsplit", Builtin::Patsplit, 2, 4),
];

#[derive(Clone, Debug)]
pub enum Redirect {
    Stdout,
    File(Expr),
    Append(Expr),
    Pipe(Expr),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Redirect),
    Printf(Vec<Expr>, Redirect),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(
        Option<Box<Stmt>>,
        Option<Expr>,
        Option<Box<Stmt>>,
        Box<Stmt>,
    ),
    ForIn(LValue, Array, Box<Stmt>),
    Switch(Expr, Vec<(Option<Expr>, Vec<Stmt>)>),
    Block(Vec<Stmt>),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
    Delete(Array, Option<Vec<Expr>>),
}

#[derive(Debug)]
pub enum Test {
    Always,
    Expr(Expr),
    /// The index of its state.
    Range(Expr, Expr, usize),
}

#[derive(Debug)]
pub struct Rule {
    pub test: Test,
    /// None prints the record.
    pub body: Option<Vec<Stmt>>,
}

#[derive(Debug, Default)]
pub struct Function {
    pub name: String,
    pub params: usize,
    /// Which parameters are used as arrays.
    pub arrays: Vec<bool>,
    pub body: Vec<Stmt>,
}

#[derive(Debug, Default)]
pub struct Program {
    pub begin: Vec<Vec<Stmt>>,
    pub end: Vec<Vec<Stmt>>,
    pub begin_file: Vec<Vec<Stmt>>,
    pub end_file: Vec<Vec<Stmt>>,
    pub rules: Vec<Rule>,
    pub ranges: usize,
    pub functions: Vec<Function>,
    /// Names of the globals by slot.
    pub globals: Vec<String>,
    /// The last field that the program can ask for, if that is known.
    pub last_field: Option<usize>,
}
