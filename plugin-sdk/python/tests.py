"""Tests of the SDK in a Python of the developer's machine: `python3 tests.py`. The contract's types, which componentize-py generates, are
stood in for by records that take whatever fields they are given."""

import sys
from types import ModuleType, SimpleNamespace
from unittest import TestCase, main


class Generated(ModuleType):
    """Every type is a record of its fields; `Value_Absent("x")` has the field `value`."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("ErrorKind", "OnChange"):
            return SimpleNamespace(MALFORMED="malformed", UNSUPPORTED="unsupported", DISTINCT="distinct")
        if name == "Decimal":
            return lambda mantissa, exponent: (mantissa, exponent)
        return lambda value=None, **fields: SimpleNamespace(is_=name, value=value, **fields) if not (fields and "value" in fields) else SimpleNamespace(is_=name, **fields)


for module in ("wit_world", "wit_world.imports", "wit_world.imports.types"):
    sys.modules[module] = Generated(module)

import afferent as sdk  # noqa: E402


class Bytes(TestCase):
    def refused(self, call, offset, *arguments):
        with self.assertRaises(sdk.Refusal) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.error.offset, offset)
        return str(caught.exception)

    def test_integers_have_their_order_and_sign(self):
        data = bytes([0x01, 0x02, 0x03, 0xFE])
        wanted = {"u8": 1, "i8": 1, "u16_le": 0x0201, "u16_be": 0x0102, "u24_le": 0x030201, "u24_be": 0x010203,
                  "u32_le": 0xFE030201, "u32_be": 0x010203FE, "i32_le": -33357311, "i32_be": 0x010203FE}
        for name, number in wanted.items():
            self.assertEqual(getattr(sdk.Reader(data), name)(), number, name)
        self.assertEqual(sdk.Reader(b"\xfe\xff").i16_le(), -2)
        self.assertEqual(sdk.Reader(b"\xfe\xff").i16_be(), -257)

    def test_every_refusal_names_its_offset(self):
        self.assertIn("flag bit 4", self.refused(sdk.Reader(b"\x10").flags, 0, 0x0F))
        self.assertIn("flag bit 9", self.refused(sdk.Reader(b"\x01\x02").flags_u16_le, 0, 0x00FF))
        reader = sdk.Reader(b"\x00\x01")
        reader.u8()
        self.assertIn("2 bytes are needed at offset 1", self.refused(reader.u16_le, 1))
        self.refused(reader.finish, 1)
        reader.u8()
        reader.finish()

    def test_special_floats_are_absent(self):
        for raw, reason in {0x07FF: "not-a-number", 0x07FE: "positive-infinity", 0x0802: "negative-infinity", 0x0800: "error", 0x0801: "error"}.items():
            value = sdk.Reader(raw.to_bytes(2, "little")).sfloat("kPa")
            self.assertEqual((value.is_, value.value), ("Value_Absent", reason))
        for raw, number in {0xF014: (20, -1), 0xFFFF: (-1, -1), 0x17FF: (2047, 1), 0x0803: (-2045, 0)}.items():
            self.assertEqual(sdk.Reader(raw.to_bytes(2, "little")).sfloat("kPa").value.value, number)
        for raw, reason in {0x7FFFFF: "not-a-number", 0x7FFFFE: "positive-infinity", 0x800002: "negative-infinity", 0x800000: "error", 0x800001: "error"}.items():
            value = sdk.Reader(raw.to_bytes(4, "little")).float("Cel")
            self.assertEqual((value.is_, value.value), ("Value_Absent", reason))
        for raw, number in {0xFF00016C: (364, -1), 0xFEFFFFFF: (-1, -2), 0x017FFFFF: (8388607, 1), 0x00800003: (-8388605, 0)}.items():
            self.assertEqual(sdk.Reader(raw.to_bytes(4, "little")).float("Cel").value.value, number)
        self.refused(sdk.Reader(b"\x01\x00\x00\x7f").float, 0, "Cel")

    def test_clocks(self):
        def said(*date):
            return sdk.Reader(date[0].to_bytes(2, "little") + bytes(date[1:])).date_time()

        self.assertEqual(said(2024, 2, 29, 8, 5, 0), ("2024-02-29T08:05:00", "unknown"))
        for date in [(2023, 2, 29, 0, 0, 0), (1900, 2, 29, 0, 0, 0), (2024, 13, 1, 0, 0, 0), (2024, 4, 31, 0, 0, 0), (1581, 1, 1, 0, 0, 0),
                     (2024, 1, 1, 24, 0, 0), (2024, 1, 1, 0, 60, 0), (2024, 1, 1, 0, 0, 60), (0, 4, 31, 0, 0, 0), (2024, 0, 32, 0, 0, 0)]:
            self.assertEqual(said(*date), (None, "fault"), date)
        for date in [(0, 2, 29, 0, 0, 0), (2024, 0, 31, 0, 0, 0), (2024, 1, 0, 0, 0, 0)]:
            self.assertEqual(said(*date), (None, "not-set"), date)


class Numbers(TestCase):
    def test_digits_are_kept(self):
        for text, number in {"36.60": (3660, -2), "-0.5": (-5, -1), "1.2e-6": (12, -7), "9223372036854775807": (2**63 - 1, 0)}.items():
            self.assertEqual(sdk.parse_decimal(text), number)
        for text in ["", ".5", "5.", "1e", "0x1", "NaN", "٣", "9223372036854775808", "1e65", "1" * 5000]:
            self.assertRaises(sdk.Refusal, sdk.parse_decimal, text)
        for number in [70.5, True, "70"]:
            self.assertRaises(TypeError, sdk.decimal, number)


class Checksums(TestCase):
    def test_the_catalogues_check_values(self):
        data = b"123456789"
        self.assertEqual(sdk.byte_xor(data), 0x31)
        for wanted, parameters in [
            (0xF4, {"bits": 8, "polynomial": 0x07}),
            (0xA1, {"bits": 8, "polynomial": 0x31, "lowest_first": True}),
            (0xDA, {"bits": 8, "polynomial": 0x9B, "start": 0xFF}),
            (0xA1, {"bits": 8, "polynomial": 0x07, "end": 0x55}),
            (0x31C3, {"bits": 16, "polynomial": 0x1021}),
            (0x29B1, {"bits": 16, "polynomial": 0x1021, "start": 0xFFFF}),
            (0x4B37, {"bits": 16, "polynomial": 0x8005, "start": 0xFFFF, "lowest_first": True}),
            (0x906E, {"bits": 16, "polynomial": 0x1021, "start": 0xFFFF, "end": 0xFFFF, "lowest_first": True}),
        ]:
            self.assertEqual(sdk.crc(data, **parameters), wanted, parameters)


class Json(TestCase):
    def test_numbers_come_as_they_were_written(self):
        document = sdk.parse_json(b'{"w": [70.250], "t": "x\\u00e9"}')
        self.assertEqual(sdk.decimal_at(document, "w", 0), (70250, -3))
        self.assertEqual(sdk.text_at(document, "t"), "x\u00e9")
        self.assertEqual(len(sdk.list_at(document, "w")), 1)

    def test_what_is_not_there_is_refused_with_its_path(self):
        document = sdk.parse_json(b'{"w": [70], "t": "x"}')
        for call, path, said in [(sdk.decimal_at, ("w", 1), "$.w[1]"), (sdk.decimal_at, ("t",), "$.t"), (sdk.text_at, ("w", 0), "$.w[0]"),
                                 (sdk.text_at, ("t", "x"), "$.t.x"), (sdk.list_at, (), "$")]:
            with self.assertRaises(sdk.Refusal) as caught:
                call(document, *path)
            self.assertEqual(caught.exception.error.path, said)

    def test_what_is_no_json_is_refused(self):
        for data in [b"", b"{", b'{"a": 1, "a": 2}', b"[NaN]", b"[Infinity]", b"\xff", b'["\\ud800"]', b'{"\\ud800": 1}', b"[" * 100_000,
                     b"[" * 33 + b"]" * 33, b"\xef\xbb\xbf[]"]:
            self.assertRaises(sdk.Refusal, sdk.parse_json, data)
        sdk.parse_json(b"[" * 32 + b"]" * 32)
        sdk.parse_json(b"[" + b"{}," * 100 + b"{}]")


main()
