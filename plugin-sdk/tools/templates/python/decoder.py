"""@NAME@: flags u8 | weight u16 LE, 0.01 kg or 0.01 lb | [date and time 7, if b1] | battery u8, %

Flags: b0 the weight is in pounds, b1 there is a time. A weight of 0 means that nobody stands on the scale, and 0xFFFF that the
scale could not weigh.
"""

from afferent import (
    Reader, absent, at_wall_clock, decimal, decoded, decoder, example, fact, manifest, model, nothing, only_frame, quantity, reading,
)
from wit_world.imports.types import Input, Outcome

NAME = "@NAME@"

MANIFEST = manifest(
    NAME,
    "Example",
    "1.0.0",
    description="Body weight of the example scale.",
    models=[model(NAME, "Example scale", ["FFB2"])],
    kinds=["body-weight"],
    examples=[
        example("a weight", NAME, "FFB2", "00 581B 55", "readings", ["body-weight 70.00 kg"]),
        example("nobody", NAME, "FFB2", "00 0000 55", "nothing"),
        example("no result", NAME, "FFB2", "00 FFFF 55", "readings", ["body-weight absent error"]),
        example("truncated", NAME, "FFB2", "00 58", "error"),
    ],
)


def decode(input: Input) -> Outcome:
    reader = Reader(only_frame(input))
    flags = reader.flags(0b0000_0011)  # refuses every other bit: it could shift what follows
    weight = reader.u16_le()
    clock = reader.date_time() if flags.has(1) else None
    battery = fact("battery", quantity(decimal(reader.u8()), "%"))
    reader.finish()  # refuses trailing bytes

    if weight == 0:
        return nothing("no-measurement", "nobody is on the scale", [battery])
    value = absent("error") if weight == 0xFFFF else quantity(decimal(weight, -2), "[lb_av]" if flags.has(0) else "kg")
    measured = reading("body-weight", value)
    return decoded([at_wall_clock(measured, clock) if clock else measured], [battery])


Device = decoder(MANIFEST, decode)
