"""TestStand XML reports for the laws."""

from edge_agent.formats import Options
from tests.support.paths import FIXTURES

OPTIONS = Options(max_unit_bytes=4096)


def prop(name: str, value: str) -> str:
    return f"<Prop Name='{name}' Type='String'><Value>{value}</Value></Prop>"


def group(name: str, **values: object) -> str:
    inside = "".join(prop(key, str(value)) for key, value in values.items())
    return f"<Prop Name='{name}' Type='Obj'>{inside}</Prop>"


def step(name: str, status: str, *others: str) -> str:
    inside = "".join((*others, prop("Status", status), group("TS", StepName=name)))
    return f"<Value ID='[0]'>\n<Prop Type='TEResult'>{inside}</Prop>\n</Value>"


def number(name: str, status: str, value: object, comparison: str, **limits: object) -> str:
    parts = (prop("Numeric", str(value)), prop("Comp", comparison), group("Limits", **limits))
    return step(name, status, *parts)


def call(name: str, status: str, *steps: str, file: str = r"C:\seq\Board Test.seq") -> str:
    """A sequence call: its name comes behind the steps it called."""
    results = f"<Prop Name='ResultList' Type='Array'>{''.join(steps)}</Prop>"
    called = f"<Prop Name='SequenceCall'>{results}{prop('SequenceFile', file)}</Prop>"
    inside = f"<Prop Name='TS'>{called}{prop('StepName', name)}</Prop>{prop('Status', status)}"
    return f"<Value><Prop Type='TEResult'>{inside}</Prop></Value>"


def report(*steps: str, outcome: str = "Passed", head: str | None = None) -> str:
    outermost = call("MainSequence Callback", outcome, *steps)
    outermost = outermost.removeprefix("<Value>").removesuffix("</Value>")
    inside = f"{HEAD if head is None else head}{outermost}"
    return f"<Report Type='UUT' UUTResult='{outcome}'>\n{inside}\n</Report>"


HEAD = (
    group("UUT", SerialNumber="A1", PartNumber="P1", TestSocketIndex=-1, BatchSerialNumber="")
    + group("StartTime", Text="3:47:48 PM", Hours=15, Minutes=47, Seconds=48, Milliseconds=36)
    + group("StartDate", Text="fredag 1. juli 2022", Year=2022, Month=7, MonthDay=1)
)
PROLOG = (
    '<?xml version="1.0" encoding="iso-8859-1" ?><?xml-stylesheet type="text/xsl" href="a.xsl"?>'
    "\n\n<!-- </Report> --><Reports>\n"
)
GOOD = report(step("On", "Passed", prop("PassFail", "True"))).encode() + b"\n"
TOO_LARGE = GOOD.replace(b"</Report>", b"<Prop></Prop>" * 500 + b"</Report>")
PIECES = [
    PROLOG.encode(),
    GOOD,
    b"</Reports>\r\n",
    b"</Report>",
    report(number("Vcc", "Failed", 5.1, "GELE", Low=4, High=5), outcome="Failed").encode(),
    report(number("Vcc", "Passed", "5,1", "GELE"), step("On", "Error")).encode(),
    report(step("\xb5", "Failed", prop("Numeric", "x")), step("a", "Error")).encode("latin-1"),
    report(step("a", "Failed", prop("Error", "<![CDATA[</Report>]]>"))).encode(),
    report(head=HEAD.replace("A1", "")).encode(),
    report(head=HEAD.replace("A1", "&mine;")).encode(),
    GOOD.replace(b"'UUT'", b"'Batch'"),
    GOOD.replace(b"'", b'"'),
    GOOD[:200],
    GOOD[200:],
    b"<Report>",
    b"<Report/>",
    b"<Report Type='U",
    b"<Reports xmlns='x' <",
    b"<TSReport>\n<ReportInfo key='ID'/>\n",
    b"</TSReport>",
    b"<!DOCTYPE r [<!ENTITY mine 'S1'>]>",
    b"<!-- ",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?",
    b"\xef\xbb\xbf",
    b"\xef",
    b" \n" * 20,
    b"nonsense",
    b"x" * 1500,
]
SAMPLES = [
    FIXTURES / "teststand/TSWithWats2.xml",
    FIXTURES / "teststand/TsWithoutWats.xml",
]
