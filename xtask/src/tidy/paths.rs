//! Every path in a stream of tokens, with `use` lists taken apart.
//!
//! Tokens, not syntax, so that paths inside macros and their definitions are seen like all others.
//! `use crate::{a::B, c}` gives `crate::a::B` and `crate::c`; `$crate::d::e!()` `crate::d::e`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path as it stands in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// What stands between the `::`, with `*` for everything.
    pub(super) segments: Vec<String>,
    /// The line of its first segment.
    pub(super) line: usize,
    /// The modules of this file in which it stands, from the outermost.
    pub(super) within: Vec<String>,
}

impl Path {
    /// Whether the path begins with these segments.
    pub(super) fn starts_with(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len()
            && self.segments.iter().zip(segments).all(|(mine, other)| mine == other)
    }
}

/// All paths, single names included, in the order in which they stand.
pub(super) fn paths(tokens: &TokenStream) -> Vec<Path> {
    let mut found = Vec::new();
    walk(tokens.clone(), &[], &mut Vec::new(), &mut found);
    found
}

/// Walks one list of tokens. `prefix` is what stands before the brace of a `use` list.
fn walk(tokens: TokenStream, prefix: &[String], within: &mut Vec<String>, found: &mut Vec<Path>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(name) if name == "mod" => {
                if let Some((module, body)) = module_body(&tokens[at..]) {
                    within.push(module);
                    walk(body, &[], within, found);
                    within.pop();
                    at += 2;
                }
            }
            // What stands behind `as` is a new name, what stands behind a dot is a member.
            TokenTree::Ident(name) if name == "as" && !prefix.is_empty() => at += 1,
            TokenTree::Ident(name) if !starts_path(name) => {}
            TokenTree::Ident(name) if !(at >= 2 && is(&tokens[at - 2], '.')) => {
                let line = name.span().start().line;
                let mut segments = prefix.to_vec();
                segments.push(name.to_string());
                let list = extend(&tokens, &mut at, &mut segments);
                match list {
                    Some(list) => walk(list, &segments, within, found),
                    None => found.push(Path { segments, line, within: within.clone() }),
                }
            }
            TokenTree::Group(group) => walk(group.stream(), &[], within, found),
            TokenTree::Punct(star) if star.as_char() == '*' && !prefix.is_empty() => {
                let line = star.span().start().line;
                let segments = [prefix, &["*".to_owned()]].concat();
                found.push(Path { segments, line, within: within.clone() });
            }
            _ => {}
        }
    }
}

/// Takes `:: name :: name ...` into `segments`; gives the list where the path ends in one.
fn extend(tokens: &[TokenTree], at: &mut usize, segments: &mut Vec<String>) -> Option<TokenStream> {
    while tokens.len() > *at + 2 && is(&tokens[*at], ':') && is(&tokens[*at + 1], ':') {
        match &tokens[*at + 2] {
            TokenTree::Ident(name) => segments.push(name.to_string()),
            TokenTree::Punct(star) if star.as_char() == '*' => segments.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                *at += 3;
                return Some(group.stream());
            }
            _ => break,
        }
        *at += 3;
    }
    None
}

fn module_body(tokens: &[TokenTree]) -> Option<(String, TokenStream)> {
    match tokens {
        [TokenTree::Ident(name), TokenTree::Group(body), ..]
            if body.delimiter() == Delimiter::Brace =>
        {
            Some((name.to_string(), body.stream()))
        }
        _ => None,
    }
}

/// Keywords do not, but for the four that name a place: `use ::a` is the path `a`.
fn starts_path(name: &Ident) -> bool {
    let place = ["crate", "self", "super", "Self"].iter().any(|keyword| name == keyword);
    place || syn::parse2::<Ident>(TokenTree::from(name.clone()).into()).is_ok()
}

fn is(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == punct)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let paths = paths(&text.parse().unwrap()).into_iter();
        paths.map(|path| path.segments.join("::")).filter(|path| path.contains("::")).collect()
    }

    #[test]
    fn lists_are_taken_apart_and_renames_left_out() {
        let text = "use crate::{a::{B as C, d::*}, e as f, *}; use {g::h, i::j};";
        let expected = ["crate::a::B", "crate::a::d::*", "crate::e", "crate::*", "g::h", "i::j"];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn macros_bodies_and_turbofish_are_seen() {
        let text = "macro_rules! m { () => { $crate::a::b!(super::super::c) } }
                    fn f() { x.y(crate::d::<u8>()); <T as ::e::F>::g() } use ::h::i;";
        let expected = ["crate::a::b", "super::super::c", "crate::d", "e::F", "h::i"];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn the_line_and_the_modules_around_are_told() {
        let paths = paths(&"mod a {\n mod b {\n use super::c;\n }\n}".parse().unwrap());
        let path = paths.iter().find(|path| path.starts_with(&["super", "c"])).unwrap();
        assert_eq!((path.line, path.within.join("::")), (3, "a::b".to_owned()));
    }
}
