"""The networks that rows of measurements name."""

from __future__ import annotations

from pathlib import Path

from socsim.api import load_model
from socsim.calibration.tables import Row
from socsim.errors import SocsimError
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import Library, load_library

__all__ = ["Networks"]


class Networks:
    """Networks by name, each loaded once.

    Parameters
    ----------
    folder
        Of networks ``NAME.onnx``, which go before the zoo's.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._folder = Path(folder) if folder else None
        self._graphs: dict[tuple[str, bool], ModelGraph | SocsimError] = {}

    def load(self, name: str, library: Library) -> ModelGraph:
        """A network as a library runs it."""
        key = (name, library.fuses)
        if key not in self._graphs:
            try:
                self._graphs[key] = load_model(self._file(name) or name, fuse=library.fuses)
            except SocsimError as error:
                self._graphs[key] = error
        found = self._graphs[key]
        if isinstance(found, SocsimError):
            raise found
        return found

    def _file(self, name: str) -> Path | None:
        path = self._folder / f"{name}.onnx" if self._folder else None
        return path if path and path.is_file() else None

    def loaded(self, row: Row) -> ModelGraph | None:
        """The network of a row, if there is one."""
        try:
            return self.load(row.model, load_library(row.library))
        except SocsimError:
            return None
