"""What a file is by its first bytes, where it is no text. Asked before a reader makes garbage of it."""

from __future__ import annotations

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.endings import PACKINGS, ZIP

#: By the bytes that a file starts with: what it is, and what can be done. Longer ones stand before shorter ones.
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    *((packing.start, packing.described, f"give its name the ending {ending}") for ending, packing in PACKINGS.items()),
    (b"\x04\x22\x4d\x18", "an lz4 archive", "unpack it"),
    (b"\x1f\x9d", "a file of compress", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (such as .xls)", "read it as type: excel"),
    (b"PAR1", "a Parquet file", "read it as type: parquet"),
    (b"PARE", "an encrypted Parquet file", "decrypt it"),
    (b"ORC", "an ORC file", "read it as type: orc"),
    (b"ARROW1", "an Arrow file", "write it as Parquet or CSV"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or CSV"),
    (b"SQLite format 3\x00", "an SQLite database", "export a table of it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write it as Parquet or CSV"),
    (b"%PDF-", "a PDF document", "export its table as CSV"),
    (b"{\\rtf", "a rich text document", "export its table as CSV"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "remove it"),
    (b"\xff\xd8\xff", "a JPEG image", "remove it"),
    (b"GIF87a", "a GIF image", "remove it"),
    (b"GIF89a", "a GIF image", "remove it"),
    (b"II*\x00", "a TIFF image", "remove it"),
    (b"MM\x00*", "a TIFF image", "remove it"),
    (b"\x7fELF", "a program", "remove it"),
    (b"\x93NUMPY", "a NumPy array", "write it as Parquet or CSV"),
    (b"\x80\x02", "a Python pickle", "write it as Parquet or CSV"),
    (b"\x80\x03", "a Python pickle", "write it as Parquet or CSV"),
    (b"\x80\x04", "a Python pickle", "write it as Parquet or CSV"),
    (b"\x80\x05", "a Python pickle", "write it as Parquet or CSV"),
    (b"$FL2", "an SPSS file", "write it as Parquet or CSV"),
    (b"<stata_dta>", "a Stata file", "write it as Parquet or CSV"),
    (b"RDX2\n", "an R data file", "write it as Parquet or CSV"),
    (b"RDX3\n", "an R data file", "write it as Parquet or CSV"),
)
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
#: Control characters that text has: white space, and what some writers put between fields.
_IN_TEXT = b"\t\n\x0b\x0c\r\x1a\x1b\x1c\x1d\x1e\x1f\x01\x02\x03\x04"
_CONTROLS = bytes(set(range(32)) - set(_IN_TEXT))
_ALL_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r"))
#: A sample with a larger share of control characters is no text. A few stand in text that a crash has torn.
_MOST_CONTROLS, _FEW_CONTROLS = 0.02, 8
#: Bytes that are looked at.
SAMPLE = 64 * 1024


def must_be_text(source: str, sample: bytes, wanted: str, *, wide: bool = False) -> None:
    """Raise SourceError with what a file is that starts with `sample`, and what can be done, when it is no text.

    `wide` says that it is known to be UTF-16 or UTF-32, of which NULs are a part.
    """
    kind = kind_of(sample, wide=wide)
    if kind is not None:
        what, remedy = kind
        raise SourceError(f"{source}: wanted {wanted}, got {what}: {remedy}")


def kind_of(sample: bytes, *, wide: bool = False) -> tuple[str, str] | None:
    """What a file is that starts with `sample`, and what can be done; None for what may be text."""
    if sample.startswith(_WIDE):
        return None
    if sample.startswith(b"PK\x03\x04"):
        return _zip_of(sample)
    if sample[257:262] == b"ustar":
        return "a tar archive", "unpack it"
    named = next(((what, remedy) for start, what, remedy in _KINDS if sample.startswith(start)), None)
    if named is not None and (sample.startswith((b"%PDF-", b"{\\rtf")) or _count(sample, _ALL_CONTROLS)):
        return named  # and no text that begins with the letters `ORC`
    return ("binary data", "look at what writes it") if not wide and _is_binary(sample[:SAMPLE]) else None


def _zip_of(sample: bytes) -> tuple[str, str]:
    if b"xl/" in sample or b"[Content_Types].xml" in sample:
        return "an Excel workbook", "read it as type: excel"
    if b"mimetypeapplication/vnd.oasis" in sample:
        return "an OpenDocument file", "read it as type: excel"
    return "a zip archive", f"give its name the ending {ZIP}"


def _count(sample: bytes, of: bytes) -> int:
    return len(sample) - len(sample.translate(None, of))


def _is_binary(sample: bytes) -> bool:
    """Whether a sample has more control characters than any text, and is no UTF-16 without a mark."""
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) > 0.4 * half and min(even, odd) < 0.1 * half:
        return False
    return _count(sample, _CONTROLS) > max(_FEW_CONTROLS, _MOST_CONTROLS * len(sample))
