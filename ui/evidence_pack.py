"""The evidence pack: a zip that proves one verdict, and the one command that checks it. Pure.

The same run gives the same bytes: times inside are those of the run, not of the asking.
"""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from service.store.queries.evidence import Evidence

HASHES: Final = "hashes.txt"
MANIFEST: Final = "manifest.json"
_FIRST_YEAR: Final = 1980  # a zip knows no earlier time
_MODE: Final = 0o644 << 16

_README: Final = """\
Evidence of run {run_id}

To check that nothing here was changed, in this folder:

    sha256sum -c {hashes}

On macOS: shasum -a 256 -c {hashes}
On Windows, in PowerShell:

    Get-Content {hashes} | ForEach-Object {{ $hash, $name = $_ -split '  ', 2;
      $same = (Get-FileHash $name).Hash -eq $hash; "$name, unchanged: $same" }}

The hashes show that these files belong together and are whole. They are no signature: for that, ask
the plant for the pack of run {run_id} again. The same run gives the same bytes.

summary.pdf        the verdict on one page
message.json       the message as the machine sent it, byte for byte{element}
result.json        the result as it was published
run.json           the run with all its measurements, as GET /api/v1/results/{run_id} tells it
{rulebook:<18} the rules that judged it, as their author wrote them
receipt.json       when it was stored, and what the sender was told
{manifest:<18} what is here, with sizes and SHA-256
{hashes:<18} the same for the command above
"""


class PackFile(NamedTuple):
    """One file of a pack."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Its hash, hex."""
        return hashlib.sha256(self.content).hexdigest()


def evidence_files(evidence: Evidence) -> list[PackFile]:
    """Return what a verdict rests on, as files; without the page that a person reads."""
    return [
        PackFile("message.json", evidence.message.payload),
        PackFile("result.json", evidence.result),
        PackFile("run.json", _as_json(evidence.run)),
        PackFile(rulebook_name(evidence), _rules(evidence).encode()),
        PackFile("receipt.json", _receipt(evidence)),
    ]


def rulebook_name(evidence: Evidence) -> str:
    """Return what the file with the rules is called."""
    return f"rulebook-v{evidence.run['rulebook_version']}.toml"


def _rules(evidence: Evidence) -> str:
    version = evidence.run["rulebook_version"]
    if evidence.rulebook is not None:
        return evidence.rulebook.body
    if version == 0:
        return "# No rulebook was in force yet: version 0 has no rules.\n"
    return f"# Rulebook {version} is not stored.\n"


def packed(evidence: Evidence, files: Sequence[PackFile], page: bytes) -> bytes:
    """Return the zip: the files, the page, a README, a manifest and the hashes of all.

    Args:
        evidence: Of which run.
        files: Of `evidence_files`.
        page: The PDF.
    """
    listed = [PackFile("summary.pdf", page), *files, PackFile("README.txt", _readme(evidence))]
    listed.append(PackFile(MANIFEST, _manifest(evidence, listed)))
    lines = "".join(f"{each.sha256}  {each.name}\n" for each in listed)
    return _zipped(evidence, [*listed, PackFile(HASHES, lines.encode())])


def _readme(evidence: Evidence) -> bytes:
    run, element = evidence.run, evidence.message.element
    return _README.format(
        run_id=run["run_id"],
        element="" if element is None else f" (the run is element {element} of it, from 0)",
        rulebook=rulebook_name(evidence),
        hashes=HASHES,
        manifest=MANIFEST,
    ).encode()


def _manifest(evidence: Evidence, files: Sequence[PackFile]) -> bytes:
    run = evidence.run
    facts = {
        name: run[name]
        for name in (
            *("run_id", "message_id", "barcode", "product_id", "machine_id", "line", "procedure"),
            *("outcome", "timestamp", "received_at", "rulebook_version"),
        )
    }
    listed = [
        {"name": each.name, "bytes": len(each.content), "sha256": each.sha256} for each in files
    ]
    more = {
        "content_hash": run["details"]["content_hash"],
        "content_hash_is": "BLAKE2b-128 of the run's canonical content, hex",
        "element": evidence.message.element,
        "files": listed,
    }
    return _as_json(facts | more)


def _receipt(evidence: Evidence) -> bytes:
    told = evidence.receipt
    sent = None if told.body is None else orjson.loads(told.body)
    return _as_json(
        {
            "stored_message_id": told.message_id,
            "received_at": told.received_at,
            "receipt": sent,
            "note": "The receipt as its sender got it; others may have stood in the same one."
            if sent
            else "No receipt was sent: the message carried no message_id.",
        }
    )


def _zipped(evidence: Evidence, files: Sequence[PackFile]) -> bytes:
    folder = f"yieldline-run-{evidence.run['run_id']}"
    at = datetime.fromisoformat(evidence.run["received_at"])
    when = (max(at.year, _FIRST_YEAR), at.month, at.day, at.hour, at.minute, at.second)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in files:
            entry = zipfile.ZipInfo(f"{folder}/{each.name}", when)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE
            entry.create_system = 3  # as on Unix, wherever it is made
            archive.writestr(entry, each.content)
    return whole.getvalue()


def _as_json(facts: object) -> bytes:
    return orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
