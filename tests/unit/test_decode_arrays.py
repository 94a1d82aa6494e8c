"""Arrays decoded: each element by itself, whatever its neighbours are."""

import orjson
import pytest

from broker.messages import RejectionCode
from service.core.records import DecodedRun, Refused
from tests.support.core import (
    DEEP,
    FLAT,
    FLAT_BYTES,
    RUN,
    decode_all,
    refused,
    to_bytes,
    with_value,
)


def test_in_an_array_each_element_is_judged_alone() -> None:
    found = decode_all([FLAT, {"message_id": "m1"}, RUN, 7])
    assert [type(each) for each in found] == [DecodedRun, Refused, DecodedRun, Refused]
    assert [each.element for each in found] == [0, 1, 2, 3]
    assert found[1].message_id == "m1"
    assert found[1].reason.startswith("element 1: ")
    assert orjson.loads(found[1].payload) == {"message_id": "m1"}
    assert found[3].payload == b"7"


def test_an_array_may_hold_5000_elements_and_no_more() -> None:
    assert len(decode_all([FLAT] * 5_000)) == 5_000
    one = refused([FLAT] * 5_001)
    assert (one.code, one.element) == (RejectionCode.SCHEMA, None)
    assert "5,001" in one.reason


BAD_ELEMENTS = {
    "not JSON": b"{not json}",
    "NaN": with_value("NaN"),
    "1e999": with_value("1e999"),
    "5,000 digits": with_value("1" * 5_000),
    "depth 100k": DEEP,
    "double keys": FLAT_BYTES[:-1] + b', "barcode": "again"}',
    "lone surrogate": with_value('"\\udc00"'),
    "BOM": b"\xef\xbb\xbf" + FLAT_BYTES,
    "UTF-16": FLAT_BYTES.decode().encode("utf-16"),
    "not UTF-8": FLAT_BYTES.replace(b"SN-", b"\xff\xfe"),
    "U+0000": with_value('"a\\u0000"'),
    "brackets in a text": with_value('"]},{\\"["').replace(b"SN-1001", b""),
}


@pytest.mark.parametrize("bad", BAD_ELEMENTS.values(), ids=BAD_ELEMENTS.keys())
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_bad_element_does_not_stop_its_99_neighbours(bad: str, place: int) -> None:
    neighbours = [to_bytes({**FLAT, "barcode": f"SN-{number}"}) for number in range(99)]
    neighbours.insert(place, bad)
    found = decode_all(b"[" + b",\n".join(neighbours) + b"]")
    assert [each.element for each in found if isinstance(each, Refused)] == [place]
    assert found[place].payload == bad
    assert len([each for each in found if isinstance(each, DecodedRun)]) == 99


def test_an_array_cut_on_its_way_keeps_what_arrived_whole() -> None:
    found = decode_all(b"[" + FLAT_BYTES + b", " + FLAT_BYTES[:-20])
    assert isinstance(found[0], DecodedRun)
    assert found[1].payload == FLAT_BYTES[:-20]
