//! From the tree to the intermediate form of `regex-syntax`, for patterns
//! without back-references.

use regex_syntax::hir::{
    self, Capture, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, Repetition,
};

use crate::ast::{Class, Look, Node, Set};
use crate::parse::RAW_BYTE;
use crate::{Error, Options};

/// Translates a tree.
pub fn translate(node: &Node, options: &Options) -> Result<Hir, Error> {
    Ok(match node {
        Node::Empty => Hir::empty(),
        Node::Char(c) => character(*c, options),
        Node::Any => any(options),
        Node::Set(set) => self::set(set, options)?,
        Node::Look(look) => Hir::look(self::look(*look, options)),
        Node::Group(index, inner) => {
            let sub = translate(inner, options)?;
            match index {
                Some(index) => Hir::capture(Capture {
                    index: u32::try_from(*index).map_err(|_| Error::TooBig)?,
                    name: None,
                    sub: Box::new(sub),
                }),
                None => sub,
            }
        }
        Node::Concat(all) => Hir::concat(
            all.iter()
                .map(|n| translate(n, options))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        Node::Alt(all) => Hir::alternation(
            all.iter()
                .map(|n| translate(n, options))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        Node::Repeat(inner, min, max) => Hir::repetition(Repetition {
            min: *min,
            max: *max,
            greedy: true,
            sub: Box::new(translate(inner, options)?),
        }),
        Node::Back(_) => return Err(Error::BadBackReference),
    })
}

fn character(c: u32, options: &Options) -> Hir {
    if c & RAW_BYTE != 0 || !options.utf8 {
        let byte = u8::try_from(c & 0xff).unwrap_or(0);
        if options.ignore_case && byte.is_ascii_alphabetic() {
            let mut class = ClassBytes::new([ClassBytesRange::new(byte, byte)]);
            class.case_fold_simple();
            return Hir::class(hir::Class::Bytes(class));
        }
        return Hir::literal([byte]);
    }
    let c = char::from_u32(c).unwrap_or('\u{fffd}');
    if options.ignore_case {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        class.case_fold_simple();
        return Hir::class(hir::Class::Unicode(class));
    }
    let mut buffer = [0u8; 4];
    Hir::literal(c.encode_utf8(&mut buffer).as_bytes())
}

fn any(options: &Options) -> Hir {
    let stop = (!options.dot_newline).then_some(options.terminator);
    if options.utf8 {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)]);
        if let Some(stop) = stop {
            let stop = char::from(stop);
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new(stop, stop)]));
        }
        return Hir::class(hir::Class::Unicode(class));
    }
    let mut class = ClassBytes::new([ClassBytesRange::new(0, 255)]);
    if let Some(stop) = stop {
        class.difference(&ClassBytes::new([ClassBytesRange::new(stop, stop)]));
    }
    Hir::class(hir::Class::Bytes(class))
}

fn set(set: &Set, options: &Options) -> Result<Hir, Error> {
    if options.utf8
        && set
            .ranges
            .iter()
            .all(|(low, high)| (low | high) & RAW_BYTE == 0)
    {
        let class = unicode_class(set, options)?;
        return Ok(Hir::class(hir::Class::Unicode(class)));
    }
    let mut class = ClassBytes::empty();
    for (low, high) in &set.ranges {
        let low = u8::try_from(low & 0xff).unwrap_or(0);
        let high = u8::try_from(high & 0xff).unwrap_or(255);
        class.push(ClassBytesRange::new(low, high));
    }
    for name in &set.classes {
        for (low, high) in name.ascii() {
            class.push(ClassBytesRange::new(
                u8::try_from(*low).unwrap_or(0),
                u8::try_from(*high).unwrap_or(0),
            ));
        }
    }
    if options.ignore_case {
        class.case_fold_simple();
    }
    if set.negated {
        class.negate();
    }
    if !options.dot_newline {
        class.difference(&ClassBytes::new([ClassBytesRange::new(
            options.terminator,
            options.terminator,
        )]));
    }
    Ok(Hir::class(hir::Class::Bytes(class)))
}

/// A set in UTF-8 mode.
pub fn unicode_class(set: &Set, options: &Options) -> Result<ClassUnicode, Error> {
    let mut class = ClassUnicode::empty();
    for (low, high) in &set.ranges {
        let low = char::from_u32(*low).ok_or(Error::BadRange)?;
        let high = char::from_u32(*high).ok_or(Error::BadRange)?;
        class.push(ClassUnicodeRange::new(low, high));
    }
    for name in &set.classes {
        let folded = options.ignore_case && matches!(name, Class::Upper | Class::Lower);
        let name = if folded { Class::Alpha } else { *name };
        for (low, high) in name.ascii() {
            let low = char::from_u32(*low).unwrap_or('\0');
            let high = char::from_u32(*high).unwrap_or('\0');
            class.push(ClassUnicodeRange::new(low, high));
        }
        if let Some(pattern) = name.beyond_ascii() {
            class.union(&named(pattern)?);
        }
    }
    if options.ignore_case {
        class.case_fold_simple();
    }
    if set.negated {
        class.negate();
    }
    if !options.dot_newline {
        let stop = char::from(options.terminator);
        class.difference(&ClassUnicode::new([ClassUnicodeRange::new(stop, stop)]));
    }
    Ok(class)
}

fn named(pattern: &str) -> Result<ClassUnicode, Error> {
    let hir = regex_syntax::Parser::new()
        .parse(pattern)
        .map_err(|_| Error::BadClass)?;
    match hir.into_kind() {
        hir::HirKind::Class(hir::Class::Unicode(class)) => Ok(class),
        _ => Err(Error::BadClass),
    }
}

fn look(look: Look, options: &Options) -> hir::Look {
    match look {
        Look::LineStart if options.multi_line => hir::Look::StartLF,
        Look::LineEnd if options.multi_line => hir::Look::EndLF,
        Look::LineStart | Look::TextStart => hir::Look::Start,
        Look::LineEnd | Look::TextEnd => hir::Look::End,
        Look::Word if options.utf8 => hir::Look::WordUnicode,
        Look::NotWord if options.utf8 => hir::Look::WordUnicodeNegate,
        Look::WordStart if options.utf8 => hir::Look::WordStartUnicode,
        Look::WordEnd if options.utf8 => hir::Look::WordEndUnicode,
        Look::Word => hir::Look::WordAscii,
        Look::NotWord => hir::Look::WordAsciiNegate,
        Look::WordStart => hir::Look::WordStartAscii,
        Look::WordEnd => hir::Look::WordEndAscii,
        Look::WordStartHalf if options.utf8 => hir::Look::WordStartHalfUnicode,
        Look::WordEndHalf if options.utf8 => hir::Look::WordEndHalfUnicode,
        Look::WordStartHalf => hir::Look::WordStartHalfAscii,
        Look::WordEndHalf => hir::Look::WordEndHalfAscii,
    }
}
