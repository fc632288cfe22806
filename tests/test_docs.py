"""README and guide: every block of code runs, and what commands are said to print is what they print.

All of a file happens in one empty directory: ``python`` blocks run one after the other in one namespace;
``yaml`` blocks that begin with ``# file: NAME`` are written there; ``console`` blocks run their ``$ socsim``
lines, and the output is compared, where ``...`` stands for any lines. ``SOCSIM_UPDATE_DOCS=1`` writes the
present output into the file instead.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from socsim.cli import main
from socsim.results import frames
from socsim.results.metrics import METRICS

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")
UPDATE = os.environ.get("SOCSIM_UPDATE_DOCS") == "1"


def commands(text):
    """(command, expected output) of a console block."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [part.partition("\n")[::2] for part in parts]


def matches(expected, got):
    """Whether lines are as expected; ``...`` stands for any number of lines."""
    lines = [".*" if line == "..." else re.escape(line.rstrip()) for line in expected.splitlines()]
    return re.fullmatch("\n".join(lines), got, re.DOTALL) is not None


class Runner:
    """Runs the blocks of one file."""

    def __init__(self, capsys):
        self.capsys, self.namespace = capsys, {"__name__": "guide"}

    def python(self, text, where):
        exec(compile(text, where, "exec"), self.namespace)
        return text

    def yaml(self, text, where):
        named = re.match(r"# file: (\S+)\n", text)
        if named:
            Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(named[1]).write_text(text)
        return text

    def console(self, text, where):
        shown = ""
        for command, expected in commands(text):
            got = self._output(command, where) if command.startswith("socsim ") else expected.rstrip()
            if not UPDATE and expected:
                assert matches(expected, got), f"{where}: $ {command}\n{got}"
            kept = expected if not expected or "...\n" in expected else got + "\n"
            shown += f"$ {command}\n{kept}"
        return shown

    def _output(self, command, where):
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(command)[1:])
        captured = self.capsys.readouterr()
        assert ended.value.code == 0, f"{where}: $ {command}\n{captured.err}"
        return "\n".join(line.rstrip() for line in captured.out.rstrip().splitlines())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_code_of_the_documents_runs(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runner, text = Runner(capsys), file.read_text()

    def run(block):
        act = getattr(runner, block["language"], None)
        line = text[: block.start()].count("\n") + 1
        return f"```{block['language']}\n{act(block['text'], f'{file.name}:{line}')}```" if act else block[0]

    try:
        updated = BLOCK.sub(run, text)
    finally:
        for name in [
            n for n, m in sys.modules.items() if str(getattr(m, "__file__", "")).startswith(str(tmp_path))
        ]:
            del sys.modules[name]
    if UPDATE:
        file.write_text(updated)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_links_lead_somewhere(file):
    targets = [m["target"] for m in LINK.finditer(BLOCK.sub("", file.read_text()))]
    missing = [target for target in targets if not (file.parent / target).exists()]
    assert missing == []


def test_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert (
        "pip install -e . && socsim compare -d xiaomi-9 -m resnet50 -s cpu,gpu,mulayer,codl,band,heft\n"
        in readme
    )
    assert "pip install -e '.[dev]' && pytest\n" in readme


def test_every_column_is_documented():
    guide = (ROOT / "docs" / "output.md").read_text()
    columns = {column for table in frames.COLUMNS.values() for column in table} | set(METRICS)
    assert [column for column in sorted(columns) if f"`{column}`" not in guide] == []


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("a\nb\n", "a\nb", True),
        ("a\n...\nd\n", "a\nb\nc\nd", True),
        ("a\n", "b", False),
        ("a.c\n", "abc", False),
        ("a\nb\n", "a", False),
    ],
)
def test_output_is_compared_line_by_line(expected, got, same):
    assert matches(expected, got) is same


def test_commands_of_a_block():
    assert commands("$ socsim list models\nalexnet\n$ socsim run x\n") == [
        ("socsim list models", "alexnet\n"),
        ("socsim run x", ""),
    ]
