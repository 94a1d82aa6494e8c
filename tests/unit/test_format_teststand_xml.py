"""TestStand reports as XML: marks, comments, encodings, and what is cut, refused or too large."""

import pytest

from edge_agent.formats import Options, Parsed, Skipped, Unparsed, open_parser
from tests.support.logs.teststand import HEAD, PROLOG, call, group, prop, report, step
from tests.support.teststand_reports import ON, measured, one_run, parse, refusal


def test_a_report_is_complete_at_its_end_mark() -> None:
    parser = open_parser("teststand", Options(), "x")
    content = report(ON).encode()
    assert list(parser.feed(content[:-1])) == []
    (item,) = parser.feed(content[-1:])
    assert isinstance(item, Parsed)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_attributes_may_stand_in_either_quotes_and_any_order(quote: str) -> None:
    content = report(ON).replace("'", quote)
    turned = content.replace(
        "Type='UUT' UUTResult='Passed'".replace("'", quote),
        "\n\tUUTResult = 'Passed'\n\tTitle='a > b' Type='UUT' ".replace("'", quote),
    )
    assert one_run(turned).reported_outcome == "PASS"


def test_an_end_mark_in_a_comment_or_in_cdata_ends_nothing() -> None:
    hidden = "<!-- </Report> <Report Type='UUT'> --><![CDATA[</Report>]]><?x </Report>?>"
    assert len(one_run(report(ON, prop("Note", hidden), ON)).measurements) == 2


def test_a_report_in_a_comment_is_none() -> None:
    (item,) = parse(f"<!-- {report(ON)} -->\n")
    assert isinstance(item, Skipped)


def test_escapes_are_read() -> None:
    name = measured(step("A &lt;&amp;&gt; B &#181;", "Passed", prop("PassFail", "True"))).test_step
    assert name == "A <&> B \xb5"


@pytest.mark.parametrize(
    "damage",
    [
        report(ON)[:300],
        report(ON)[:-9],
        "<Report Type='UUT' UUTResult='Pas",
        report(ON)[:300] + "<![CDATA[",
        report(ON)[:300] + "<!-- ",
    ],
)
def test_half_a_report_is_unparsed_and_the_next_is_read(damage: str) -> None:
    half, whole = parse(damage + report(ON))
    assert isinstance(half, Unparsed)
    assert "</Report>" in half.reason
    assert half.byte_end == len(damage.encode())
    assert isinstance(whole, Parsed)


def test_a_comment_without_end_hides_nothing_beyond_the_bound() -> None:
    parser = open_parser("teststand", Options(max_unit_bytes=8192), "x")
    content = ("<!-- " + report(ON) * 20).encode()
    found = list(parser.feed(content))
    assert isinstance(found[0], Unparsed)
    assert found[0].byte_end == len("<!-- ")
    assert all(isinstance(item, Parsed) for item in found[1:])


@pytest.mark.parametrize("broken", ["<Value>", "&", "<a b=c/>", "\x01", "</Prop></Prop>"])
def test_xml_that_is_not_well_formed_is_unparsed(broken: str) -> None:
    damaged, whole = parse(report(ON, broken) + report(ON))
    assert isinstance(damaged, Unparsed)
    assert "well-formed" in damaged.reason
    assert isinstance(whole, Parsed)


def test_entities_are_refused_and_nothing_is_expanded() -> None:
    declared = "<!DOCTYPE Reports [<!ENTITY mine 'A1'><!ENTITY file SYSTEM 'file:///etc/passwd'>]>"
    for name in ("mine", "file"):
        head = HEAD.replace("A1", f"&{name};")
        doctype, damaged = parse(declared + report(ON, head=head))
        assert isinstance(doctype, Unparsed)
        assert isinstance(damaged, Unparsed)
        assert "undefined entity" in damaged.reason


def test_a_document_type_inside_a_report_is_refused() -> None:
    content = report(ON).replace("'Passed'>", "'Passed'><!DOCTYPE x [<!ENTITY a 'b'>]>", 1)
    assert "well-formed" in refusal(content)


def test_depth_is_bounded() -> None:
    assert "in one another" in refusal(report("<Prop>" * 600 + "</Prop>" * 600))
    nested = ON
    for _ in range(90):
        nested = call("c", "Passed", nested)
    assert len(one_run(report(nested)).measurements) == 1


def test_a_tsreport_is_unparsed_by_name() -> None:
    other = "<TSReport>\n<ReportInfo key='ID' value='1'/></TSReport>"
    prolog, damaged, end, whole = parse('<?xml version="1.0"?>' + other + "\n" + report(ON))
    assert isinstance(prolog, Skipped)
    assert isinstance(damaged, Unparsed)
    assert "TSReport" in damaged.reason
    assert isinstance(end, Skipped)
    assert isinstance(whole, Parsed)
    assert "TSReport" in refusal("<TSReport><ReportInfo")


def test_a_batch_report_is_unparsed_by_name() -> None:
    batch = report(ON).replace("Type='UUT'", "Type='Batch'", 1)
    assert "'Batch'" in refusal(batch)


def test_lines_that_are_not_utf8_are_windows_1252_or_the_option() -> None:
    content = report(step("\xe9", "Passed", prop("PassFail", "True"))).encode("cp1252")
    assert one_run(content).measurements[0].test_step == "\xe9"
    assert one_run(content, encoding="cp1251").measurements[0].test_step == "\u0439"
    utf8 = report(step("\u20ac", "Passed", prop("PassFail", "True"))).encode()
    assert one_run(utf8).measurements[0].test_step == "\u20ac"


def test_byte_order_mark_and_crlf_are_dropped() -> None:
    content = b"\xef\xbb\xbf" + (PROLOG + report(ON) + "\n").replace("\n", "\r\n").encode()
    found = parse(content)
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped]


def test_a_report_above_the_bound_is_unparsed() -> None:
    assert "max_unit_bytes" in refusal(report(ON, "<Prop></Prop>" * 500), max_unit_bytes=4096)


def test_a_run_that_is_too_large_goes_without_attributes_or_is_unparsed() -> None:
    wordy = step("Bad", "Failed", group("Error", Msg="m" * 500))
    run = one_run(report(*[wordy] * 20), payload_bytes_max=4096)
    assert [each.attributes for each in run.measurements] == [None] * 20
    assert "limit of 4096" in refusal(report(*[wordy] * 60), payload_bytes_max=4096)
    assert "5000" in refusal(report(*[ON] * 5001))
