//! `#[tool]`.

use crate::{documentation, json};
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta, Result, ReturnType, Token};

/// The manifest's members that settings give, in JSON.
#[derive(Default)]
struct Settings {
    name: Option<String>,
    title: Option<String>,
    capabilities: Vec<String>,
    limits: Vec<String>,
}

pub(crate) fn expand(settings: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)?;
    let settings = parse(settings)?;
    let ident = &function.sig.ident;
    let name = settings.name.unwrap_or_else(|| ident.to_string());
    let description = documentation(&function.attrs);
    if description.is_empty() {
        return Err(Error::new(
            ident.span(),
            "a tool needs a comment that says what it does: models choose it by that",
        ));
    }
    if function.sig.asyncness.is_some() {
        return Err(Error::new(ident.span(), "a tool is a plain function"));
    }
    let input = match function.sig.inputs.iter().collect::<Vec<_>>().as_slice() {
        [FnArg::Typed(argument)] => argument.ty.clone(),
        _ => {
            return Err(Error::new(
                function.sig.inputs.span(),
                "a tool takes one argument, a struct",
            ));
        }
    };
    let ReturnType::Type(_, output) = &function.sig.output else {
        return Err(Error::new(
            ident.span(),
            "a tool returns hardshell_sdk::Result of its output",
        ));
    };
    let mut head = format!(
        "{{\"name\":{},\"description\":{}",
        json(&name),
        json(&description)
    );
    if let Some(title) = &settings.title {
        head.push_str(&format!(",\"title\":{}", json(title)));
    }
    if !settings.capabilities.is_empty() {
        head.push_str(&format!(
            ",\"capabilities\":{{{}}}",
            settings.capabilities.join(",")
        ));
    }
    if !settings.limits.is_empty() {
        head.push_str(&format!(",\"limits\":{{{}}}", settings.limits.join(",")));
    }
    head.push_str(",\"input\":\"json-stdin\",\"input_schema\":{");
    Ok(quote! {
        #function

        #[doc(hidden)]
        mod __hardshell_tool {
            use super::*;
            use ::hardshell_sdk::{Piece, Returned, Schema};

            pub(super) const MANIFEST: &[Piece] = &[
                Piece::Text(#head),
                Piece::Sub(<#input as Schema>::SCHEMA),
                Piece::Text("}"),
                Piece::Sub(<#output as Returned>::MANIFEST),
                Piece::Text("}"),
            ];
            const LENGTH: usize = ::hardshell_sdk::length(MANIFEST);

            #[used]
            #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "hardshell.tool"))]
            static SECTION: [u8; LENGTH] = ::hardshell_sdk::render::<LENGTH>(MANIFEST);

            pub(super) fn manifest() -> &'static str {
                ::core::str::from_utf8(&SECTION).unwrap_or_default()
            }
        }

        fn main() -> ::std::process::ExitCode {
            ::hardshell_sdk::run(__hardshell_tool::manifest(), #ident)
        }
    })
}

fn parse(settings: TokenStream) -> Result<Settings> {
    let mut found = Settings::default();
    for meta in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(settings)? {
        let key = meta
            .path()
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        match (key.as_str(), &meta) {
            ("tmp", Meta::Path(_)) => found.capabilities.push("\"tmp\":true".into()),
            ("name", Meta::NameValue(pair)) => found.name = Some(text(&pair.value)?),
            ("title", Meta::NameValue(pair)) => found.title = Some(text(&pair.value)?),
            ("workspace", Meta::NameValue(pair)) => {
                let access = text(&pair.value)?;
                if !["none", "read-only", "read-write"].contains(&access.as_str()) {
                    return Err(Error::new(
                        pair.value.span(),
                        "none, read-only or read-write",
                    ));
                }
                found
                    .capabilities
                    .push(format!("\"workspace\":{}", json(&access)));
            }
            ("env" | "spawn" | "network", Meta::NameValue(pair)) => {
                found
                    .capabilities
                    .push(format!("\"{key}\":[{}]", list(&pair.value)?.join(",")));
            }
            ("memory" | "timeout", Meta::NameValue(pair)) => {
                found
                    .limits
                    .push(format!("\"{key}\":{}", json(&text(&pair.value)?)));
            }
            ("fuel", Meta::NameValue(pair)) => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Int(number),
                    ..
                }) => {
                    found
                        .limits
                        .push(format!("\"fuel\":{}", number.base10_digits()));
                }
                other => return Err(Error::new(other.span(), "a whole number")),
            },
            _ => {
                return Err(Error::new(
                    meta.span(),
                    "unknown setting; there are name, title, workspace, tmp, env, spawn, network, fuel, memory, timeout",
                ));
            }
        }
    }
    Ok(found)
}

fn text(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.value()),
        other => Err(Error::new(other.span(), "a text in quotes")),
    }
}

fn list(value: &Expr) -> Result<Vec<String>> {
    match value {
        Expr::Array(array) => array
            .elems
            .iter()
            .map(|element| text(element).map(|text| json(&text)))
            .collect(),
        other => Err(Error::new(other.span(), "a list such as [\"LANG\"]")),
    }
}
