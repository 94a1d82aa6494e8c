"""WATS reports (WSJF) for the laws, and a whole one, written by hand after the description."""

from pathlib import Path

from edge_agent.formats import Options

OPTIONS = Options(max_unit_bytes=1024)
_HEAD = b'{"type": "T", "sn": "A1", "pn": "P", "processName": "FCT", "result": "P",'
_START = b'"start": "2022-11-19T11:48:22.4200000+01:00", "uut": {"testSocketIndex": -1},'
_ROOT = (
    b'"root": {"name": "Main", "steps": [{"name": "VA", "status": "P", "numericMeas": [{"value": 1,'
    b'"compOp": "GELE", "status": "P", "name": null, "lowLimit": 0, "highLimit": 2}]}]}'
)
GOOD = _HEAD + _START + _ROOT + b"}\n"
TOO_LARGE = _HEAD + _START + b'"miscInfos": [' + b'{"sn": "{"},' * 500 + b"{}]," + _ROOT + b"}\n"
PIECES = [
    GOOD,
    GOOD.replace(b" ", b"\r\n\t"),
    b'{"root": {"steps": []}, "sn": "A2"}',
    b'{"sn": "A2", "root": 7}\n',
    b'{"sn": ["A2"], "root": {"steps": [7]}}',
    _HEAD,
    _START,
    _ROOT,
    b"}",
    b'"',
    b'{"sn": {"root": {"sn": [{"root": 1}]}}}',
    b'"sn": "x", "root": [',
    b"NaN, nul",
    b"[",
    b"]",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff\x00",
    b"nonsense\n",
]
SAMPLES: list[Path] = []

REPORT = b"""\xef\xbb\xbf{
  "type": "T",
  "id": "1b5ee9ce-8a2c-4cf4-a2a5-6a3f64b2d7a1",
  "pn": "OLC-140", "sn": "0502-0001", "rev": "8",
  "processCode": 10, "processName": "Board FCT",
  "result": "F",
  "machineName": "FCT-3", "location": "Riga", "purpose": "Production",
  "start": "2022-11-19T11:45:27.4430000+02:00",
  "root": {
    "id": 0, "group": "M", "stepType": "SequenceCall", "name": "MainSequence Callback",
    "status": "F", "totTime": 174.2,
    "seqCall": {"path": "C:\\\\Seq", "name": "C:\\\\Seq\\\\OLC.seq", "version": "1.6.0.0"},
    "steps": [
      {"id": 1, "stepType": "NI_Wait", "name": "Wait 20s", "status": "D"},
      {"id": 2, "stepType": "SequenceCall", "name": "Power", "status": "F", "steps": [
        {"id": 3, "stepType": "ET_NLT", "name": "VA", "status": "F", "numericMeas": [
          {"compOp": "GELE", "name": null, "status": "F", "unit": "volt", "value": 17.879,
           "highLimit": 16, "lowLimit": 14}]},
        {"id": 4, "stepType": "ET_MNLT", "name": "Rails", "status": "P", "numericMeas": [
          {"compOp": "GT", "name": "3V3 {", "status": "P", "unit": "V", "value": 3.31,
           "lowLimit": 3.2},
          {"compOp": "LOG", "name": "ripple", "status": "P", "unit": "V", "value": 0.01}]}
      ]},
      {"id": 5, "stepType": "ET_SVT", "name": "Firmware", "status": "P", "stringMeas": [
        {"compOp": "IGNORECASE", "name": null, "status": "P", "value": "v2.4", "limit": "V2.4"}]},
      {"id": 6, "stepType": "ET_MPFT", "name": "LEDs", "status": "P", "booleanMeas": [
        {"name": "green", "status": "P"}, {"name": "red", "status": "F"}]}
    ]
  },
  "uut": {"execTime": 174.2, "testSocketIndex": 2, "batchSN": "B-77", "comment": null,
          "fixtureId": "FIX-1", "user": "Janis", "errorCode": 0, "errorMessage": null},
  "miscInfos": [], "subUnits": [{"partType": "ID", "pn": "OLC-C", "rev": "8", "sn": "050200929F00"}]
}"""
