//! The fleet: enrolment, activity, tokens, who wears what, hubs, and decoders.

mod assignments;
mod decoders;
mod devices;
mod hubs;
mod reassignments;
mod tokens;

use serde_json::Value;

/// A text of an answer.
#[track_caller]
fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

/// The items of a page.
#[track_caller]
fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"))
}
