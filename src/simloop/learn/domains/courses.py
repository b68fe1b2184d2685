"""The courses by name. Importing this imports PyTorch; `simloop.learn.domains` does not."""

from __future__ import annotations

from simloop.learn.domains.adabn import AdaBN
from simloop.learn.domains.coral import Coral
from simloop.learn.domains.course import Plain
from simloop.learn.domains.dann import Dann
from simloop.learn.domains.translation import Translation

COURSES: dict[str, type[Plain]] = {c.name: c for c in (Plain, AdaBN, Coral, Dann, Translation)}
