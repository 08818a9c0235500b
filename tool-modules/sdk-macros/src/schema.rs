//! `#[derive(Schema)]`.

use crate::{documentation, json};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, LitStr, Result};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let name = &input.ident;
    let serde = Serde::of(&input.attrs)?;
    let pieces = match &input.data {
        Data::Struct(data) => fields(&data.fields, &serde)?,
        Data::Enum(data) => {
            let mut names = Vec::new();
            for variant in &data.variants {
                if !matches!(variant.fields, Fields::Unit) {
                    return Err(Error::new(
                        variant.span(),
                        "Schema takes variants without fields only",
                    ));
                }
                let own = Serde::of(&variant.attrs)?;
                names
                    .push(json(&own.rename.unwrap_or_else(|| {
                        serde.cased(&variant.ident.to_string(), true)
                    })));
            }
            let text = format!("\"type\":\"string\",\"enum\":[{}]", names.join(","));
            quote!(::hardshell_sdk::Piece::Text(#text))
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span(),
                "Schema takes no unions",
            ));
        }
    };
    let (generics, types, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::hardshell_sdk::Schema for #name #types #bounds {
            const SCHEMA: &'static [::hardshell_sdk::Piece] = &[#pieces];
        }
    })
}

fn fields(fields: &Fields, outer: &Serde) -> Result<TokenStream> {
    let Fields::Named(named) = fields else {
        return Err(Error::new(
            fields.span(),
            "Schema takes structs with named fields only",
        ));
    };
    let mut pieces = vec![quote!(::hardshell_sdk::Piece::Text(
        "\"type\":\"object\",\"properties\":{"
    ))];
    let mut required = Vec::new();
    for (index, field) in named.named.iter().enumerate() {
        let ident = field
            .ident
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let serde = Serde::of(&field.attrs)?;
        let name = serde
            .rename
            .clone()
            .unwrap_or_else(|| outer.cased(ident.trim_start_matches("r#"), false));
        let ty = &field.ty;
        let comma = if index > 0 { "," } else { "" };
        let text = documentation(&field.attrs);
        let description = if text.is_empty() {
            String::new()
        } else {
            format!("\"description\":{},", json(&text))
        };
        let head = format!("{comma}{}:{{{description}", json(&name));
        pieces.push(quote!(::hardshell_sdk::Piece::Text(#head)));
        pieces.push(quote!(::hardshell_sdk::Piece::Sub(<#ty as ::hardshell_sdk::Schema>::SCHEMA)));
        pieces.push(quote!(::hardshell_sdk::Piece::Text("}")));
        let quoted = json(&name);
        let has_default = serde.default || outer.default;
        required
            .push(quote!((#quoted, !#has_default && !<#ty as ::hardshell_sdk::Schema>::OPTIONAL)));
    }
    pieces.push(quote!(::hardshell_sdk::Piece::Text("},\"required\":[")));
    pieces.push(quote!(::hardshell_sdk::Piece::Names(&[#(#required),*])));
    pieces.push(quote!(::hardshell_sdk::Piece::Text(
        "],\"additionalProperties\":false"
    )));
    Ok(quote!(#(#pieces),*))
}

/// What serde was told.
#[derive(Default)]
struct Serde {
    rename: Option<String>,
    rename_all: Option<String>,
    default: bool,
}

impl Serde {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Serde::default();
        for attribute in attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("serde"))
        {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    found.rename = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("rename_all") {
                    found.rename_all = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("default") {
                    found.default = true;
                    if meta.input.peek(syn::Token![=]) {
                        meta.value()?.parse::<LitStr>()?;
                    }
                } else if meta.path.is_ident("deny_unknown_fields") {
                } else {
                    return Err(meta.error("Schema does not know this serde attribute"));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// A name in the case that `rename_all` asks for. Variants are written in capitals
    /// within, fields with underscores.
    fn cased(&self, name: &str, variant: bool) -> String {
        let words: Vec<String> = if variant {
            let mut words: Vec<String> = Vec::new();
            for c in name.chars() {
                if c.is_uppercase() || words.is_empty() {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.extend(c.to_lowercase());
                }
            }
            words
        } else {
            name.split('_').map(str::to_owned).collect()
        };
        let capital = |word: &str| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|first| first.to_uppercase().chain(chars).collect::<String>())
                .unwrap_or_default()
        };
        match self.rename_all.as_deref() {
            Some("lowercase") => words.concat(),
            Some("UPPERCASE") => words.concat().to_uppercase(),
            Some("snake_case") => words.join("_"),
            Some("kebab-case") => words.join("-"),
            Some("SCREAMING_SNAKE_CASE") => words.join("_").to_uppercase(),
            Some("PascalCase") => words.iter().map(|word| capital(word)).collect(),
            Some("camelCase") => words
                .iter()
                .enumerate()
                .map(|(index, word)| {
                    if index == 0 {
                        word.clone()
                    } else {
                        capital(word)
                    }
                })
                .collect(),
            _ => name.to_owned(),
        }
    }
}
