"""Afferent's SDK for decoders in Python: readers that refuse what they do not know, exact decimals, small builders.

A value that is shown to a clinician never passes through a binary float here: decimals are a whole mantissa and an exponent, made of
integers or of the text that was sent, and whatever the contract cannot hold is refused. There is no clock, no network, no files and
no randomness inside. The contract's own types (`Reading`, `Manifest` …) are in `wit_world.imports.types`; every field can be set there.
"""

from collections.abc import Callable, Sequence
from json import loads
from re import ASCII, compile as pattern
from typing import NamedTuple

from wit_world.imports.types import (
    Component, Decimal, Decoded, DecodeError, DeviceFact, DeviceTime_Local, DeviceTime_None_, ErrorKind, Example, Frame, Input,
    Manifest, Model, NameValue, Nothing, OnChange, Outcome, Outcome_Error, Outcome_Nothing, Outcome_Readings, Quantity, Reading, Value,
    Value_Absent, Value_Quantity, Value_Text,
)

INTEGERS = range(-(2**63), 2**63)
"""What a mantissa may be."""

NUMBER = pattern(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?", ASCII)


class Refusal(Exception):
    """What a payload is refused with; raise it, and `decoder` turns it into the contract's error."""

    def __init__(self, message: str, offset: int | None = None, path: str | None = None, kind: ErrorKind = ErrorKind.MALFORMED):
        super().__init__(message)
        self.error = DecodeError(kind=kind, message=message, offset=offset, path=path, extra=[])


def decimal(mantissa: int, exponent: int = 0) -> Decimal:
    """`mantissa × 10^exponent`: decimal(7025, -2) is 70.25; trailing zeros are precision. A float is refused."""
    if type(mantissa) is not int or type(exponent) is not int:
        raise TypeError("a decimal is made of whole numbers, or of text with parse_decimal: a float has lost digits")
    if mantissa not in INTEGERS or not -64 <= exponent <= 64:
        raise Refusal("a number of more digits than the contract holds")
    return Decimal(mantissa, exponent)


def parse_decimal(text: str) -> Decimal:
    """A decimal as text writes it, with every digit: "36.60", "-0.5", "1.2e-6"."""
    found = NUMBER.fullmatch(text)
    if not found:
        raise Refusal("not a decimal number")
    sign, whole, fraction, power = found.groups()
    digits = whole + (fraction or "")
    if len(digits) > 40:
        raise Refusal("a number of more digits than the contract holds")
    return decimal(int(sign + digits), int(power or "0") - len(fraction or ""))


def quantity(value: Decimal, unit: str, comparator: str | None = None) -> Value:
    """A number in a unit of UCUM."""
    return Value_Quantity(Quantity(value=value, unit=unit, comparator=comparator, extra=[]))


def absent(reason: str) -> Value:
    """No number, and why: a code of FHIR's data-absent-reason."""
    return Value_Absent(reason)


def text(words: str) -> Value:
    """Words: the firmware's version."""
    return Value_Text(words)


def byte_xor(data: bytes) -> int:
    """All bytes combined with exclusive-or. (Their sum is Python's own `sum(data) % 256`.)"""
    combined = 0
    for byte in data:
        combined ^= byte
    return combined


def crc(data: bytes, *, bits: int, polynomial: int, start: int = 0, end: int = 0, lowest_first: bool = False) -> int:
    """A cyclic redundancy check, by the parameters under which catalogues list it: the polynomial, what it starts with, what the end is
    combined with, and whether the lowest bit of every byte comes first ("reflected").
    `crc(data, bits=16, polynomial=0x8005, start=0xFFFF, lowest_first=True)` is Modbus's."""

    def mirrored(value: int, width: int) -> int:
        return int(f"{value:0{width}b}"[::-1], 2)

    rest = start
    for byte in data:
        rest ^= (mirrored(byte, 8) if lowest_first else byte) << bits - 8
        for _ in range(8):
            rest = rest << 1 ^ polynomial if rest >> bits - 1 & 1 else rest << 1
        rest &= (1 << bits) - 1
    return (mirrored(rest, bits) if lowest_first else rest) ^ end


class Flags(NamedTuple):
    """A flag byte that was read."""

    bits: int

    def has(self, bit: int) -> bool:
        """Is this bit set? The lowest is 0."""
        return self.bits >> bit & 1 == 1


class Clock(NamedTuple):
    """What a device's clock said: the text of a time that exists, and its state."""

    text: str | None
    state: str


class Reader:
    """Reads a payload from its first byte to its last; every refusal names the offset. End with `finish`."""

    SPECIAL = {-1: "positive-infinity", 0: "not-a-number", 1: "error", 2: "error", 3: "negative-infinity"}
    """The special values of SFLOAT and FLOAT, by their distance from the largest mantissa (with the exponent 0): +INFINITY, NaN, NRes (not
    at this resolution), reserved, -INFINITY."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        at = self.position
        if at + count > len(self.data):
            raise Refusal(f"truncated: {count} bytes are needed at offset {at}, and the payload has {len(self.data)}", offset=at)
        self.position += count
        return self.data[at : at + count]

    def u8(self) -> int: return self.bytes(1)[0]
    def i8(self) -> int: return int.from_bytes(self.bytes(1), "little", signed=True)
    def u16_le(self) -> int: return int.from_bytes(self.bytes(2), "little")
    def u16_be(self) -> int: return int.from_bytes(self.bytes(2), "big")
    def i16_le(self) -> int: return int.from_bytes(self.bytes(2), "little", signed=True)
    def i16_be(self) -> int: return int.from_bytes(self.bytes(2), "big", signed=True)
    def u24_le(self) -> int: return int.from_bytes(self.bytes(3), "little")
    def u24_be(self) -> int: return int.from_bytes(self.bytes(3), "big")
    def u32_le(self) -> int: return int.from_bytes(self.bytes(4), "little")
    def u32_be(self) -> int: return int.from_bytes(self.bytes(4), "big")
    def i32_le(self) -> int: return int.from_bytes(self.bytes(4), "little", signed=True)
    def i32_be(self) -> int: return int.from_bytes(self.bytes(4), "big", signed=True)

    def flags(self, known: int) -> Flags:
        """A flag byte of which only these bits may be set: another one could shift every field behind it."""
        return self._only_known(self.position, self.u8(), known)

    def flags_u16_le(self, known: int) -> Flags:
        """The same of two bytes, the lower one first."""
        return self._only_known(self.position, self.u16_le(), known)

    def _only_known(self, at: int, bits: int, known: int) -> Flags:
        unknown = bits & ~known
        if unknown:
            bit = (unknown & -unknown).bit_length() - 1
            raise Refusal(f"flag bit {bit} is not one of this format", offset=at)
        return Flags(bits)

    def sfloat(self, unit: str) -> Value:
        """IEEE 11073 SFLOAT in a unit; special values are absent, never a number."""
        raw = self.u16_le()
        if reason := self.SPECIAL.get(raw - 0x07FF):
            return absent(reason)
        mantissa, exponent = raw & 0x0FFF, raw >> 12
        return quantity(decimal(mantissa - (mantissa >> 11 << 12), exponent - (exponent >> 3 << 4)), unit)

    def float(self, unit: str) -> Value:
        """IEEE 11073 FLOAT, 4 bytes, likewise."""
        at = self.position
        raw = self.u32_le()
        if reason := self.SPECIAL.get(raw - 0x007F_FFFF):
            return absent(reason)
        mantissa, exponent = raw & 0x00FF_FFFF, raw >> 24
        exponent -= exponent >> 7 << 8
        if not -64 <= exponent <= 64:
            raise Refusal("the exponent of this FLOAT is outside -64 to 64", offset=at)
        return quantity(decimal(mantissa - (mantissa >> 23 << 24), exponent), unit)

    def date_time(self) -> Clock:
        """Bluetooth Date Time 0x2A08, 7 bytes: a time that exists, or the state of the clock that said none."""
        year = self.u16_le()
        month, day, hour, minute, second = self.bytes(5)
        known = year != 0 and month != 0 and day != 0
        if (year and not 1582 <= year <= 9999) or month > 12 or hour > 23 or minute > 59 or second > 59:
            return Clock(None, "fault")
        # A year of 0 is unknown, and may have been a leap year.
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        if day > (31, 31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]:
            return Clock(None, "fault")
        if not known:
            return Clock(None, "not-set")
        return Clock(f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", "unknown")

    def finish(self) -> None:
        """Refuses what is left over."""
        left = len(self.data) - self.position
        if left:
            raise Refusal(f"{left} bytes are left over after the last field", offset=self.position)


class Digits(str):
    """A number of a JSON document as it was written, for `parse_decimal`."""


def parse_json(data: bytes) -> object:
    """JSON whose numbers keep their digits: they come as `Digits`, never as a float. A member that is there twice is refused: which of the
    two is true, nobody knows."""
    _check_depth(data)
    try:
        source = data.decode()
        document = loads(source, parse_float=Digits, parse_int=Digits, parse_constant=_no_number, object_pairs_hook=_members)
        if "\\u" in source:
            _check_texts(document)
    except ValueError as wrong:
        at = getattr(wrong, "pos", getattr(wrong, "start", None))
        raise Refusal("the payload is not JSON in UTF-8", offset=at) from None
    return document


def value_at(document: object, *path: str | int) -> object:
    """What lies in a document at names and places, such as `"readings", 0, "w"`; refused with the path where nothing lies."""
    value, said = document, "$"
    for step in path:
        said += f".{step}" if isinstance(step, str) else f"[{step}]"
        found = isinstance(value, dict) and step in value if isinstance(step, str) else isinstance(value, list) and step < len(value)
        if not found:
            raise Refusal("a value is missing", path=said)
        value = value[step]
    return value


def _typed(document: object, path: tuple[str | int, ...], wanted: type, called: str) -> object:
    value = value_at(document, *path)
    if type(value) is not wanted:
        said = "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)
        raise Refusal(f"{called} is expected", path=said)
    return value


def text_at(document: object, *path: str | int) -> str:
    """The text that lies there."""
    return _typed(document, path, str, "a text")


def list_at(document: object, *path: str | int) -> list:
    """The list that lies there; without a path, the document itself."""
    return _typed(document, path, list, "a list")


def decimal_at(document: object, *path: str | int) -> Decimal:
    """The number that lies there, with every digit."""
    return parse_decimal(_typed(document, path, Digits, "a number"))


OTHERS_THAN_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
DEEPEST = 32


def _check_depth(data: bytes) -> None:
    """The interpreter's own parser would end the decode, without a refusal. Brackets within texts count as well."""
    brackets = data.translate(None, OTHERS_THAN_BRACKETS)
    depth = 0
    for bracket in brackets if len(brackets) > DEEPEST else b"":
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise Refusal("the payload is not JSON: it is too deep")


def _no_number(word: str) -> object:
    raise Refusal(f"the payload is not JSON: {word} is no number")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Refusal("the payload is not JSON: a member is there twice")
    return members


def _check_texts(value: object) -> None:
    """Half of a surrogate pair can be written in JSON, and is no text: it raises a ValueError."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for name, member in value.items():
            name.encode()
            _check_texts(member)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def reading(kind: str, value: Value, **more: object) -> Reading:
    """A reading; `more` sets any other field: time, record_key, flags, body_site, method, user_slot, context, components …"""
    made = Reading(
        kind=kind, codings=[], value=value, components=[], time=DeviceTime_None_(), time_end=DeviceTime_None_(),
        clock_state="unknown", body_site=None, method=None, context=[], flags=[], user_slot=None, device_identity=[],
        record_key=None, on_change=OnChange.DISTINCT, extra=[],
    )
    for name, field in more.items():
        if not hasattr(made, name):
            raise TypeError(f"a reading has no field {name}")
        setattr(made, name, field)
    return made


def at_wall_clock(made: Reading, clock: Clock, user_slot: str | None = None) -> Reading:
    """What a wall clock gives to a reading: its time, the state of the clock, and the key of the record."""
    made.clock_state = clock.state
    if clock.text:
        made.time = DeviceTime_Local(clock.text)
        made.record_key = f"{clock.text}#{user_slot}" if user_slot else clock.text
    return made


def component(kind: str, value: Value) -> Component:
    """A part of a reading."""
    return Component(kind=kind, codings=[], value=value, extra=[])


def fact(kind: str, value: Value) -> DeviceFact:
    """Something about the device itself."""
    return DeviceFact(kind=kind, value=value, extra=[])


def decoded(readings: list[Reading], facts: Sequence[DeviceFact] = ()) -> Outcome:
    """What the payload says."""
    return Outcome_Readings(Decoded(readings=readings, facts=list(facts), warnings=[], extra=[]))


def nothing(reason: str, message: str, facts: Sequence[DeviceFact] = ()) -> Outcome:
    """Well formed, and nothing to store."""
    return Outcome_Nothing(Nothing(reason=reason, message=message, facts=list(facts), warnings=[], extra=[]))


def only_frame(given: Input) -> bytes:
    """The bytes of the only frame."""
    if len(given.frames) != 1:
        raise Refusal("a record of this device is one frame", kind=ErrorKind.UNSUPPORTED)
    return given.frames[0].data


def model(name: str, title: str, channels: Sequence[str] = (), variables: Sequence[str] = ()) -> Model:
    """A device model that the decoder serves."""
    return Model(name=name, title=title, channels=list(channels), variables=list(variables), extra=[])


def example(name: str, of: str, channel: str, payload: str, outcome: str, values: Sequence[str] = ()) -> Example:
    """An example of the manifest: the host runs it before it trusts the decoder."""
    frame = Frame(channel=channel, data=bytes.fromhex(payload), captured_at_ms=None, extra=[])
    given = Input(
        model=of, frames=[frame], content_type="application/octet-stream", received_at_ms=0, time_zone=None, variables=[], extra=[]
    )
    return Example(name=name, input=given, outcome=outcome, values=list(values), extra=[])


def manifest(name: str, vendor: str, version: str, *, description: str, models: list[Model], kinds: list[str],
             examples: list[Example], flags: Sequence[str] = (), warnings: Sequence[str] = (), license: str = "Apache-2.0") -> Manifest:
    """What a decoder says of itself."""
    return Manifest(
        name=name, vendor=vendor, version=version, license=license, description=description, models=models, kinds=kinds,
        flags=list(flags), warnings=list(warnings), examples=examples, extra=[],
    )


def failed(fault: Exception) -> DecodeError:
    """What is no Refusal is a fault of the decoder, and the host counts it as one; it is told what it was and where."""
    place, at = fault.__traceback__, ""
    while place is not None:
        file = place.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
        if file != "afferent.py":
            at = f"{file}:{place.tb_lineno}"
        place = place.tb_next
    told = [("exception", type(fault).__name__), ("exception-at", at), ("exception-message", str(fault)[:200])]
    extra = [NameValue(name=name, value=value) for name, value in told if value]
    return DecodeError(kind=ErrorKind.MALFORMED, message="the decoder failed", offset=None, path=None, extra=extra)


def decoder(said: Manifest, decode: Callable[[Input], Outcome]) -> type:
    """The contract's interface `Device`, of what your decoder says of itself and a function from an input to an outcome."""

    class Device:
        def describe(self) -> Manifest:
            return said

        def decode(self, input: Input) -> Outcome:
            try:
                return decode(input)
            except Refusal as refusal:
                return Outcome_Error(refusal.error)
            except Exception as fault:
                return Outcome_Error(failed(fault))

    return Device
