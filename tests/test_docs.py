"""The pages of the documentation do what they say: code runs, commands exist, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from simloop.targets.catalogue import entries

ROOT = Path(__file__).parents[1]
PAGES = [p for p in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"] if p.exists()]
#: what a block needs that may not be on this machine, by the line that stands before it
NEEDS = {
    "<!-- needs recordings -->": "double-pendulum/design-c1/all",
    "<!-- needs donkeycar-tub -->": "donkeycar-tub/all",
    "<!-- needs eth-ucy -->": "eth-ucy/hotel",
}
#: verbs that hold verbs of their own
GROUPS = ("data",)


@dataclass(frozen=True)
class Block:
    """A fenced code block of a page: its language, text and first line, and which real recordings it needs."""

    language: str
    text: str
    line: int
    needs: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced code blocks of a page, in order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if start is None:
            start = number
            continue
        before = next((text for text in reversed(lines[:start]) if text.strip()), "")
        found.append(
            Block(lines[start].strip().strip("`").split(" ")[0], "\n".join(lines[start + 1 : number]) + "\n", start + 2,
                  NEEDS.get(before.strip(), ""))
        )  # fmt: skip
        start = None
    assert start is None, f"{page.name}, line {(start or 0) + 1}: this code block has no end"
    return found


def commands(block: Block) -> list[str]:
    """Return the commands of a console block (lines that begin with `$ `) or of a shell block (all its lines)."""
    joined = block.text.replace("\\\n", " ")
    lines = joined.splitlines()
    if block.language == "console":
        return [line[2:].strip() for line in lines if line.startswith("$ ")]
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def environment() -> dict[str, str]:
    """The environment of a page's commands: this interpreter's programs first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "OMP_NUM_THREADS": "1"}  # fmt: skip


def here(recordings: str) -> bool:
    """Whether recordings of the catalogue are on this machine."""
    entry, _, part = recordings.partition("/")
    return entries()[entry].present(part)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python and console block of a page runs, in order, in a folder that holds only the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("logs", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": f"page_{page.stem}"}
    missing = []
    for block in blocks(page):
        if block.needs and not here(block.needs):
            missing.append(block.needs)
            continue
        where = f"{page.name}, line {block.line}"
        if block.language == "yaml":
            name = re.match(r"# file: (\S+)", block.text)
            if name:
                file = tmp_path / name[1]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), namespace)
        elif block.language == "console":
            for command in commands(block):
                words = shlex.split(command, comments=True)
                assert words[0] in ("simloop", "python"), (
                    f"{where}: a console block runs simloop or python, not {words[0]}"
                )
                done = subprocess.run(
                    words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, f"{where}: {command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    if missing:
        pytest.skip(f"{len(missing)} blocks need recordings: simloop data get {missing[0].split('/')[0]}")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist(page: Path) -> None:
    """Every verb and option of simloop that a page's commands name exists."""
    for block in blocks(page):
        if block.language not in ("sh", "console", "bash", "shell"):
            continue
        for command in commands(block):
            words = shlex.split(command, comments=True)
            if "simloop" not in [Path(w).name for w in words]:
                continue
            words = words[[Path(w).name for w in words].index("simloop") + 1 :]
            words = words[: next((i for i, w in enumerate(words) if w in ("|", "||", "&&", ";", ">")), len(words))]
            verb = words[: 2 if words and words[0] in GROUPS else 1]
            verb = [] if verb and verb[0].startswith("-") else verb
            text = help_of(tuple(verb))
            assert text is not None, f"{page.name}, line {block.line}: simloop has no verb {' '.join(verb)!r}"
            for option in (w.split("=")[0] for w in words if re.match(r"--?[a-z]", w)):
                assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), (
                    f"{page.name}, line {block.line}: 'simloop {' '.join(verb)}' has no option {option!r}"
                )


@cache
def help_of(verb: tuple[str, ...]) -> str | None:
    """What `simloop VERB --help` prints, without colours, or None if there is no such verb."""
    from typer.testing import CliRunner

    from simloop.cli import app

    shown = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout) if shown.exit_code == 0 else None


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists, and every heading that a link names."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(<?([^)\s>]+)", text) + re.findall(r"(?:src|href|srcset)=\"([^\"\s]+)\"", text)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name}: link to {target}, which does not exist"
        if heading and file.suffix == ".md":
            assert heading in headings(file), f"{page.name}: link to {target}, but {file.name} has no such heading"


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in found}


def test_pictures_are_small() -> None:
    """Every picture of the documentation is an SVG below 150 kB without a date, and a page shows it."""
    shown = "".join(p.read_text(encoding="utf-8") for p in PAGES)
    for picture in sorted((ROOT / "docs" / "pictures").iterdir()):
        assert picture.suffix == ".svg", picture.name
        assert picture.stat().st_size < 150_000, picture.name
        assert "<dc:date>" not in picture.read_text(encoding="utf-8"), picture.name
        assert picture.name in shown, f"no page shows {picture.name}"
