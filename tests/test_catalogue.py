"""What a catalogue makes, and how it writes what it has made, on classes of this file."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from socsim.errors import UsageError
from socsim.schedulers.catalogue import Catalogue


class Tool(ABC):
    """What the catalogue is of."""

    name = ""
    written = ""
    period: float | None = None

    @property
    def title(self) -> str:
        return self.name or type(self).__name__

    @abstractmethod
    def use(self) -> None: ...


class Hammer(Tool):
    name = "hammer"

    def __init__(
        self, weight: float = 1.0, kinds: object = (), note: object = None, predictor: object = "exact"
    ) -> None:
        self.weight, self.kinds, self.note, self.predictor = weight, kinds, note, predictor

    def use(self) -> None: ...


class Saw(Tool):
    """Keeps its option in another form than it is given."""

    def __init__(self, teeth: str = "3", spare: int = 0) -> None:
        self.teeth, self._spare = int(teeth), spare

    def use(self) -> None: ...


class Needed(Tool):
    """Has an option that must be given."""

    def __init__(self, size: int, colour: str = "red") -> None:
        self.size, self.colour = size, colour

    def use(self) -> None: ...


class Unfinished(Tool): ...


TOOLS: Catalogue[Tool] = Catalogue(
    "tool", Tool, "socsim.tools", {"hammer": f"{__name__}:Hammer"}, common=lambda cls: ("period",)
)


def test_options_that_all_have_are_set_and_others_are_given() -> None:
    made = TOOLS.make("hammer(weight=2, period=0.5)")
    assert isinstance(made, Hammer)
    assert (made.weight, made.period, made.written) == (2, 0.5, "hammer(weight=2, period=0.5)")


def test_what_all_have_is_checked_by_the_rule_of_the_kind() -> None:
    asked: list[object] = []
    checked: Catalogue[Tool] = Catalogue(
        "tool", Tool, "socsim.tools", {"hammer": f"{__name__}:Hammer"}, common=lambda cls: ("period",),
        check=lambda name, options: asked.append((name, dict(options))),
    )  # fmt: skip
    checked.make("hammer(weight=2, period=0.5)")
    assert asked == [("hammer", {"period": 0.5})]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (dict, r"tool 'dict': dict must be a subclass of Tool"),
        (Unfinished, r"tool 'Unfinished': Unfinished lacks use\(\)"),
        (7, r"a tool is a name, a class, an object or a mapping, got int: 7"),
        (Needed, r"size"),
        ("hammer(wieght=2)", r"no option 'wieght'; did you mean 'weight'"),
    ],
)
def test_what_is_no_tool(spec: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TOOLS.make(spec)


def test_two_bases_are_named_both() -> None:
    either: Catalogue[object] = Catalogue("tool", (Hammer, Saw), "socsim.tools", {})
    assert isinstance(either.make(Saw), Saw)
    with pytest.raises(UsageError, match="Needed must be a subclass of Hammer or Saw"):
        either.make(Needed)


# --- writing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        ({}, {}),
        ({"weight": 1.0}, {}),
        ({"weight": 2.0}, {"weight": 2.0}),
        ({"kinds": ["a", 1, None, True]}, {"kinds": ["a", 1, None, True]}),
        ({"kinds": ["a", object()]}, {}),
        ({"kinds": [object(), "a"]}, {}),
        ({"kinds": {"a": [1]}}, {"kinds": {"a": [1]}}),
        ({"kinds": {"a": [object()]}}, {}),
        ({"kinds": {1: 2, "a": 3}}, {}),
        ({"kinds": frozenset("a")}, {}),
        ({"note": "x", "weight": 3}, {"weight": 3, "note": "x"}),
        ({"note": None}, {}),
    ],
)
def test_objects_are_described_by_what_differs_and_a_file_can_have(options, differing) -> None:
    described = TOOLS.describe(Hammer(**options))
    path = f"{Hammer.__module__}:Hammer"
    assert described == ({"name": path, **differing} if differing else path)


def test_what_was_set_to_none_is_described_where_it_was_something() -> None:
    made = type("Slow", (Hammer,), {"period": 0.25})()
    made.period = None
    assert TOOLS.describe(made)["period"] is None


def test_predictors_of_objects_are_described_as_files_have_them() -> None:
    class Own:
        """A predictor."""

    described = TOOLS.describe(Hammer(predictor=Own))
    assert described["predictor"].endswith("Own")


def test_what_all_have_differs_from_the_class_and_not_from_nothing() -> None:
    made = Hammer()
    made.period = 0.25
    assert TOOLS.describe(made)["period"] == 0.25
    slow = type("Slow", (Hammer,), {"period": 0.25})
    assert isinstance(TOOLS.describe(slow()), str)


def test_options_kept_in_another_form_do_not_differ() -> None:
    assert TOOLS.describe(Saw()) == f"{Saw.__module__}:Saw"
    assert TOOLS.describe(Saw("5"))["teeth"] == 5


def test_options_that_must_be_given_are_described_all() -> None:
    assert TOOLS.describe(Needed(3)) == {"name": f"{Needed.__module__}:Needed", "size": 3}
    assert TOOLS.describe(Needed(3, "blue"))["colour"] == "blue"


def test_objects_are_written_with_what_differs() -> None:
    assert TOOLS.write(Hammer()) == "hammer"
    assert TOOLS.write(Hammer(weight=2.0)) == "hammer(weight=2.0)"
    assert TOOLS.write(TOOLS.make("hammer(weight=2)")) == "hammer(weight=2)"
    assert TOOLS.write("hammer(weight=2)") == "hammer(weight=2)"
