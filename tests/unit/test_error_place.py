"""Where in a refused message the trouble stands: always in the bytes, never an exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import RejectionCode
from service.core.error_place import error_place
from tests.support.core import FLAT, RUN, TOPIC, refused


def marked(content: object) -> str | None:
    """Refuse a message as the service does; return the text of the bytes it is about."""
    found = refused(content, TOPIC)
    place = error_place(found.payload, found.code, found.reason)
    return None if place is None else found.payload[place.start : place.end].decode("latin-1")


def dumped(**changes: object) -> bytes:
    return json.dumps(FLAT | changes).encode()


STEP = {"test_step": "r2", "measured_value": {"µ": 1}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (dumped().replace(b"SN-1001", b"SN\xb51001"), "\xb5"),
        (dumped(operator="µµ").replace(b'"timestamp"', b',"timestamp"'), ","),
        (b'{\n "a": 1,\n nope}', "n"),
        (b'{"barcode": "SN-1', ""),
        (b"", ""),
        (dumped(machine_id="MACH-02"), '"MACH-02"'),
        (dumped(timestamp="noon"), '"noon"'),
        (dumped(barcode=""), '""'),
        (json.dumps(RUN | {"panel": 7}).encode(), "7"),
        (
            json.dumps(RUN | {"measurements": [*RUN["measurements"], STEP]}).encode(),
            '{"\\u00b5": 1}',
        ),
        ({key: value for key, value in FLAT.items() if key != "barcode"}, "{"),
        (b"[]", "["),
        (b" 7", "7"),
    ],
)
def test_the_bytes_that_the_reason_names_are_found(content: object, said: str | None) -> None:
    assert marked(content) == said


def test_what_is_too_large_has_no_place() -> None:
    assert error_place(dumped(), RejectionCode.TOO_LARGE, "1,048,577 bytes are more than") is None


@given(
    st.binary() | st.text().map(str.encode) | st.sampled_from([b"[" * 90_000, b'{"a"', b'{"a":']),
    st.sampled_from(RejectionCode),
    st.sampled_from(["a is missing", "byte 3 (0xff) is not UTF-8", "a.b[7].c: wrong", ""]),
)
def test_whatever_the_bytes_it_never_raises(
    payload: bytes, code: RejectionCode, reason: str
) -> None:
    place = error_place(payload, code, reason)
    assert place is None or 0 <= place.start <= place.end
