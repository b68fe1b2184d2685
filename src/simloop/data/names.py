"""Names of files for photographs: those of cameras in any alphabet, and nothing that a file system trips over."""

from __future__ import annotations


def safe(name: str) -> str:
    """A name that may stand in a file's name, different for different names: letters of all alphabets stay.

    What file systems, INI files or WebDataset read as something else (/ \\ : * ? " < > | % . and ~ itself) becomes ~
    and two hexadecimal digits.
    """
    return "".join(f"~{ord(c):02X}" if c in '/\\:*?"<>|%.~' or ord(c) < 32 else c for c in name)


def stem(index: int, camera: str) -> str:
    """The name of a photograph's files, without an ending."""
    return f"{index:06d}-{safe(camera)}"
