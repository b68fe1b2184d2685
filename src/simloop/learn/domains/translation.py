"""`translation`: joint image translation and control."""

from __future__ import annotations
