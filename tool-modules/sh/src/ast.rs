//! The syntax tree, words included: a script is parsed once and run from here.
//!
//! Everything is serialisable, because a subshell that needs a process of its own gets the
//! tree of what it is to run, not its text.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that never change.
pub type Bs = Box<[u8]>;

/// Commands one after the other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct List(pub Vec<Item>);

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// First pipeline.
    pub first: Pipeline,
    /// `&&` (true) or `||` (false), and what follows.
    pub rest: Vec<(bool, Pipeline)>,
    /// Ended by `&`.
    pub background: bool,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pipeline {
    /// An odd number of `!`.
    pub negate: bool,
    /// `time`; true with `-p`.
    pub timed: Option<bool>,
    /// The stages.
    pub cmds: Vec<Command>,
}

/// A command with its redirections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// What it is.
    pub kind: Kind,
    /// Redirections, in order.
    pub redirs: Vec<Redirect>,
    /// Line of its first word.
    pub line: u32,
}

/// The kinds of command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kind {
    /// Assignments and words.
    Simple(Simple),
    /// `( … )`
    Subshell(List),
    /// `{ …; }`
    Group(List),
    /// `for x in …`
    For(Box<For>),
    /// `for ((…))`
    ArithFor(Box<ArithFor>),
    /// `select x in …`
    Select(Box<For>),
    /// `case … esac`
    Case(Box<Case>),
    /// `if … fi`: conditions with their bodies, then the `else`.
    If(Vec<(List, List)>, Option<List>),
    /// `while` (or `until` if true).
    While(bool, Box<(List, List)>),
    /// `(( … ))`
    Arith(ArithText),
    /// `[[ … ]]`
    Cond(CondExpr),
    /// A function's definition.
    Func(Rc<FuncDef>),
    /// `coproc`
    Coproc(Option<Bs>, Box<Command>),
}

/// A simple command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Simple {
    /// `name=value` before the command's name.
    pub assigns: Vec<Assign>,
    /// Name and arguments.
    pub words: Vec<Word>,
}

/// `for` and `select`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct For {
    /// The variable.
    pub var: Bs,
    /// After `in`; `None` means the positional parameters.
    pub words: Option<Vec<Word>>,
    /// The body.
    pub body: List,
}

/// `for ((init; cond; step))`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArithFor {
    /// Before.
    pub init: Option<ArithText>,
    /// While not zero.
    pub cond: Option<ArithText>,
    /// After each round.
    pub step: Option<ArithText>,
    /// The body.
    pub body: List,
}

/// `case`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// What is matched.
    pub word: Word,
    /// The arms.
    pub arms: Vec<Arm>,
}

/// One arm of a `case`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arm {
    /// Patterns.
    pub pats: Vec<Word>,
    /// What to do.
    pub body: List,
    /// How it ends.
    pub end: ArmEnd,
}

/// `;;`, `;&`, `;;&`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArmEnd {
    /// `;;`
    Break,
    /// `;&`
    Fall,
    /// `;;&`
    Test,
}

/// A function.
#[derive(Debug, Serialize, Deserialize)]
pub struct FuncDef {
    /// Its name.
    pub name: Bs,
    /// Its body, with the redirections of the definition.
    pub body: Command,
    /// Line of the definition.
    pub line: u32,
    /// The file it was defined in.
    pub file: RefCell<Bs>,
}

/// `name=value`, `name[sub]+=value`, `name=(…)`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assign {
    /// The variable.
    pub name: Bs,
    /// Its subscript.
    pub sub: Option<Word>,
    /// `+=`
    pub append: bool,
    /// What it gets.
    pub value: AssignValue,
}

/// The right side of an assignment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AssignValue {
    /// A scalar.
    Word(Word),
    /// `( … )`
    Array(Vec<Elem>),
}

/// An element of a compound assignment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Elem {
    /// `[sub]=`
    pub sub: Option<Word>,
    /// `[sub]+=`
    pub append: bool,
    /// The value.
    pub value: Word,
}

/// A word.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Word {
    /// Its pieces.
    pub parts: Vec<Part>,
    /// Holds an unquoted `{` that may be a brace expansion.
    pub brace: bool,
    /// The same as an assignment, when it is an argument of a declaration command.
    pub assign: Option<Box<Assign>>,
}

/// A piece of a word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Part {
    /// Unquoted text: may hold pattern characters.
    Lit(Bs),
    /// Quoted text.
    Quoted(Bs),
    /// `"…"`
    DQuote(Vec<Part>),
    /// `$x`, `${…}`
    Param(Box<Param>),
    /// `$(…)`
    CmdSub(Rc<CmdSub>),
    /// `$((…))`
    Arith(Box<ArithText>),
    /// `<(…)` (false), `>(…)` (true)
    ProcSub(bool, Rc<List>),
    /// `~name` at a place where it counts.
    Tilde(Bs),
    /// A `${…}` that means nothing: an error when it is reached.
    Bad(Bs),
}

