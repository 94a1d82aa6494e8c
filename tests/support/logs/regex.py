"""Described log lines for the laws: units from start to end, and more cases."""

from types import SimpleNamespace

from edge_agent.formats.regex_options import RegexOptions

OPTIONS = RegexOptions(
    line=(
        {"match": r"^JOB (?P<job>\S*)( OPERATOR (?P<operator>.*))?$", "as": "context"},
        {"match": r"^BEGIN (?P<piece>\S+) (?P<started_at>\S+ \S+)", "as": "start"},
        {
            "match": r"^ +(?P<test_step>[^=]+)=(?P<measured_value>\S*) ?(?P<unit>\S*)"
            r" (?P<reported_outcome>ok|nok|-)( # (?P<note>.*))?$",
            "as": "measurement",
        },
        {"match": r"^END (?P<reported_outcome>\S+)", "as": "end"},
        {"match": r"^#", "as": "skip"},
    ),
    fields={"barcode": "{job}/{piece}"},
    outcomes={"ok": "PASS", "nok": "FAIL", "-": ""},
    product_id="P-7",
    max_unit_bytes=1024,
)
PIECES = [
    b"JOB J1 OPERATOR M\xfcller\n",
    b"JOB J2\r\n",
    b"JOB \n",
    b"JOB " + b"J" * 900 + b"\n",
    b"JOB J3 OPERATOR " + "\u00e4".encode() * 400 + b"\n",
    b"BEGIN 1 2024-03-05 14:07\n",
    b"BEGIN 2 2024-03-05 14:09:11.123\r\n",
    b"BEGIN 3 yesterday morning\n",
    b"  vcc=5.01 V ok\n",
    b"  code=0012 ok # as printed\n",
    b"  error=E010 nok\r\n",
    b"  visual= ok\n",
    b"  =7 ok\n",
    b"vcc=5.01 V ok\n",
    b"# a remark\n",
    b"END ok\n",
    b"END strange\r\n",
    b"END nok",
    b"\n",
    b"  \t\n",
    b"nonsense\n",
    b"\xef\xbb\xbf",
    b"\x00\xff\n",
    b"BEGIN " + b"x" * 1500 + b"\n",
]
_HEAD, _ROW, _FOOT = PIECES[0] + PIECES[5], PIECES[8], PIECES[15]
GOOD = _HEAD + _ROW + _FOOT
TOO_LARGE = PIECES[5] + _ROW * 100 + _FOOT
SAMPLES = []

_WITHOUT_END = SimpleNamespace(
    OPTIONS=RegexOptions(
        line=tuple(each for each in OPTIONS.line if each.kind != "end"),
        fields=OPTIONS.fields,
        outcomes=OPTIONS.outcomes,
        product_id="P-7",
        max_unit_bytes=1024,
    ),
    PIECES=PIECES,
    GOOD=_HEAD + _ROW,
    TOO_LARGE=PIECES[5] + _ROW * 100,
    SAMPLES=[],
)
_WITHOUT_START = SimpleNamespace(
    OPTIONS=RegexOptions(
        line=(
            {"match": r"^BEGIN (?P<piece>\S+) (?P<started_at>\S+ \S+)", "as": "context"},
            *(each for each in OPTIONS.line if each.kind != "start"),
        ),
        fields=OPTIONS.fields,
        outcomes=OPTIONS.outcomes,
        product_id="P-7",
        max_unit_bytes=1024,
    ),
    PIECES=PIECES,
    GOOD=_HEAD + _ROW + _FOOT,
    TOO_LARGE=_ROW * 100 + _FOOT,
    SAMPLES=[],
)
_RUN = b"2024-03-05T14:07:00 S1 vcc 5.01 PASS\n"
_RUNS = SimpleNamespace(
    OPTIONS=RegexOptions(
        line=(
            {"match": r"^OPERATOR (?P<operator>.*)$", "as": "context"},
            {
                "match": r"^(?P<started_at>\S+) (?P<barcode>\S+) (?P<test_step>\S+)"
                r" (?P<measured_value>\S+) (?P<reported_outcome>\S+)$",
                "as": "run",
            },
        ),
        product_id="P-7",
        max_unit_bytes=1024,
    ),
    PIECES=[
        b"OPERATOR anna\n",
        b"OPERATOR \r\n",
        _RUN,
        _RUN.strip(),
        b"never S1 vcc 5.01 PASS\n",
        b"nonsense\n",
        b"\n",
        b"\x00\xff\n",
        b"2024-03-05T14:07:00 S1 " + b"x" * 1500 + b" 1 PASS\n",
    ],
    GOOD=_RUN,
    TOO_LARGE=b"2024-03-05T14:07:00 S1 " + b"x" * 1500 + b" 1 PASS\n",
    SAMPLES=[],
)
MORE = {"without_end": _WITHOUT_END, "without_start": _WITHOUT_START, "runs": _RUNS}
