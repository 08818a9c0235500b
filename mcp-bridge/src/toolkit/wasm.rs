//! As much of the WebAssembly binary format as a tool's author needs: the list of imports,
//! and custom sections read and written. Nothing is compiled.

/// Why bytes are no module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WasmError {
    /// They do not begin as a module or component does.
    #[error("not a WebAssembly file")]
    Magic,
    /// They end in the middle, or a length is wrong.
    #[error("the WebAssembly file is damaged")]
    Damaged,
    /// What was asked for exists in modules only.
    #[error("the file is a component, not a core module")]
    Component,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// One import of a module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The module that it is from.
    pub module: String,
    /// Its name there.
    pub name: String,
}

/// Bytes on their way through a parser.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], WasmError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WasmError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, WasmError> {
        self.take(1)?.first().copied().ok_or(WasmError::Damaged)
    }

    /// An unsigned number of up to 32 bits in LEB128.
    fn number(&mut self) -> Result<u32, WasmError> {
        let mut value = 0u32;
        for shift in [0u32, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f)
                .checked_shl(shift)
                .ok_or(WasmError::Damaged)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WasmError::Damaged)
    }

    fn length(&mut self) -> Result<usize, WasmError> {
        usize::try_from(self.number()?).map_err(|_| WasmError::Damaged)
    }

    fn name(&mut self) -> Result<String, WasmError> {
        let length = self.length()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}

/// One section: its number and its content.
struct Section<'a> {
    id: u8,
    content: &'a [u8],
}

/// Whether a file is a module or a component.
///
/// # Errors
/// When it is neither.
pub fn kind(bytes: &[u8]) -> Result<Kind, WasmError> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Ok(Kind::Module),
        Some([0, b'a', b's', b'm', _, 0, 1, 0]) => Ok(Kind::Component),
        _ => Err(WasmError::Magic),
    }
}

fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, WasmError> {
    kind(bytes)?;
    let mut reader = Reader(bytes.get(8..).unwrap_or_default());
    let mut sections = Vec::new();
    while !reader.0.is_empty() {
        let id = reader.byte()?;
        let length = reader.length()?;
        sections.push(Section {
            id,
            content: reader.take(length)?,
        });
    }
    Ok(sections)
}

/// The content of the first custom section of this name.
///
/// # Errors
/// When the bytes are no WebAssembly file.
pub fn custom_section(bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>, WasmError> {
    for section in sections(bytes)?.iter().filter(|section| section.id == 0) {
        let mut reader = Reader(section.content);
        if reader.name()? == name {
            return Ok(Some(reader.0.to_vec()));
        }
    }
    Ok(None)
}

/// The file with one custom section of this name, in place of any that it had.
///
/// # Errors
/// When the bytes are no WebAssembly file.
pub fn with_custom_section(bytes: &[u8], name: &str, content: &[u8]) -> Result<Vec<u8>, WasmError> {
    let mut out = bytes.get(..8).ok_or(WasmError::Magic)?.to_vec();
    for section in sections(bytes)? {
        if section.id == 0 && Reader(section.content).name()? == name {
            continue;
        }
        push_section(&mut out, section.id, section.content);
    }
    let mut body = Vec::new();
    push_number(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    push_section(&mut out, 0, &body);
    Ok(out)
}

fn push_section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    push_number(out, content.len());
    out.extend_from_slice(content);
}

fn push_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// The imports of a core module, sorted.
///
/// # Errors
/// When the bytes are no core module.
pub fn imports(bytes: &[u8]) -> Result<Vec<Import>, WasmError> {
    if kind(bytes)? == Kind::Component {
        return Err(WasmError::Component);
    }
    let mut imports = Vec::new();
    for section in sections(bytes)?.iter().filter(|section| section.id == 2) {
        let mut reader = Reader(section.content);
        for _ in 0..reader.number()? {
            let module = reader.name()?;
            let name = reader.name()?;
            skip_type(&mut reader)?;
            imports.push(Import { module, name });
        }
    }
    imports.sort();
    imports.dedup();
    Ok(imports)
}

/// Passes over the type of an import.
fn skip_type(reader: &mut Reader<'_>) -> Result<(), WasmError> {
    let limits = |reader: &mut Reader<'_>| -> Result<(), WasmError> {
        let flags = reader.byte()?;
        for _ in 0..=(flags & 1) {
            // 64-bit memories have longer numbers; any LEB128 ends at the first low byte.
            while reader.byte()? & 0x80 != 0 {}
        }
        Ok(())
    };
    match reader.byte()? {
        0 => reader.number().map(|_| ()),
        1 => {
            reader.byte()?;
            limits(reader)
        }
        2 => limits(reader),
        3 => reader.take(2).map(|_| ()),
        4 => {
            reader.byte()?;
            reader.number().map(|_| ())
        }
        _ => Err(WasmError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(module (import "env" "f" (func)) (import "m" "mem" (memory 1)))`
    const MODULE: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x12\x02\x03env\x01f\0\0\x01m\x03mem\x02\0\x01";

    #[test]
    fn imports_are_listed() {
        let names: Vec<String> = imports(MODULE)
            .unwrap_or_default()
            .into_iter()
            .map(|import| format!("{}.{}", import.module, import.name))
            .collect();
        assert_eq!(names, ["env.f", "m.mem"]);
        assert_eq!(imports(b"\0asm\x0d\0\x01\0"), Err(WasmError::Component));
    }

    #[test]
    fn sections_are_put_in_and_found() {
        let once = with_custom_section(MODULE, "hardshell.tool", b"first").unwrap_or_default();
        let long = vec![b'x'; 300];
        let twice = with_custom_section(&once, "hardshell.tool", &long).unwrap_or_default();
        assert_eq!(
            custom_section(&once, "hardshell.tool"),
            Ok(Some(b"first".to_vec()))
        );
        assert_eq!(custom_section(&twice, "hardshell.tool"), Ok(Some(long)));
        assert_eq!(custom_section(&twice, "other"), Ok(None));
        assert_eq!(imports(&twice), imports(MODULE));
    }

    #[test]
    fn damaged_files_are_refused() {
        assert_eq!(kind(b"MZ"), Err(WasmError::Magic));
        for end in 9..MODULE.len() {
            let part = MODULE.get(..end).unwrap_or_default();
            let _ = (
                imports(part),
                custom_section(part, "x"),
                with_custom_section(part, "x", b""),
            );
        }
        let huge = b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\x0f";
        assert_eq!(custom_section(huge, "x"), Err(WasmError::Damaged));
    }
}
