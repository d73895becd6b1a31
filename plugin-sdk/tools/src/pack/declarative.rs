//! Tables: the interpreter is in this binary, and the table is put into its reserved memory. No toolchain, no network.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use declarative_decoder::source;
use declarative_decoder::table::Table;
use wasm_encoder::{ConstExpr, DataCountSection, DataSection, Module, RawSection};
use wasmparser::{DataKind, Operator, Parser, Payload};

use super::Made;
use crate::embedded::INTERPRETER;

/// The mark before the address of the reserved memory (`declarative/src/slot.rs`), and the memory's size.
const MARK: &[u8] = b"\x00\xA7table-is-at\xA7\x00\x01";
const CAPACITY: usize = 256 * 1024;

/// Builds it.
pub(super) fn pack(directory: &Path) -> Result<Made> {
    let path = directory.join("decoder.toml");
    let text = super::read(&path)?;
    let table = source::compile(&text).map_err(|problems| {
        let shown = path.display();
        let lines: Vec<String> = problems.iter().map(|problem| format!("{shown}: {problem}")).collect();
        anyhow!("{}", lines.join("\n"))
    })?;
    let manifest = table.manifest().map_err(|_damaged| anyhow!("the table has no manifest"))?;
    Ok(Made { name: manifest.name, component: component_of_table(&table)?, located: None })
}

/// The component of a table.
///
/// # Errors
/// The table is larger than its place.
pub fn component_of_table(table: &Table) -> Result<Vec<u8>> {
    let bytes = table.to_bytes().map_err(|error| anyhow!("the table cannot be written: {error}"))?;
    componentize::encode(&put_table(INTERPRETER, &bytes)?)
}

/// A copy of the interpreter's module with a table in its reserved memory: one more data segment.
///
/// # Errors
/// The module has no such place, or the table does not fit.
pub fn put_table(module: &[u8], table: &[u8]) -> Result<Vec<u8>> {
    ensure!(table.len() + 4 <= CAPACITY, "the table has {} bytes; {} fit", table.len(), CAPACITY - 4);
    let address = address(module)?;
    let length = u32::try_from(table.len())?;
    let placed: Vec<u8> = length.to_le_bytes().into_iter().chain(table.iter().copied()).collect();
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::DataCountSection { count, .. } => {
                out.section(&DataCountSection { count: count + 1 });
            }
            Payload::DataSection(segments) => {
                let mut data = DataSection::new();
                for segment in segments {
                    let segment = segment?;
                    match segment.kind {
                        DataKind::Passive => data.passive(segment.data.iter().copied()),
                        DataKind::Active { memory_index, .. } => {
                            let at = offset(&segment.kind).context("a segment at no fixed address")?;
                            data.active(
                                memory_index,
                                &ConstExpr::i32_const(at.cast_signed()),
                                segment.data.iter().copied(),
                            )
                        }
                    };
                }
                data.active(0, &ConstExpr::i32_const(address.cast_signed()), placed.iter().copied());
                out.section(&data);
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                    let data = module.get(range).context("a section beyond the module's end")?;
                    out.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(out.finish())
}

/// The address of the reserved memory.
fn address(module: &[u8]) -> Result<u32> {
    for payload in Parser::new(0).parse_all(module) {
        let Payload::DataSection(segments) = payload? else { continue };
        for segment in segments {
            let segment = segment?;
            let found = segment.data.windows(MARK.len()).position(|window| window == MARK);
            if let Some(at) = found {
                let behind = segment.data.get(at + MARK.len()..).and_then(|rest| rest.first_chunk::<4>());
                return behind.map(|bytes| u32::from_le_bytes(*bytes)).context("the mark is at the module's end");
            }
        }
    }
    bail!("the interpreter has no place for a table")
}

/// Where an active segment goes.
fn offset(kind: &DataKind<'_>) -> Option<u32> {
    let DataKind::Active { offset_expr, .. } = kind else { return None };
    match offset_expr.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => Some(value.cast_unsigned()),
        _ => None,
    }
}
