"""What ran, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from socsim.results.html import Head, paragraph, section, table
from socsim.results.report.saved import Saved
from socsim.results.store import EXPERIMENT

__all__ = ["applications", "deadlines_ms", "facts", "origin", "title"]

_NAMED = ("kind", "name")
_WORDS = {True: "yes", False: "no", None: "-"}
_VERSIONS = ("python", "numpy", "simpy", "pandas")


def title(saved: Saved) -> str:
    """What the page is called: what ran, and on what."""
    device = saved.manifest.get("device") or saved.experiment.get("device") or "a device"
    whats = {
        "run": _names(saved) or "a run",
        "comparison": f"{_text(saved.experiment.get('model', 'a network'))}, compared",
        "repeated": f"{_text(saved.experiment.get('model', 'a network'))}, compared",
        "sweep": f"a sweep of {saved.manifest.get('runs', 'several')} runs",
    }
    return f"{whats[saved.kind]} on {device}"


def _names(saved: Saved) -> str:
    return ", ".join(str(app.get("name") or app.get("kind", "?")) for app in _apps(saved))


def _apps(saved: Saved) -> list[Mapping[str, Any]]:
    found = saved.experiment.get("apps", ())
    return [app for app in found if isinstance(app, Mapping)] if isinstance(found, Sequence) else []


def facts(saved: Saved) -> str:
    """The command that runs it again, and what was said of the whole."""
    manifest, told = saved.manifest, list[tuple[str, str]]()
    again = f"socsim run {saved.path.name}"
    if EXPERIMENT in saved.files:
        told.append(("run it again", f"{again}  (in the folder that holds {saved.path.name})"))
    skipped = ("apps", "sweep", *(["seed"] if "seed" in manifest or manifest.get("seeds") else []))
    told += [(key, _text(value)) for key, value in saved.experiment.items() if key not in skipped]
    told += [(key, _text(manifest[key])) for key in ("seed", "seeds") if manifest.get(key) not in (None, [])]
    told += [("changed by", _text(manifest["overrides"]))] if manifest.get("overrides") else []
    return table([Head("what"), Head("value")], told)


def applications(saved: Saved) -> str:
    """A row per application, with what was said of it."""
    rows = [
        [
            *(_text(app.get(key, app.get("kind", "?"))) for key in ("name", "kind")),
            "; ".join(f"{key}: {_text(value)}" for key, value in app.items() if key not in _NAMED),
        ]
        for app in _apps(saved)
    ]
    axes = saved.experiment.get("sweep")
    swept = [(str(key), _text(value)) for key, value in axes.items()] if isinstance(axes, Mapping) else []
    parts = [table([Head("application"), Head("kind"), Head("settings")], rows)]
    return "\n".join([*parts, table([Head("swept"), Head("values")], swept)])


def deadlines_ms(saved: Saved) -> dict[str, float]:
    """Deadline of each application that has one, after its arrival."""
    from socsim import units
    from socsim.errors import UnitError

    found = {}
    for app in _apps(saved):
        try:
            found[str(app["name"])] = units.parse(app["deadline"], "time") * 1e3
        except (KeyError, UnitError):
            continue
    return found


def origin(saved: Saved) -> str:
    """Versions, commit, time, command and input files."""
    return section("How it was made", _origin(saved), "origin")


def _origin(saved: Saved) -> Iterator[str]:
    manifest = saved.manifest
    versions = manifest.get("versions")
    told = [("socsim", f"{manifest['socsim']}, commit {manifest.get('commit') or 'of an installed version'}")]
    told += [("command", _command(manifest.get("command")))]
    told += [("finished at", str(manifest.get("created", "-")))]
    if isinstance(versions, Mapping):
        told += [("with", ", ".join(f"{key} {versions[key]}" for key in _VERSIONS if key in versions))]
        told += [("on", str(versions.get("platform", "-")))]
    inputs = manifest.get("inputs")
    if isinstance(inputs, Mapping):
        told += [("input", f"{name} (SHA-256 {digest})") for name, digest in inputs.items()]
    yield table([Head("what"), Head("value")], told)
    if saved.missing:
        yield paragraph(
            f"Gone since it was written, and not on this page: {', '.join(saved.missing)}.", "small"
        )


def _command(words: Any) -> str:
    """The command line as it was typed; of a script its name."""
    if not isinstance(words, list) or not words:
        return "-"
    first, *rest = map(str, words)
    name = PurePath(first).name
    ours = name == "__main__.py" and "socsim" in PurePath(first).parts
    return shlex.join(["socsim" if ours else name, *rest])


def _text(value: Any) -> str:
    """A value as an experiment file may have it, on one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)
