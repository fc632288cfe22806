"""What the builder refuses: each in one sentence that names the network, never in an error of Python's own."""

from __future__ import annotations

import pytest

from socsim.errors import ModelError, SocsimError, UnknownNameError
from socsim.workloads.builder import GraphBuilder

IMAGE = (1, 8, 10, 12)


def refusal(method: str, *args, shape=IMAGE, **options) -> str:
    """The sentence for a layer on one input."""
    b = GraphBuilder("one")
    x = b.input(*shape)
    with pytest.raises(ModelError) as caught:
        getattr(b, method)(x, *args, **options)
    return str(caught.value)


# --- tensors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda b: b.shape("inptu"),
        lambda b: b.channels("inptu"),
        lambda b: b.conv("inptu", 4),
        lambda b: b.reshape("inptu", 1, -1),
        lambda b: b.concat("input", "inptu"),
        lambda b: b.add_("input", "inptu"),
        lambda b: b.add("concat", ["inptu"], IMAGE),
    ],
)
def test_unknown_tensors_are_told_with_the_nearest(use) -> None:
    b = GraphBuilder("odd")
    b.input(*IMAGE)
    with pytest.raises(
        UnknownNameError, match=r"^unknown tensor 'inptu'; did you mean 'input'\? \(network 'odd'\)$"
    ):
        use(b)


def test_what_was_refused_leaves_nothing_behind() -> None:
    b = GraphBuilder("odd")
    x = b.input(*IMAGE)
    with pytest.raises(UnknownNameError):
        b.add("concat", ["nothing"], IMAGE, name="a")
    assert b.build(b.add("concat", [x], IMAGE, name="a"))["a"].inputs == ("input",)


def test_two_inputs_of_one_name() -> None:
    b = GraphBuilder("twice")
    b.input(1, 3, 8, 8)
    with pytest.raises(ModelError, match=r"^network 'twice': two tensors are named 'input'$"):
        b.input(1, 3, 9, 9)
    b.input(1, 3, 9, 9, name="other")
    assert b.shape("input") == (1, 3, 8, 8)


def test_a_vector_has_no_channels() -> None:
    message = "network 'one': shape [8] has no axis 1"
    assert refusal("channels", shape=(8,)) == message
    assert refusal("batch_norm", shape=(8,)) == message
    b = GraphBuilder("one")
    with pytest.raises(ModelError) as caught:
        b.norm("group_norm", b.input(8))
    assert str(caught.value) == message


# --- windows and groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["conv", "depthwise", "deconv", "max_pool", "avg_pool"])
@pytest.mark.parametrize("what", ["kernel", "stride"])
@pytest.mark.parametrize("size", [0, -1, (3, 0), (1, 2, 3), (), 1.5])
def test_windows_are_positive(method: str, what: str, size) -> None:
    args = (4,) if method in ("conv", "deconv") else ()
    expected = f"network 'one': {what} must be one or two positive numbers, got {size!r}"
    assert refusal(method, *args, **{"kernel": 2, "stride": 1, what: size}) == expected


def test_dilations_are_positive() -> None:
    expected = "network 'one': dilation must be one or two positive numbers, got 0"
    assert refusal("conv", 4, 3, dilation=0) == expected


@pytest.mark.parametrize("padding", [(1, 2, 3), (), (1,)])
def test_borders_are_of_one_two_or_four_numbers(padding) -> None:
    assert (
        refusal("conv", 4, 3, padding=padding) == f"padding must be one number, two or four, got {padding!r}"
    )


def test_a_border_without_a_window_has_no_same() -> None:
    expected = "network 'one': pad has no window, so its padding must be numbers, got 'same'"
    assert refusal("pad", "same") == expected


@pytest.mark.parametrize(("method", "channels"), [("conv", 4), ("deconv", 4), ("channel_shuffle", None)])
@pytest.mark.parametrize("groups", [0, -2, 3])
def test_groups_divide_channels(method: str, channels: int | None, groups: int) -> None:
    args = () if channels is None else (channels,)
    shown = "8" if channels is None else f"8 -> {channels}"
    expected = f"network 'one': {shown} channels do not divide into {groups} groups"
    assert refusal(method, *args, groups=groups) == expected


def test_groups_divide_the_channels_that_a_deconvolution_gives() -> None:
    expected = "network 'one': 8 -> 6 channels do not divide into 4 groups"
    assert refusal("deconv", 6, groups=4) == expected


@pytest.mark.parametrize(("shape", "block"), [((1, 8, 5, 8), 2), ((1, 8, 6, 7), 2), ((1, 8, 4, 4), 0)])
def test_pixels_divide_into_blocks(shape: tuple[int, ...], block: int) -> None:
    expected = f"network 'one': {shape[2]}x{shape[3]} pixels do not divide into blocks of {block}"
    assert refusal("space_to_depth", block, shape=shape) == expected


# --- axes and sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [4, -5])
@pytest.mark.parametrize(("method", "args"), [("softmax", ()), ("concat", ()), ("split", (2,))])
def test_axes_are_those_of_the_shape(method: str, args: tuple[int, ...], axis: int) -> None:
    expected = f"network 'one': shape [1, 8, 10, 12] has no axis {axis}"
    assert refusal(method, *args, axis=axis) == expected


@pytest.mark.parametrize(
    ("parts", "sizes"), [(0, []), (-1, []), (9, [0] * 9), ([8, 0], [8, 0]), ([9, -1], [9, -1])]
)
def test_parts_have_elements(parts, sizes: list[int]) -> None:
    expected = f"network 'one': cannot cut axis 1 of [1, 8, 10, 12] into {sizes}"
    assert refusal("split", parts) == expected


@pytest.mark.parametrize("wanted", [(0, -1), (-1, -1), (-2, 480), (0,)])
def test_new_shapes_are_positive(wanted: tuple[int, ...]) -> None:
    expected = f"network 'one': sizes must be positive, and one may be -1; got {list(wanted)}"
    assert refusal("reshape", *wanted) == expected


@pytest.mark.parametrize("axes", [(0, 1), (0, 1, 2, 4), (0, 1, 1, 2), (), (0, 1, 2, -1)])
def test_permutations_name_every_axis_once(axes: tuple[int, ...]) -> None:
    assert refusal("transpose", axes) == (
        f"network 'one': transpose must name every axis of [1, 8, 10, 12] once, from 0 on, got {list(axes)}"
    )


# --- several inputs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("concat", "network 'none': concat needs at least one input, got none"),
        ("add_", "network 'none': an element-wise operator needs at least one input, got none"),
        ("mul", "network 'none': an element-wise operator needs at least one input, got none"),
    ],
)
def test_some_inputs(method: str, sentence: str) -> None:
    with pytest.raises(SocsimError) as caught:
        getattr(GraphBuilder("none"), method)()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3, 4), (3, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 8, 3, 4), (2, 7, 4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
    ],
)
def test_batches_of_products_agree(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    b = GraphBuilder("one")
    x, y = b.input(*left, name="x"), b.input(*right, name="y")
    with pytest.raises(ModelError) as caught:
        b.matmul(x, y)
    assert str(caught.value) == f"network 'one': cannot multiply {list(left)} by {list(right)}"
