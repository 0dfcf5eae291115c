//! The text of a statement in, the names that stand in double quotes out: attributes that it asks for.

/// Attributes that one statement may name.
const MOST: usize = 64;

/// Names in double quotes, each once, letters' case aside, which SQL does not tell apart. What stands in comments or in text
/// is none.
pub(super) fn quoted(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((kind, after)) = opening(rest) {
        let (inner, tail) = match kind {
            Opening::Name => within(after, '"'),
            Opening::Text => within(after, '\''),
            Opening::Line => {
                after.split_once('\n').map_or((String::new(), ""), |(_, tail)| (String::new(), tail))
            }
            Opening::Block => {
                after.split_once("*/").map_or((String::new(), ""), |(_, tail)| (String::new(), tail))
            }
        };
        let known = names.iter().any(|known| known.eq_ignore_ascii_case(&inner));
        if kind == Opening::Name && !inner.is_empty() && !known && names.len() < MOST {
            names.push(inner);
        }
        rest = tail;
    }
    names
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    Name,
    Text,
    Line,
    Block,
}

/// The next thing that is not plain, and what follows its beginning. Nothing is looked at twice, however long the text is.
fn opening(text: &str) -> Option<(Opening, &str)> {
    let kinds = [("\"", Opening::Name), ("'", Opening::Text), ("--", Opening::Line), ("/*", Opening::Block)];
    text.char_indices().find_map(|(at, _)| {
        let here = text.get(at..)?;
        kinds.into_iter().find_map(|(sign, kind)| Some((kind, here.strip_prefix(sign)?)))
    })
}

/// Up to the closing quote, where two stand for one, and what follows.
fn within(text: &str, quote: char) -> (String, &str) {
    let mut inner = String::new();
    let mut rest = text;
    while let Some((part, after)) = rest.split_once(quote) {
        inner.push_str(part);
        match after.strip_prefix(quote) {
            Some(more) => {
                inner.push(quote);
                rest = more;
            }
            None => return (inner, after),
        }
    }
    (String::new(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_stands_in_double_quotes() {
        let cases: [(&str, &[&str]); 7] = [
            (r#"SELECT "http.route", "HTTP.Route" FROM spans"#, &["http.route"]),
            (r#"SELECT 'a "b"', "c""d""#, &["c\"d"]),
            ("SELECT 1 -- it's \"x\"\n, \"y\"", &["y"]),
            ("/* \"x ' */ \"y\"", &["y"]),
            ("SELECT \"open", &[]),
            ("SELECT 'it''s' || \"é\"", &["é"]),
            ("", &[]),
        ];
        for (text, names) in cases {
            assert_eq!(quoted(text), names, "{text}");
        }
    }
}
