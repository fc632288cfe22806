"""Scenes as users write them: a share, the path of a file, or a mapping with a kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from socsim.errors import UsageError, nearest
from socsim.workloads.arrival_spec import quantity
from socsim.workloads.scenes import ChangeTrace, Constant, Markov, Scene, Share, State

__all__ = ["make_scene", "scene_file"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "constant": ("changed",),
    "markov": ("static", "moving", "cut"),
    "trace": ("file",),
}


def make_scene(spec: Any) -> Scene | None:
    """A scene from what a user writes.

    Parameters
    ----------
    spec
        None; a :class:`~socsim.workloads.scenes.Scene` object; a share (``0.1``, ``"10 %"``); the path of a ``.csv``
        file; or a mapping: ``{"kind": "constant", "changed": share}``, ``{"kind": "trace", "file": path}``, or
        ``{"kind": "markov", "static": state, "moving": state, "cut": probability}``, where a state is
        ``{"frames": number, "changed": share or {"mean": share, "sd": share}}``. Without a kind it is a Markov scene.

    Raises
    ------
    UsageError
        A kind or key that does not exist or lacks, or a value outside its rule.
    UnitError
        A text that is no share.
    """
    if spec is None or isinstance(spec, Scene):
        return spec
    kind, options = _kind_and_options(spec)
    _check_keys(f"scene of kind {kind!r}", options, _KEYS[kind], optional=("cut",))
    if kind == "constant":
        return Constant(_ratio(options["changed"], "changed"))
    if kind == "trace":
        if not isinstance(options["file"], (str, Path)):
            raise UsageError(f"a scene of kind 'trace' needs a file, got {options['file']!r}")
        return ChangeTrace(str(options["file"]))
    static, moving = _state("static", options["static"]), _state("moving", options["moving"])
    return Markov(static, moving, _ratio(options.get("cut", 0.0), "cut"))


def scene_file(spec: Any) -> str | None:
    """The file that a scene is read from, if it is from one."""
    if isinstance(spec, Mapping):
        file = spec.get("file") if spec.get("kind") == "trace" else None
        return str(file) if isinstance(file, (str, Path)) else None
    return str(spec) if _is_file(spec) else None


def _is_file(spec: Any) -> bool:
    return isinstance(spec, Path) or (isinstance(spec, str) and (spec.endswith(".csv") or "/" in spec))


def _kind_and_options(spec: Any) -> tuple[str, dict[str, Any]]:
    if _is_file(spec):
        return "trace", {"file": str(spec)}
    if not isinstance(spec, Mapping):
        return "constant", {"changed": spec}
    options = dict(spec)
    kind = options.pop("kind", "markov")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise UsageError(f"unknown kind of scene {kind!r}; {_hint(kind, _KEYS)}")
    return kind, options


def _state(name: str, spec: Any) -> State:
    if not isinstance(spec, Mapping):
        raise UsageError(f"{name} must be a mapping of frames and changed, got {spec!r}")
    _check_keys(name, spec, ("frames", "changed"))
    return State(_ratio(spec["frames"], f"{name}.frames"), _drawn(f"{name}.changed", spec["changed"]))


def _drawn(place: str, spec: Any) -> Share:
    if not isinstance(spec, Mapping):
        return Share(_ratio(spec, place))
    _check_keys(place, spec, ("mean", "sd"), optional=("sd",))
    return Share(_ratio(spec["mean"], f"{place}.mean"), _ratio(spec.get("sd", 0.0), f"{place}.sd"))


def _ratio(value: Any, what: str) -> float:
    return quantity(value, what, "ratio")


def _check_keys(
    what: str, options: Mapping[str, Any], known: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        raise UsageError(f"{what} has no {unknown!r}; {_hint(unknown, known)}")
    missing = next((key for key in known if key not in options and key not in optional), None)
    if missing is not None:
        raise UsageError(f"{what} needs {missing!r}")


def _hint(got: Any, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    guess = nearest(str(got), known)
    return f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}"
