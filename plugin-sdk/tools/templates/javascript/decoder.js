// @NAME@: flags u8 | weight u16 LE, 0.01 kg or 0.01 lb | [date and time 7, if b1] | battery u8, %
// Flags: b0 the weight is in pounds, b1 there is a time. A weight of 0 means that nobody stands on the scale, and 0xFFFF that
// the scale could not weigh.
import { Reader, absent, atWallClock, decimal, decoded, decoder, example, fact, nothing, onlyFrame, quantity, reading } from "./afferent.js";

export const device = decoder(
  {
    name: "@NAME@",
    vendor: "Example",
    version: "1.0.0",
    description: "Body weight of the example scale.",
    models: [{ name: "@NAME@", title: "Example scale", channels: ["FFB2"] }],
    kinds: ["body-weight"],
    examples: [
      example("a weight", "@NAME@", "FFB2", "00 581B 55", "readings", ["body-weight 70.00 kg"]),
      example("nobody", "@NAME@", "FFB2", "00 0000 55", "nothing"),
      example("no result", "@NAME@", "FFB2", "00 FFFF 55", "readings", ["body-weight absent error"]),
      example("truncated", "@NAME@", "FFB2", "00 58", "error"),
    ],
  },
  (input) => {
    const reader = new Reader(onlyFrame(input));
    const flags = reader.flags(0b0000_0011); // refuses every other bit: it could shift what follows
    const weight = reader.u16le();
    const clock = flags.has(1) ? reader.dateTime() : undefined;
    const battery = fact("battery", quantity(decimal(reader.u8()), "%"));
    reader.finish(); // refuses trailing bytes

    if (weight === 0) return nothing("no-measurement", "nobody is on the scale", [battery]);
    const value = weight === 0xffff ? absent("error") : quantity(decimal(weight, -2), flags.has(0) ? "[lb_av]" : "kg");
    return decoded([reading("body-weight", value, clock ? atWallClock(clock) : {})], [battery]);
  },
);
