"""What an output directory holds: its manifest, and its tables and pictures when they are asked for."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from socsim.errors import UsageError
from socsim.results.store import MANIFEST, read_manifest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Kind", "Saved", "open_saved"]

Kind = Literal["run", "comparison", "repeated", "sweep", "page"]
"""What was saved; ``repeated``: a comparison with several seeds, ``page``: what is a page already."""

_PAGE = "index.html"
_PNG = b"\x89PNG\r\n\x1a\n"
_JOURNAL = "journal/sweep.json"


class Saved:
    """A finished output of socsim.

    Parameters
    ----------
    path
        Its directory.
    manifest
        What its manifest says.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest

    @cached_property
    def files(self) -> frozenset[str]:
        """Files that the manifest lists."""
        return frozenset(str(name) for name in self.manifest["files"])

    @cached_property
    def experiment(self) -> dict[str, Any]:
        """The resolved experiment; empty where there is none."""
        found = self.manifest.get("experiment")
        return found if isinstance(found, dict) else {}

    @property
    def kind(self) -> Kind:
        """What was saved.

        Raises
        ------
        UsageError
            Nothing that could be told.
        """
        compared, points = self._lists("comparison"), self._lists("runs")
        if _PAGE in self.files:
            return "page"
        if compared or points:
            return "sweep" if not compared else "repeated" if points else "comparison"
        if not self._lists("energy"):
            raise UsageError(
                f"{str(self.path)!r} holds nothing to report: its manifest lists no tables of a run, a comparison or a "
                "sweep"
            )
        return "run"

    @property
    def page(self) -> Path:
        """The page that is there already."""
        return self.path / _PAGE

    def _lists(self, table: str) -> bool:
        return bool(self.files & {f"{table}.parquet", f"{table}.csv"})

    def table(self, name: str, columns: Collection[str] = ()) -> pd.DataFrame | None:
        """A table; None where there is none, or where it is empty.

        Parameters
        ----------
        columns
            That it needs; others come along as well.

        Raises
        ------
        UsageError
            It is damaged, or lacks a column.
        """
        for form in ("parquet", "csv"):
            file = f"{name}.{form}"
            if file in self.files and (self.path / file).exists():
                found = self._read(file)
                missing = [column for column in columns if column not in found.columns]
                if missing:
                    raise UsageError(f"{self._named(file)} has no column {missing[0]!r}; {self._again}")
                return found if len(found) else None
        return None

    @property
    def missing(self) -> list[str]:
        """Tables and pictures that the manifest lists and that are gone."""
        shown = (".parquet", ".csv", ".png")
        return sorted(file for file in self.files if file.endswith(shown) and not (self.path / file).exists())

    def picture(self, file: str) -> bytes | None:
        """A PNG; None where there is none.

        Raises
        ------
        UsageError
            It cannot be read, or is none.
        """
        if file not in self.files or not (self.path / file).exists():
            return None
        try:
            data = (self.path / file).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {self._named(file)}: {error.strerror}") from None
        if not data.startswith(_PNG):
            raise UsageError(f"{self._named(file)} is damaged: it is no PNG; {self._again}")
        return data

    def _read(self, file: str) -> pd.DataFrame:
        import pandas as pd

        reader = pd.read_parquet if file.endswith(".parquet") else pd.read_csv
        try:
            return reader(self.path / file)
        except ImportError:
            raise UsageError(f"{self._named(file)} needs the package pyarrow to be read") from None
        except (OSError, ValueError) as error:
            told = str(error).partition("\n")[0].rstrip(". ")
            raise UsageError(f"{self._named(file)} is damaged: {told}; {self._again}") from None

    def _named(self, file: str) -> str:
        return repr(str(self.path / file))

    @property
    def _again(self) -> str:
        return f"make it again with 'socsim run {self.path.name} -o NEW'"


def open_saved(path: str | Path) -> Saved:
    """Look into an output directory, or the one that a manifest is in.

    Raises
    ------
    UsageError
        It is none, or not a finished one.
    """
    given = Path(path)
    folder = given.parent if given.name == MANIFEST and given.is_file() else given
    if not folder.exists():
        raise UsageError(f"there is no directory {str(path)!r}; name one that 'socsim run -o' wrote")
    if not folder.is_dir():
        raise UsageError(f"{str(path)!r} is a file; name the directory that 'socsim run -o' wrote")
    manifest = read_manifest(folder)
    if not manifest:
        raise UsageError(_unfinished(folder, str(path)))
    return Saved(folder.resolve(), manifest)


def _unfinished(folder: Path, given: str) -> str:
    """Why a directory without a manifest is no output."""
    if (folder / MANIFEST).exists():
        return f"{str(folder / MANIFEST)!r} is damaged, or not one that socsim wrote"
    if (folder / _JOURNAL).is_file():
        return f"the sweep in {given!r} is not finished; 'socsim sweep --resume -o {given}' with its experiment goes on"
    if read_manifest(folder.resolve().parent):
        return f"{given!r} is a part of an output; report the whole: {str(folder.resolve().parent)!r}"
    below = sorted(str(p.parent.name) for p in folder.glob(f"*/{MANIFEST}"))
    tail = f"; did you mean {str(Path(given) / below[0])!r}?" if below else ""
    return f"{given!r} is no output of socsim: it has no {MANIFEST}, which is written last{tail}"
