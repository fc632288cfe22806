"""Low-rank decomposition: shapes, counts, and what stays whole."""

from __future__ import annotations

import pytest
from graphkit import networks, sound
from hypothesis import given
from hypothesis import strategies as st

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes
from socsim.workloads.transforms import FORMS, low_rank, prune
from socsim.workloads.zoo import build_model, model_names


def one_conv(
    kernel: object = 3, stride: object = 1, channels: tuple[int, int] = (32, 64), **options: object
) -> ModelGraph:
    """One convolution over 8x8 pixels."""
    b = GraphBuilder("net")
    x = b.input(1, channels[0], 8, 8)
    return b.build(b.conv(x, channels[1], kernel, stride, **options))  # type: ignore[arg-type]


def parts(graph: ModelGraph) -> list[tuple[str, tuple[int, ...], int, int]]:
    """Name, output shape, weights and MACs of every operator."""
    return [(op.name, graph.output_shape(op), op.weights, op.macs) for op in graph]


def test_tucker_has_a_small_core() -> None:
    graph = one_conv(stride=2, activation="relu")
    small = low_rank(graph, 0.25)
    assert parts(graph) == [("conv2d_1", (1, 64, 4, 4), 32 * 64 * 9 + 64, 32 * 64 * 9 * 16)]
    assert parts(small) == [
        ("conv2d_1/1", (1, 8, 8, 8), 32 * 8, 32 * 8 * 64),
        ("conv2d_1/2", (1, 16, 4, 4), 8 * 16 * 9, 8 * 16 * 9 * 16),
        ("conv2d_1", (1, 64, 4, 4), 16 * 64 + 64, 16 * 64 * 16),
    ]
    assert [(op.get("kernel"), op.get("stride"), op.get("activation")) for op in small] == [
        ((1, 1), (1, 1), None),
        ((3, 3), (2, 2), None),
        ((1, 1), (1, 1), "relu"),
    ]
    assert small["conv2d_1/2"].get("padding") == graph["conv2d_1"].get("padding")


def test_spatial_is_a_column_and_a_row() -> None:
    graph = one_conv((3, 5), (2, 1), dilation=(1, 1), padding=(1, 2))
    small = low_rank(graph, 0.25, form="spatial")
    rank = 24  # a quarter of 32 channels x 3 rows
    assert parts(small) == [
        ("conv2d_1/1", (1, rank, 4, 8), 32 * rank * 3, 32 * rank * 3 * 32),
        ("conv2d_1", (1, 64, 4, 8), rank * 64 * 5 + 64, rank * 64 * 5 * 32),
    ]
    column, row = small
    assert (column.get("kernel"), column.get("stride"), column.get("padding")) == (
        (3, 1),
        (2, 1),
        (1, 0, 1, 0),
    )
    assert (row.get("kernel"), row.get("stride"), row.get("padding")) == ((1, 5), (1, 1), (0, 2, 0, 2))


def test_channel_is_narrow_and_widens_again() -> None:
    small = low_rank(one_conv(), 0.25, form="channel")
    assert parts(small) == [
        ("conv2d_1/1", (1, 16, 8, 8), 32 * 16 * 9, 32 * 16 * 9 * 64),
        ("conv2d_1", (1, 64, 8, 8), 16 * 64 + 64, 16 * 64 * 64),
    ]


def test_points_are_decomposed_by_channel_only() -> None:
    graph = one_conv(1, channels=(64, 64))
    assert [len(low_rank(graph, 0.25, form=form)) for form in ("tucker", "spatial", "channel")] == [1, 1, 2]


def test_a_row_is_not_divided_into_rows() -> None:
    assert len(low_rank(one_conv((1, 7)), 0.25, form="spatial")) == 1


@pytest.mark.parametrize("form", FORMS)
def test_fully_connected_layers_become_two(form: str) -> None:
    b = GraphBuilder("net")
    graph = b.build(b.dense(b.input(1, 8, 4, 4), 64, activation="relu"))
    small = low_rank(graph, 0.25, form=form)
    assert parts(small) == [
        ("fully_connected_1/1", (1, 16), 128 * 16, 128 * 16),
        ("fully_connected_1", (1, 64), 16 * 64 + 64, 16 * 64),
    ]
    assert [op.get("activation") for op in small] == [None, "relu"]


def test_products_with_a_matrix_become_two() -> None:
    b = GraphBuilder("net")
    small = low_rank(b.build(b.linear(b.input(1, 7, 64), 256, bias=False)), 0.5)
    assert parts(small) == [
        ("matmul_1/1", (1, 7, 32), 64 * 32, 7 * 64 * 32),
        ("matmul_1", (1, 7, 256), 8192, 7 * 8192),
    ]


def test_products_of_activations_stay() -> None:
    b = GraphBuilder("net")
    x = b.input(1, 64, 64)
    graph = b.build(b.matmul(x, x))
    assert parts(low_rank(graph, 0.25)) == parts(graph)