/// `$(…)` or a pair of backquotes.
#[derive(Debug, Serialize, Deserialize)]
pub struct CmdSub {
    /// What to run.
    pub list: List,
    /// Written with backquotes.
    pub backquote: bool,
    /// Its source, as `set -x` and `declare -f` show it.
    pub text: Bs,
    /// The syntax error found in it, if any; backquotes tell it only when they run.
    pub error: Option<Bs>,
}

/// A parameter's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Pname {
    /// A variable.
    Var(Bs),
    /// `$1`…
    Pos(u32),
    /// `@ * # ? - $ !`
    Special(u8),
}

/// A parameter expansion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Param {
    /// Which.
    pub name: Pname,
    /// `[…]`
    pub sub: Option<Sub>,
    /// `${!…}`
    pub indirect: bool,
    /// What is done to it.
    pub op: Op,
    /// The source between the braces, for error messages; empty without braces.
    pub text: Bs,
}

/// A subscript.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Sub {
    /// `[@]`
    At,
    /// `[*]`
    Star,
    /// `[…]`
    Idx(Word),
}

/// What `${…}` does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    /// Nothing.
    None,
    /// `${#x}`
    Length,
    /// `- = ? +`, with `:`.
    Default(u8, bool, Word),
    /// `#` and `%`: (suffix, longest, pattern).
    Strip(bool, bool, Word),
    /// `/`: (0 first, `/` all, `#` start, `%` end).
    Replace(u8, Word, Option<Word>),
    /// `:off:len`
    Slice(ArithText, Option<ArithText>),
    /// `^ , ~`, doubled?, pattern.
    Case(u8, bool, Option<Word>),
    /// `@Q`…
    Transform(u8),
    /// `${!x*}` and `${!x@}`
    Names(u8),
    /// `${!x[@]}` and `${!x[*]}`
    Keys(u8),
}

/// Arithmetic: the text as a word, and what it parses to if that can be known beforehand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArithText {
    /// The text.
    pub word: Word,
    /// Parsed; `Embed(n)` stands for the nth piece of the word.
    pub expr: Option<Box<Expr>>,
}

/// Arithmetic expressions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Expr {
    /// A number.
    Num(i64),
    /// A variable.
    Var(Bs),
    /// An element: array, subscript, the subscript parsed.
    Elem(Bs, Bs, Option<Box<Expr>>),
    /// `/` or `%` (true); where the divisor stands, for the error.
    Div(bool, Box<Expr>, Box<Expr>, u32),
    /// What the nth piece of the text expands to.
    Embed(u32),
    /// `- + ! ~`
    Unary(u8, Box<Expr>),
    /// Two operands.
    Binary(Bin, Box<Expr>, Box<Expr>),
    /// `&&` (true), `||`
    Logic(bool, Box<Expr>, Box<Expr>),
    /// `?:`
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `=`, `+=` …
    Assign(Option<Bin>, Box<Expr>, Box<Expr>),
    /// `++x` etc.: (prefix, delta).
    Step(bool, i64, Box<Expr>),
    /// `,`
    Comma(Box<Expr>, Box<Expr>),
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Bin {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Shl,
    Shr,
    And,
    Or,
    Xor,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

/// `[[ … ]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum CondExpr {
    /// `||`
    Or(Box<CondExpr>, Box<CondExpr>),
    /// `&&`
    And(Box<CondExpr>, Box<CondExpr>),
    /// `!`
    Not(Box<CondExpr>),
    /// `( … )`
    Paren(Box<CondExpr>),
    /// `-f x`
    Unary(u8, Word),
    /// `a == b`
    Binary(Bs, Word, Word),
    /// Just a word.
    Word(Word),
}

/// A redirection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Redirect {
    /// The descriptor: a number, or `{name}`.
    pub fd: Option<RedirFd>,
    /// What it does.
    pub op: RedirOp,
}

/// Left of a redirection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RedirFd {
    /// `3>`
    Num(u32),
    /// `{name}>`, `{name[sub]}>`
    Var(Bs, Option<Word>),
}

/// The redirections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RedirOp {
    /// `<`
    Read(Word),
    /// `>`
    Write(Word),
    /// `>|`
    Clobber(Word),
    /// `>>`
    Append(Word),
    /// `<>`
    ReadWrite(Word),
    /// `&>` (false), `&>>` (true)
    Both(bool, Word),
    /// `<&`
    DupIn(Word),
    /// `>&`
    DupOut(Word),
    /// `<<`
    Here(Rc<RefCell<Here>>),
    /// `<<<`
    HereStr(Word),
}

/// A here-document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Here {
    /// What ends it.
    pub delim: Bs,
    /// The end was quoted: no expansion.
    pub quoted: bool,
    /// `<<-`
    pub strip: bool,
    /// The body.
    pub body: Word,
    /// Its source.
    pub text: Bs,
}

impl Word {
    /// A word of one literal.
    pub fn lit(text: &[u8]) -> Word {
        Word {
            parts: vec![Part::Lit(text.into())],
            brace: false,
            assign: None,
        }
    }
    /// The text, if the word is one unquoted literal.
    pub fn as_lit(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [Part::Lit(t)] if !self.brace => Some(t),
            _ => None,
        }
    }
}
