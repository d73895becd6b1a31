//! `Narrative.div`: the XHTML that R4 allows (txt-1, txt-2), because a browser will show it one day
//! (<https://hl7.org/fhir/R4/narrative.html#xhtml>). An allow-list, read by a small scanner.

/// Elements of XHTML 1.0 chapters 7 to 11 and 15, plus `a` and `img`.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// Attributes that do nothing by themselves. No `on…` handlers; `href` and `src` are looked at.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
    "xmlns",
];

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Checks a `div`; the error is a sentence without its subject.
///
/// # Errors
/// The first thing that is not allowed.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut rest = text.trim();
    let mut open: Vec<&str> = Vec::new();
    let mut has_content = false;
    let mut first = true;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else { return Err("must end with </div>".to_owned()) };
        let (before, markup) = rest.split_at(at);
        if open.is_empty() && !(first && before.is_empty()) {
            return Err("must be one <div> element with nothing around it".to_owned());
        }
        entities(before)?;
        has_content |= !before.trim().is_empty();
        let end = tag_end(markup).ok_or("has a tag that does not end")?;
        let (tag, after) = markup.split_at(end + 1);
        rest = after;
        if let Some(comment) = tag.strip_prefix("<!--") {
            // A '>' inside the comment ends the scan early, which only makes the check stricter.
            comment.strip_suffix("-->").ok_or("has a comment that contains '>'")?;
            continue;
        }
        has_content |= tag.starts_with("<img");
        step(tag, &mut open, first)?;
        first = false;
    }
    if first || !open.is_empty() {
        return Err("must be one <div> element, and every element must be closed".to_owned());
    }
    if has_content { Ok(()) } else { Err("must have some text or an image".to_owned()) }
}

/// The place of the `>` that ends the tag at the start of the text, quotes respected.
fn tag_end(markup: &str) -> Option<usize> {
    let mut quote = None;
    for (at, char) in markup.char_indices() {
        match (quote, char) {
            (None, '"' | '\'') if !markup.starts_with("<!--") => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None, '>') => return Some(at),
            _ => {}
        }
    }
    None
}

fn step<'a>(tag: &'a str, open: &mut Vec<&'a str>, first: bool) -> Result<(), String> {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    if let Some(name) = inner.strip_prefix('/') {
        return match open.pop() {
            Some(opened) if opened == name.trim_end() => Ok(()),
            _ => Err(format!("closes <{}>, which is not the element that is open", shown(name))),
        };
    }
    let (inner, empty) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
    let (name, attributes) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    if !ELEMENTS.contains(&name) {
        return Err(format!(
            "must not contain <{}>: only formatting, tables, lists, links and images are allowed",
            shown(name)
        ));
    }
    if first && name != "div" {
        return Err("must start with <div>".to_owned());
    }
    let namespace = check_attributes(attributes)?;
    if first && !namespace {
        return Err(format!("must start with <div xmlns=\"{XHTML}\">"));
    }
    if !empty {
        open.push(name);
    }
    Ok(())
}

/// Checks the attributes of a tag; true when it declares the XHTML namespace.
fn check_attributes(text: &str) -> Result<bool, String> {
    let mut rest = text.trim();
    let mut namespace = false;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("has an attribute without a value")?;
        let name = name.trim();
        let after = after.trim_start();
        let quote = after
            .chars()
            .next()
            .filter(|char| matches!(char, '"' | '\''))
            .ok_or("has an attribute value without quotes")?;
        let (value, after) = after
            .get(1..)
            .and_then(|value| value.split_once(quote))
            .ok_or("has an attribute value that does not end")?;
        if !ATTRIBUTES.contains(&name) {
            return Err(format!("must not contain the attribute {}", shown(name)));
        }
        if value.contains('<') {
            return Err("has '<' in an attribute value; write &lt;".to_owned());
        }
        entities(value)?;
        harmless(name, value)?;
        namespace |= name == "xmlns" && value == XHTML;
        rest = after.trim_start();
    }
    Ok(namespace)
}

/// Links that run code, and styles that load something, are refused.
fn harmless(name: &str, value: &str) -> Result<(), String> {
    let plain: String = value
        .chars()
        .filter(|char| !char.is_whitespace() && !char.is_control())
        .collect::<String>()
        .to_ascii_lowercase();
    if matches!(name, "href" | "src" | "longdesc" | "cite") {
        // An entity before the first '/', '?' or '#' can spell a scheme that is not seen here.
        let head = plain.split(['/', '?', '#']).next().unwrap_or_default();
        let scheme = head.split_once(':').map(|(scheme, _)| scheme);
        let image = name == "src" && plain.starts_with("data:image/");
        let known = matches!(scheme, None | Some("http" | "https" | "mailto" | "tel" | "urn"));
        if head.contains('&') || !(image || known) {
            return Err(format!(
                "must not have a {name} of that scheme; http, https, mailto, tel and #fragments are allowed"
            ));
        }
    }
    let unquoted = plain.replace("&quot;", "").replace("&apos;", "");
    let loads = ["url(", "expression(", "@import", "\\", "&"].iter().any(|part| unquoted.contains(part));
    if name == "style" && loads {
        return Err("must not load anything by a style".to_owned());
    }
    Ok(())
}

/// Only the five XML entities, numeric ones, and the HTML names that consist of letters.
fn entities(text: &str) -> Result<(), String> {
    for part in text.split('&').skip(1) {
        let name = part.split_once(';').map(|(name, _)| name).unwrap_or_default();
        let numeric = name
            .strip_prefix('#')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !(numeric || !name.is_empty() && name.len() <= 10 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err("has an '&' that starts no entity; write &amp;".to_owned());
        }
    }
    Ok(())
}

fn shown(name: &str) -> String {
    name.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::check;

    fn div(inner: &str) -> String {
        format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>")
    }

    #[test]
    fn ordinary_narrative_passes() {
        for inner in [
            "text",
            "<p class='a'>a &lt; b &#8211; c &nbsp;</p><br/>",
            "<table><tbody><tr><td colspan=\"2\">x</td></tr></tbody></table>",
            "<a href=\"#d1\">x</a>",
            "<a href=\"Patient/1\">x</a>",
            "<img src=\"#i\" alt=\"a > b\"/>",
            "<!-- note -->x",
        ] {
            assert_eq!(check(&div(inner)), Ok(()), "{inner}");
        }
    }

    #[test]
    fn what_runs_loads_or_breaks_is_refused() {
        for inner in [
            "<script>x</script>",
            "<p onclick=\"x()\">x</p>",
            "<a href=\"javascript:x\">x</a>",
            "<a href=\" java\nscript:x\">x</a>",
            "<a href=\"&#106;avascript:x\">x</a>",
            "<a href=\"javascript&colon;x\">x</a>",
            "<a href=\"java&#9;script:x\">x</a>",
            "<p style=\"background:&#117;rl(x)\">x</p>",
            "<p style=\"background:url(x)\">x</p>",
            "<iframe src=\"x\"/>",
            "<p>x",
            "<p>x</b>",
            "a & b",
            "",
            "  ",
            "<p class=a>x</p>",
            "<p",
            "<P>x</P>",
            "<!DOCTYPE x>x",
            "<![CDATA[x]]>",
        ] {
            assert!(check(&div(inner)).is_err(), "{inner}");
        }
        for text in [
            "text",
            "<p>x</p>",
            "<div>x</div>",
            "x<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div><div>y</div>",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
