//! Where a value stands: the JSON path, found only when a refusal needs it.

use super::{Content, Node};

/// Characters of a name that a path shows; names come from the payload and may be anything.
const SHOWN: usize = 40;

/// The path of the value that begins at this byte.
pub(super) fn of(root: &Node<'_>, at: u32) -> String {
    let mut path = String::from("$");
    let mut node = root;
    while node.at != at {
        // Values begin in the order of the document, so the way leads through the last one that does not begin later.
        node = match &node.content {
            Content::List(items) => {
                let Some((index, item)) = items.iter().enumerate().take_while(|(_, item)| item.at <= at).last() else {
                    break;
                };
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
                item
            }
            Content::Object(members) => {
                let Some((name, member)) = members.iter().take_while(|(_, member)| member.at <= at).last() else {
                    break;
                };
                push_name(&mut path, name);
                member
            }
            Content::Null | Content::Boolean(_) | Content::Number(_) | Content::Text(_) => break,
        };
    }
    path
}

fn push_name(path: &mut String, name: &str) {
    let shown: String = name.chars().take(SHOWN).filter(|letter| !letter.is_control()).collect();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !shown.is_empty() && shown.len() == name.len() && shown.chars().all(plain) {
        path.push('.');
        path.push_str(&shown);
    } else {
        path.push_str("['");
        path.push_str(&shown.replace('\'', "\\'"));
        path.push_str("']");
    }
}
