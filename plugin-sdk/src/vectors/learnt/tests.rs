//! A check sum does not hide what a decoder makes of other values behind it.

use crate::registry::kinds;
use crate::vectors::{Checksums, Subject};
use crate::{Decimal, DecodeError, Decoder, Input, Manifest, Outcome, Reader, Reading, Value};

/// `start 0xB5 | flow u16 LE, L/min | reserved u8 | sum of all before`; it panics for a flow of 488 to 491, and reads a payload of
/// three bytes as one without the reserved byte, whose flow has one byte.
struct Meter;

impl Decoder for Meter {
    fn describe() -> Manifest {
        Manifest::new("meter", "Acme", "1.0.0").model("meter", "Meter", &["app"]).kinds(&[kinds::PEAK_EXPIRATORY_FLOW])
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        let data = input.only_frame()?;
        let (sum, counted) = data.split_last().ok_or_else(|| DecodeError::malformed("empty"))?;
        if counted.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != *sum {
            return Err(DecodeError::malformed("checksum"));
        }
        let mut reader = Reader::new(counted);
        if reader.u8()? != 0xB5 {
            return Err(DecodeError::malformed("start"));
        }
        let flow = if counted.len() == 2 { reader.u8()?.into() } else { reader.u16_le()? };
        if counted.len() > 2 {
            reader.u8()?;
        }
        reader.finish()?;
        assert!(!(488..492).contains(&flow), "a mistake behind the check sum");
        Ok(Reading::new(kinds::PEAK_EXPIRATORY_FLOW, Value::decimal(Decimal::new(flow.into(), 0), "L/min")).into())
    }
}

/// A meter whose payload is accepted only as it is.
struct Sealed;

impl Decoder for Sealed {
    fn describe() -> Manifest {
        Meter::describe()
    }

    fn decode(input: &Input) -> Result<Outcome, DecodeError> {
        if input.only_frame()? == PAYLOAD { Meter::decode(input) } else { Err(DecodeError::malformed("seal")) }
    }
}

const PAYLOAD: [u8; 5] = [0xB5, 0x9C, 0x01, 0x00, 0x52];

fn input() -> Input {
    Input::new("meter", "app", PAYLOAD)
}

#[test]
fn a_mistake_behind_a_check_sum_is_found_only_with_the_check_sum_made_right() {
    let meter = Subject::device::<Meter>();
    // Another payload that is refused teaches nothing, and is tried with what was learnt.
    let refused = Input::new("meter", "app", [0xB5, 0x9C, 0x01, 0x00, 0x53]);
    let checksums = meter.checksums(&[refused.clone(), input()]);
    assert_eq!(checksums.described(), ["sum8 of bytes 0 to 3"]);
    let blind = meter.try_changes(&input(), &Checksums::default());
    assert!(blind.problems.is_empty() && blind.repaired.judged() == 0, "{:?}", blind.problems);
    assert!(blind.flips.0 * 100 > blind.flips.1 * 95 && blind.tally.plausible < 50, "{blind:?}");
    let changed = meter.try_changes(&input(), &checksums);
    assert_eq!(changed.tally, blind.tally, "what is tried as it is stays the same");
    assert!(changed.repaired.judged() > 1_000 && changed.repaired.plausible > 300, "{:?}", changed.repaired);
    let [problem] = changed.problems.as_slice() else { panic!("{:#?}", changed.problems) };
    assert!(problem.contains("with the checksum made right again: the decoder panicked"), "{problem}");
    // Cut to three bytes and with its own check sum, it is a payload of another meaning: no fault, and told.
    let [notice] = changed.notices.as_slice() else { panic!("{:#?}", changed.notices) };
    assert!(notice.starts_with("frame 0 cut to 3 bytes, with the checksum made right again: says what"), "{notice}");
    let of_refused = meter.try_changes(&refused, &checksums);
    assert!(!of_refused.is_accepted && of_refused.repaired.plausible > 300, "{of_refused:?}");
}

#[test]
fn behind_a_seal_nothing_is_found_and_that_can_be_told() {
    let sealed = Subject::device::<Sealed>();
    let checksums = sealed.checksums(&[input()]);
    assert_eq!(checksums, Checksums::default());
    let changed = sealed.try_changes(&input(), &checksums);
    assert_eq!((changed.flips, changed.is_accepted), ((40, 40), true));
}

#[test]
fn what_many_changes_show_is_told_once() {
    let meter = Subject::device::<Meter>();
    let changed = meter.try_changes(&input(), &meter.checksums(&[input()]));
    assert!(changed.problems.iter().any(|problem| problem.ends_with("more changes)")), "{:?}", changed.problems);
}
