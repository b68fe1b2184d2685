"""What a person looks at: one self-contained HTML file for each run, one section of it for each file here."""

from __future__ import annotations

from simloop.report.page import write_report

__all__ = ["write_report"]
