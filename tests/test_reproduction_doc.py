"""The table of docs/reproduction.md: cheap claims are run, the others' rows are only looked at.

``SOCSIM_UPDATE_DOCS=1`` runs all of them, which takes minutes, and writes the table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from socsim.reproduce import CLAIMS, Report, load_claim, load_claims, reproduce
from socsim.reproduce.page import told

FILE = Path(__file__).parent.parent / "docs" / "reproduction.md"
TABLE = re.compile(r"(<!-- table:[^\n]*-->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
CHEAP = ("unsupported-operators", "mulayer-style-transfer", "frame-drops", "dynamic-supernet", "codl")
HEADER = "| claim | measure | paper | simulated | band | holds |\n|---|---|---|---|---|---|"


def lines(reports: Iterable[Report]) -> list[str]:
    """A row for each measure."""
    found = []
    for report in reports:
        for one in report.judged:
            cells = (f"`{report.claim.name}`", one.measure.what, *told(one))
            found.append(f"| {' | '.join(cells)} | {'yes' if one.holds else '**no**'} |")
    return found


def written() -> list[str]:
    match = TABLE.search(FILE.read_text(encoding="utf-8"))
    assert match
    return match[2].strip().splitlines()[3:]


def test_the_table() -> None:
    if os.environ.get("SOCSIM_UPDATE_DOCS") == "1":
        reports = list(reproduce(load_claims(), workers=os.cpu_count() or 1))
        held = (
            f"{sum(r.holds for r in reports)} of {len(reports)} claims hold, each with all of its measures.\n"
        )
        table = "\n".join([held, HEADER, *lines(reports)])
        text = FILE.read_text(encoding="utf-8")
        FILE.write_text(TABLE.sub(lambda m: f"{m[1]}{table}\n{m[3]}", text), encoding="utf-8")
    rows = written()
    assert list(dict.fromkeys(row.split("`")[1] for row in rows[1:])) == list(CLAIMS)
    for report in reproduce([load_claim(name) for name in CHEAP]):
        for line in lines([report]):
            assert line in rows
