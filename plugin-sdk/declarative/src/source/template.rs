//! Texts with fields in them: `{time}[#{user}]`. What stands in brackets is left out where a field in it is missing; a
//! missing field outside of brackets leaves the whole text out.

use super::block::Compiler;
use super::place::Place;
use crate::table::Piece;

impl Compiler<'_> {
    /// Compiles a text; the name of a field alone stands for it.
    pub(super) fn template(&mut self, text: &str, place: &Place) -> Vec<Piece> {
        if !text.contains('{') {
            return match self.find(text) {
                Some(field) => vec![Piece::Field(field.slot)],
                None => {
                    let message =
                        format!("`{text}` names no field; a text with fields looks like \"{{time}}[#{{user}}]\"");
                    self.wrong(place.clone(), message);
                    Vec::new()
                }
            };
        }
        let mut rest = text;
        let pieces = self.pieces(&mut rest, false, place);
        if !rest.is_empty() {
            self.wrong(place.clone(), format!("a bracket too many in `{text}`"));
        }
        pieces
    }

    fn pieces(&mut self, rest: &mut &str, inside: bool, place: &Place) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(first) = rest.chars().next() {
            let behind = rest.get(first.len_utf8()..).unwrap_or_default();
            match first {
                '{' => {
                    let Some((name, after)) = behind.split_once('}') else {
                        self.wrong(place.clone(), "a `}` is missing".to_owned());
                        *rest = "";
                        return pieces;
                    };
                    pieces.push(Piece::Field(self.field_of(name, place).slot));
                    *rest = after;
                }
                '[' if !inside => {
                    *rest = behind;
                    let inner = self.pieces(rest, true, place);
                    match rest.strip_prefix(']') {
                        Some(after) => *rest = after,
                        None => self.wrong(place.clone(), "a `]` is missing".to_owned()),
                    }
                    pieces.push(Piece::Optional(inner));
                }
                ']' | '[' => return pieces,
                _ => {
                    let end = rest.find(['{', '[', ']']).unwrap_or(rest.len());
                    let (text, after) = rest.split_at(end);
                    pieces.push(Piece::Text(text.to_owned()));
                    *rest = after;
                }
            }
        }
        pieces
    }
}