@pytest.mark.parametrize(
    "graph",
    [
        one_conv(groups=4),
        one_conv(channels=(32, 32), groups=32),
        one_conv(channels=(3, 64)),
        one_conv(channels=(64, 8)),
        one_conv(1),
    ],
)
def test_what_stays_whole(graph: ModelGraph) -> None:
    assert parts(low_rank(graph, 0.25)) == parts(graph)


def test_small_layers_on_demand() -> None:
    assert len(low_rank(one_conv(channels=(8, 8)), 0.25, least=8)) == 3
    assert len(low_rank(one_conv(channels=(8, 8)), 0.25)) == 1


def test_nothing_is_decomposed_that_saves_nothing() -> None:
    graph = one_conv()
    assert len(low_rank(graph, 1.0)) == 1
    assert len(low_rank(graph, 1.0, always=True)) == 3


def test_every_rank_is_at_least_one() -> None:
    assert low_rank(one_conv(), 1e-6).tensors["conv2d_1/1"].shape == (1, 1, 8, 8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel", [3, (3, 5), 7])
@pytest.mark.parametrize("channels", [(16, 64), (64, 16), (32, 32)])
@pytest.mark.parametrize("stride", [1, 2])
def test_full_rank_costs_at_least_the_original(
    form: str, kernel: object, channels: tuple[int, int], stride: int
) -> None:
    graph = one_conv(kernel, stride, channels)
    full = low_rank(graph, 1.0, form=form, always=True)
    assert len(full) > len(graph)
    assert full.macs >= graph.macs
    assert full.parameters >= graph.parameters
    assert sum(part_bytes(full, op, "fp32") for op in full) >= sum(
        part_bytes(graph, op, "fp32") for op in graph
    )


@pytest.mark.parametrize("name", [n for n in model_names() if n not in ("mobilebert", "vit_b16")])
def test_the_zoo(name: str) -> None:
    graph = build_model(name)
    for form in FORMS:
        assert low_rank(graph, 1.0, form=form, always=True, least=1).macs >= graph.macs
    small = low_rank(graph, 0.25)
    sound(graph, small)
    assert small.macs <= graph.macs
    assert set(graph.operators) <= set(small.operators)


@given(networks(), st.sampled_from(tuple(FORMS)), st.floats(0.05, 1.0))
def test_random_networks_never_cost_more(graph: ModelGraph, form: str, rank: float) -> None:
    small = low_rank(graph, rank, form=form, least=1)
    sound(graph, small)
    assert small.macs <= graph.macs
    assert low_rank(graph, 1.0, form=form, least=1, always=True).macs >= graph.macs


@pytest.mark.parametrize("form", FORMS)
def test_what_is_decomposed_can_be_decomposed_again(form: str) -> None:
    """64 -> 64 features by 16, and each of both by 8: names that are taken get a number."""
    b = GraphBuilder("net")
    graph = b.build(b.dense(b.input(1, 64), 64, name="fc"))
    twice = low_rank(low_rank(graph, 0.25, form=form), 0.5, form=form)
    assert [(op.name, op.inputs, twice.output_shape(op)) for op in twice] == [
        ("fc/1/1", ("input",), (1, 8)),
        ("fc/1", ("fc/1/1",), (1, 16)),
        ("fc/1_2", ("fc/1",), (1, 8)),
        ("fc", ("fc/1_2",), (1, 64)),
    ]
    assert twice.macs == 64 * 8 + 8 * 16 + 16 * 8 + 8 * 64


@given(networks(), st.sampled_from(tuple(FORMS)), st.integers(2, 3))
def test_again_and_again(graph: ModelGraph, form: str, times: int) -> None:
    small = graph
    for _ in range(times):
        smaller = low_rank(small, 0.5, form=form, least=2, always=True)
        sound(graph, smaller)
        small = smaller
    assert len(small) == len(set(small.operators))


@given(networks())
def test_what_is_decomposed_can_still_be_pruned(graph: ModelGraph) -> None:
    small = low_rank(graph, 0.5, least=1, always=True)
    pruned = prune(small, 0.5, multiple=1)
    sound(graph, pruned)
    assert pruned.macs < small.macs


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rank": 0}, "rank must be a number above 0 and at most 1, got 0"),
        ({"rank": 1.1}, "got 1.1"),
        ({"rank": 0.5, "form": "tuker"}, "unknown form 'tuker'; did you mean 'tucker'"),
        ({"rank": 0.5, "form": "cp"}, "known: tucker, spatial, channel"),
        ({"rank": 0.5, "least": 0}, "least must be a whole number from 1, got 0"),
        ({"rank": 0.5, "always": "yes"}, "always must be true or false, got 'yes'"),
    ],
)
def test_arguments_outside_their_rule(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        low_rank(one_conv(), **options)  # type: ignore[arg-type]


def test_the_name_tells_what_differs_from_the_defaults() -> None:
    assert low_rank(one_conv(), 0.5).name == "net+low_rank(0.5)"
    assert low_rank(one_conv(), 0.5, form="channel", least=4, always=True).name == (
        "net+low_rank(0.5, form=channel, least=4, always=true)"
    )
