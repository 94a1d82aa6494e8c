"""Table files for the laws: reports, and rows under the case `rows`."""

from types import SimpleNamespace

from edge_agent.formats.csv_options import CsvOptions
from tests.support.csv_tables import REPORT

OPTIONS = CsvOptions(**REPORT, max_unit_bytes=1024)
PIECES = [
    b"SerialNumber;A1\n",
    b"SerialNumber;A2\r\n",
    b"SerialNumber;\n",
    b'SerialNumber;"A3\n',
    b"Part Number;P-7\n",
    b"Start Time;2024.03.05. 14:07\n",
    b"Start Time;5 March\n",
    b"Station;FCT 1;;;;\n",
    b"Result;Passed\n",
    b"Result;Aborted\r\n",
    b"StepName;Value;Low;High;Unit;Status;Comment\n",
    b"StepName;Value\n",
    b"Temperature;25.5;20;30;\xb0C;Passed;\n",
    b"Temperature;25.5;20;30;\xc2\xb0C;Passed;warm\n",
    b"Clock;12.0;11;13;kHz;Passed;\n",
    b"Clock;12.0;11;13;kHZ;Failed;\r\n",
    b"Error code;E010;;;;Failed;\n",
    b"Code;0012\n",
    b'Text;"a;b ""c""";;;;Info;\n',
    b'Text;"not closed;;;;Info;\n',
    b"Wide;1;2;3;4;5;6;7;8\n",
    b"Title\n",
    b";;;;;;\n",
    b"\n",
    b" \r\n",
    b"\t\n",
    b"\xef\xbb\xbf",
    b"\x00\xff;\x01\n",
    b"Last;1.5;;;;Passed",
    b"Comment;" + b"x" * 1500 + b"\n",
]
_HEAD, _ROW = PIECES[4] + PIECES[0] + PIECES[5] + PIECES[8] + PIECES[10], PIECES[14]
GOOD = _HEAD + _ROW
TOO_LARGE = _HEAD + _ROW * 100
SAMPLES = []

_ROWS_HEAD = b"SN,Started,Step,Value,Low,High,Unit,Verdict,Note\n"
_ROWS_ROW = b"B1,2024-03-05 14:07:00,v,1.5,1,2,V,PASS,\n"
ROWS = SimpleNamespace(
    OPTIONS=CsvOptions(
        layout="rows",
        product_id="P-7",
        columns={
            "barcode": "SN",
            "started_at": "Started",
            "test_step": "Step",
            "measured_value": "Value",
            "low": "Low",
            "high": "High",
            "unit": "Unit",
            "reported_outcome": "Verdict",
        },
        max_unit_bytes=1024,
    ),
    PIECES=[
        _ROWS_HEAD,
        b"Step,Value,Low,High,Unit,Verdict,SN,Started\r\n",
        _ROWS_HEAD.strip() + b"," + b"n" * 800 + b"\n",
        _ROWS_ROW,
        _ROWS_ROW,
        b"B1,2024-03-05 14:07:00,i,E010,,,,FAIL,\r\n",
        b"B2,2024-03-05 14:07:00,v,1.5,1,2,V,PASS,again\n",
        b"B2,2024-03-05 14:09:00,v,1.5\n",
        b"B2,5 March,v,1.5\n",
        b",2024-03-05 14:07:00,v,1.5\n",
        b"B1,2024-03-05 14:07:00,,1.5\n",
        b'B1,2024-03-05 14:07:00,"v,1.5\n',
        b"B1,2024-03-05 14:07:00\n",
        b"\n",
        b",,,\n",
        b"\xef\xbb\xbf",
        b"\x00\xff\n",
        b"B1,2024-03-05 14:07:00,v,1.5",
        b"B3,2024-03-05 14:07:00," + b"x" * 1500 + b"\n",
    ],
    GOOD=_ROWS_HEAD + _ROWS_ROW * 2,
    TOO_LARGE=_ROWS_ROW.replace(b"B1", b"B3") * 100,
    SAMPLES=[],
)
MORE = {"rows": ROWS}
