//! All paths in a stream of tokens, with `use` lists split into single paths.
//!
//! This works on tokens, not on the syntax tree, so that it finds paths inside macros too.
//! `use crate::{a::B, c}` gives `crate::a::B` and `crate::c`; `$crate::d::e!()` `crate::d::e`.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The names between the `::`, with `*` for a glob.
    pub(super) segments: Vec<String>,
    /// The line of its first segment.
    pub(super) line: usize,
    /// The inline modules that contain it, from the outermost.
    pub(super) within: Vec<String>,
    /// Its role in a `use`; `None` for a path in code.
    pub(super) import: Option<Import>,
}

/// A path in a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The imported name: the last segment, the name after `as`, or `*`.
    pub(super) name: String,
    /// Whether the `use` has a visibility, and so exports the name.
    pub(super) exported: bool,
}

impl Path {
    /// Returns whether the path begins with these segments.
    pub(super) fn starts_with(&self, segments: &[&str]) -> bool {
        self.segments.len() >= segments.len()
            && self.segments.iter().zip(segments).all(|(mine, other)| mine == other)
    }
}

/// Returns all paths in their order, also single names.
pub(super) fn paths(tokens: &TokenStream) -> Vec<Path> {
    let mut found = Vec::new();
    walk(tokens.clone(), &Place::default(), &mut Vec::new(), &mut found);
    found
}

/// The context of a list of tokens.
#[derive(Default)]
struct Place {
    /// The path before the brace of a `use` list.
    prefix: Vec<String>,
    /// Whether the list is part of a `use`, and whether that has a visibility.
    exported: Option<bool>,
}

/// Collects the paths of one list of tokens.
fn walk(tokens: TokenStream, place: &Place, within: &mut Vec<String>, found: &mut Vec<Path>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut exported = place.exported;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(name) if name == "use" && is_item(&tokens[at..]) => {
                exported = Some(has_visibility(&tokens[..at - 1]));
            }
            TokenTree::Punct(end) if end.as_char() == ';' => exported = None,
            TokenTree::Ident(name) if name == "mod" => {
                if let Some((module, body)) = module_body(&tokens[at..]) {
                    within.push(module);
                    walk(body, &Place::default(), within, found);
                    within.pop();
                    at += 1;
                }
                at += 1;
            }
            TokenTree::Ident(name) if !starts_path(name) => {}
            // A name after a dot is a member.
            TokenTree::Ident(name) if !(at >= 2 && is(&tokens[at - 2], '.')) => {
                let line = name.span().start().line;
                let mut segments = place.prefix.clone();
                segments.push(name.to_string());
                match extend(&tokens, &mut at, &mut segments) {
                    Some(list) => walk(list, &Place { prefix: segments, exported }, within, found),
                    // A name before a colon is a declaration: a field, a parameter.
                    None if segments.len() == 1 && tokens.get(at).is_some_and(|it| is(it, ':')) => {
                    }
                    None => {
                        let import = exported.map(|exported| Import {
                            name: new_name(&tokens, &mut at, &segments),
                            exported,
                        });
                        found.push(Path { segments, line, within: within.clone(), import });
                    }
                }
            }
            TokenTree::Group(group) => {
                // `use {a::b, c};` is a list without a prefix.
                walk(group.stream(), &Place { exported, ..Place::default() }, within, found);
            }
            TokenTree::Punct(star) if star.as_char() == '*' && !place.prefix.is_empty() => {
                let line = star.span().start().line;
                let segments = [place.prefix.as_slice(), &["*".to_owned()]].concat();
                let import = exported.map(|exported| Import { name: "*".to_owned(), exported });
                found.push(Path { segments, line, within: within.clone(), import });
            }
            _ => {}
        }
    }
}

/// Returns whether a `use` begins an item. In `impl Trait + use<'a>` it does not.
fn is_item(behind: &[TokenTree]) -> bool {
    !behind.first().is_some_and(|token| is(token, '<'))
}

/// Returns whether the tokens end in a visibility such as `pub(crate)`.
fn has_visibility(before: &[TokenTree]) -> bool {
    let before = match before {
        [before @ .., TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
            before
        }
        before => before,
    };
    matches!(before.last(), Some(TokenTree::Ident(name)) if name == "pub")
}

/// Returns the name that a `use` gives to a path, and skips the name after `as`.
fn new_name(tokens: &[TokenTree], at: &mut usize, segments: &[String]) -> String {
    if let [TokenTree::Ident(keyword), name, ..] = &tokens[*at..]
        && keyword == "as"
    {
        *at += 2;
        return name.to_string();
    }
    let mut names = segments.iter().rev().filter(|name| *name != "self");
    names.next().cloned().unwrap_or_default()
}

/// Adds `:: name :: name ...` to `segments`. Returns the list at the end of the path, if any.
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

/// Returns whether a name can start a path: an identifier, or a keyword that names a place.
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
    fn lists_are_split_and_renames_left_out() {
        let text = "use crate::{a::{B as C, d::*}, e as f, *}; use {g::h, i::j};";
        let expected = ["crate::a::B", "crate::a::d::*", "crate::e", "crate::*", "g::h", "i::j"];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn imports_and_paths_in_code_are_distinguished() {
        let text = "use a::{b as c, d::*, e::{self, f as _}}; pub(crate) use g::h; pub use i;
                    fn j(k: l::m) -> impl n::O + use<'_> { k as p::q }";
        let paths = paths(&text.parse().unwrap()).into_iter();
        let told = |path: Path| {
            let import = path.import?;
            Some(format!("{} {} {}", path.segments.join("::"), import.name, import.exported))
        };
        let expected = [
            "a::b c false",
            "a::d::* * false",
            "a::e::self e false",
            "a::e::f _ false",
            "g::h h true",
            "i i true",
        ];
        assert_eq!(paths.filter_map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn declared_names_are_not_paths() {
        let paths =
            paths(&"struct A { b: C } fn d(e: F) { let g: H = I { j: k, l }; }".parse().unwrap());
        let names: Vec<_> = paths.into_iter().map(|path| path.segments.concat()).collect();
        assert_eq!(names, ["A", "C", "d", "F", "H", "I", "k", "l"].map(str::to_owned));
    }

    #[test]
    fn macros_bodies_and_turbofish_are_seen() {
        let text = "macro_rules! m { () => { $crate::a::b!(super::super::c) } }
                    fn f() { x.y(crate::d::<u8>()); <T as ::e::F>::g() } use ::h::i;";
        let expected = ["crate::a::b", "super::super::c", "crate::d", "e::F", "h::i"];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_path_has_its_line_and_its_inline_modules() {
        let paths = paths(&"mod a {\n mod b {\n use super::c;\n }\n}".parse().unwrap());
        let path = paths.iter().find(|path| path.starts_with(&["super", "c"])).unwrap();
        assert_eq!((path.line, path.within.join("::")), (3, "a::b".to_owned()));
    }
}
