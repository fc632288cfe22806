"""Words of sentences: numbers with their nouns, wherever they are told."""

from __future__ import annotations

import pytest
from corekit import net

from socsim.words import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 operators"), (1, "1 operator"), (2, "2 operators")])
def test_nouns_agree_with_their_numbers(number: int, text: str) -> None:
    assert counted(number, "operator") == text


def test_a_network_of_one_operator() -> None:
    assert repr(net("a:1000000 x")) == "ModelGraph('net', 1 operator, 1.0 MMAC)"
