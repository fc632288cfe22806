"""Networks of the zoo against the tables of their papers and reference code, one row a layer.

A table has one line a block, ``size: layers``, and ``size: n * layers`` for n blocks one behind the other:

- ``3x3/2 64 relu``: kernel, stride (1 if left out), channels out, fused function (none if left out);
- ``d3x3``: depth-wise; ``g32``: in groups; ``@56``: at another size than the line's; ``nobias``: without a bias;
- each layer reads the one before; with ``<`` the input of its block, with ``^`` the input of the layer before;
- ``fc 1000``: fully connected; ``= 256``: channels that the block gives where its last layer does not tell.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest

from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.operators import MAC_TYPES
from socsim.workloads.zoo import build_model


class Layer(NamedTuple):
    kernel: tuple[int, int]
    stride: int
    into: int
    out: int
    size: int
    groups: int
    function: str | None
    macs: int
    weights: int


def layer_of(text: str, size: int, into: int) -> Layer:
    """One layer of a table that reads `into` channels and gives a map of `size` x `size`."""
    kind, *words = text.split()
    bias = "nobias" not in words
    words = [w for w in words if w != "nobias"]
    numbers = [int(w) for w in words if w.isdigit()]
    groups = next((int(w[1:]) for w in words if w[0] == "g" and w[1:].isdigit()), 1)
    size = next((int(w[1:]) for w in words if w[0] == "@"), size)
    functions = [w for w in words if w.isidentifier() and not (w[0] == "g" and w[1:].isdigit())]
    if kind == "fc":
        (out,) = numbers
        return Layer(
            (1, 1), 1, into, out, 1, 1, (functions or [None])[0], into * out, into * out + bias * out
        )
    window, _, stride = kind.lstrip("d").partition("/")
    height, width = (int(n) for n in window.split("x"))
    out = numbers[0] if numbers else into
    groups = into if kind[0] == "d" else groups
    filters = out * (into // groups) * height * width
    return Layer(
        (height, width),
        int(stride or 1),
        into,
        out,
        size,
        groups,
        (functions or [None])[0],
        filters * size * size,
        filters + bias * out,
    )


def table(text: str, channels: int = 3) -> list[Layer]:
    """All layers of a table whose first one reads `channels`."""
    rows: list[Layer] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        size, _, block = line.partition(":")
        times, starred, listed = block.rpartition("*")
        listed, _, total = listed.partition("=")
        for _ in range(int(times) if starred else 1):
            first = before = channels
            for step in listed.split(","):
                mark, step = (step.strip()[0], step.strip())
                into = first if mark == "<" else before if mark == "^" else channels
                rows.append(layer_of(step.lstrip("<^"), int(size), into))
                before, channels = into, rows[-1].out
            channels = int(total) if total else channels
    return rows


def mac_operators(graph: ModelGraph) -> list[Operator]:
    return [op for op in graph if op.type in MAC_TYPES]


def built(graph: ModelGraph) -> list[Layer]:
    rows = []
    for op in mac_operators(graph):
        (into, *_), out = graph.input_shapes(op), graph.output_shape(op)
        if op.type == "fully_connected":
            rows.append(Layer((1, 1), 1, into[1], out[1], 1, 1, op.get("activation"), op.macs, op.weights))
            assert all(n == 1 for n in into[2:])
            continue
        assert out[2] == out[3]
        assert len(set(op.get("stride"))) == 1
        rows.append(
            Layer(
                op.get("kernel"),
                op.get("stride")[0],
                into[1],
                out[1],
                out[2],
                op.get("groups"),
                op.get("activation"),
                op.macs,
                op.weights,
            )
        )
    return rows


# --- residual networks: He et al. 2015, table 1; Xie et al. 2017, table 1; torchvision's resnet.py ------------

RESNET34 = """
112: 7x7/2 64 relu
56: 3 * 3x3 64 relu, 3x3 64
28: 1x1/2 128, <3x3/2 128 relu, 3x3 128
28: 3 * 3x3 128 relu, 3x3 128
14: 1x1/2 256, <3x3/2 256 relu, 3x3 256
14: 5 * 3x3 256 relu, 3x3 256
7: 1x1/2 512, <3x3/2 512 relu, 3x3 512
7: 2 * 3x3 512 relu, 3x3 512
1: fc 1000
"""
RESNET50_V15 = """
112: 7x7/2 64 relu
56: 1x1 256, <1x1 64 relu, 3x3 64 relu, 1x1 256
56: 2 * 1x1 64 relu, 3x3 64 relu, 1x1 256
28: 1x1/2 512, <1x1 128 @56 relu, 3x3/2 128 relu, 1x1 512
28: 3 * 1x1 128 relu, 3x3 128 relu, 1x1 512
14: 1x1/2 1024, <1x1 256 @28 relu, 3x3/2 256 relu, 1x1 1024
14: 5 * 1x1 256 relu, 3x3 256 relu, 1x1 1024
7: 1x1/2 2048, <1x1 512 @14 relu, 3x3/2 512 relu, 1x1 2048
7: 2 * 1x1 512 relu, 3x3 512 relu, 1x1 2048
1: fc 1000
"""
RESNEXT50 = """
112: 7x7/2 64 relu
56: 1x1 128 relu, 3x3 128 g32 relu, 1x1 256, <1x1 256
56: 2 * 1x1 128 relu, 3x3 128 g32 relu, 1x1 256
28: 1x1 256 @56 relu, 3x3/2 256 g32 relu, 1x1 512, <1x1/2 512
28: 3 * 1x1 256 relu, 3x3 256 g32 relu, 1x1 512
14: 1x1 512 @28 relu, 3x3/2 512 g32 relu, 1x1 1024, <1x1/2 1024
14: 5 * 1x1 512 relu, 3x3 512 g32 relu, 1x1 1024
7: 1x1 1024 @14 relu, 3x3/2 1024 g32 relu, 1x1 2048, <1x1/2 2048
7: 2 * 1x1 1024 relu, 3x3 1024 g32 relu, 1x1 2048
1: fc 1000
"""
RESNEXT101 = """
112: 7x7/2 64 relu
56: 1x1 256 relu, 3x3 256 g32 relu, 1x1 256, <1x1 256
56: 2 * 1x1 256 relu, 3x3 256 g32 relu, 1x1 256
28: 1x1 512 @56 relu, 3x3/2 512 g32 relu, 1x1 512, <1x1/2 512
28: 3 * 1x1 512 relu, 3x3 512 g32 relu, 1x1 512
14: 1x1 1024 @28 relu, 3x3/2 1024 g32 relu, 1x1 1024, <1x1/2 1024
14: 22 * 1x1 1024 relu, 3x3 1024 g32 relu, 1x1 1024
7: 1x1 2048 @14 relu, 3x3/2 2048 g32 relu, 1x1 2048, <1x1/2 2048
7: 2 * 1x1 2048 relu, 3x3 2048 g32 relu, 1x1 2048
1: fc 1000
"""
RESNET50_V2 = """
150: 7x7/2 64
75: 1x1 256, <1x1 64 relu, 3x3 64 relu, 1x1 256
75: 1x1 64 relu, 3x3 64 relu, 1x1 256
38: 1x1 64 @75 relu, 3x3/2 64 relu, 1x1 256
38: 1x1 512, <1x1 128 relu, 3x3 128 relu, 1x1 512
38: 2 * 1x1 128 relu, 3x3 128 relu, 1x1 512
19: 1x1 128 @38 relu, 3x3/2 128 relu, 1x1 512
19: 1x1 1024, <1x1 256 relu, 3x3 256 relu, 1x1 1024
19: 4 * 1x1 256 relu, 3x3 256 relu, 1x1 1024
10: 1x1 256 @19 relu, 3x3/2 256 relu, 1x1 1024
10: 1x1 2048, <1x1 512 relu, 3x3 512 relu, 1x1 2048
10: 2 * 1x1 512 relu, 3x3 512 relu, 1x1 2048
1: 1x1 1001
"""
# Radosavovic et al. 2020, table 2 (depths 2, 6, 15, 2; widths 96, 192, 432, 1008; groups of 48 channels).
REGNET_X_32 = """
112: 3x3/2 32 relu
56: 1x1 96 @112 relu, 3x3/2 96 g2 relu, 1x1 96, <1x1/2 96
56: 1x1 96 relu, 3x3 96 g2 relu, 1x1 96
28: 1x1 192 @56 relu, 3x3/2 192 g4 relu, 1x1 192, <1x1/2 192
28: 5 * 1x1 192 relu, 3x3 192 g4 relu, 1x1 192
14: 1x1 432 @28 relu, 3x3/2 432 g9 relu, 1x1 432, <1x1/2 432
14: 14 * 1x1 432 relu, 3x3 432 g9 relu, 1x1 432
7: 1x1 1008 @14 relu, 3x3/2 1008 g21 relu, 1x1 1008, <1x1/2 1008
7: 1x1 1008 relu, 3x3 1008 g21 relu, 1x1 1008
1: fc 1000
"""

# --- inverted residuals: Sandler et al. 2018, Howard et al. 2019, Tan and Le 2019 and 2021 --------------------

MOBILENET_V2 = """
112: 3x3/2 32 relu6
112: d3x3 relu6, 1x1 16
56: 1x1 96 @112 relu6, d3x3/2 relu6, 1x1 24
56: 1x1 144 relu6, d3x3 relu6, 1x1 24
28: 1x1 144 @56 relu6, d3x3/2 relu6, 1x1 32
28: 2 * 1x1 192 relu6, d3x3 relu6, 1x1 32
14: 1x1 192 @28 relu6, d3x3/2 relu6, 1x1 64
14: 3 * 1x1 384 relu6, d3x3 relu6, 1x1 64
14: 1x1 384 relu6, d3x3 relu6, 1x1 96
14: 2 * 1x1 576 relu6, d3x3 relu6, 1x1 96
7: 1x1 576 @14 relu6, d3x3/2 relu6, 1x1 160
7: 2 * 1x1 960 relu6, d3x3 relu6, 1x1 160
7: 1x1 960 relu6, d3x3 relu6, 1x1 320
7: 1x1 1280 relu6
1: fc 1000
"""
MOBILENET_V3_LARGE = """
112: 3x3/2 16 hswish
112: d3x3 relu, 1x1 16
56: 1x1 64 @112 relu, d3x3/2 relu, 1x1 24
56: 1x1 72 relu, d3x3 relu, 1x1 24
28: 1x1 72 @56 relu, d5x5/2 relu, 1x1 24 @1 relu, 1x1 72 @1 hsigmoid, 1x1 40
28: 2 * 1x1 120 relu, d5x5 relu, 1x1 32 @1 relu, 1x1 120 @1 hsigmoid, 1x1 40
14: 1x1 240 @28 hswish, d3x3/2 hswish, 1x1 80
14: 1x1 200 hswish, d3x3 hswish, 1x1 80
14: 2 * 1x1 184 hswish, d3x3 hswish, 1x1 80
14: 1x1 480 hswish, d3x3 hswish, 1x1 120 @1 relu, 1x1 480 @1 hsigmoid, 1x1 112
14: 1x1 672 hswish, d3x3 hswish, 1x1 168 @1 relu, 1x1 672 @1 hsigmoid, 1x1 112
7: 1x1 672 @14 hswish, d5x5/2 hswish, 1x1 168 @1 relu, 1x1 672 @1 hsigmoid, 1x1 160
7: 2 * 1x1 960 hswish, d5x5 hswish, 1x1 240 @1 relu, 1x1 960 @1 hsigmoid, 1x1 160
7: 1x1 960 hswish
1: fc 1280 hswish, fc 1000
"""
EFFICIENTNET_LITE0 = """
112: 3x3/2 32 relu6
112: d3x3 relu6, 1x1 16
56: 1x1 96 @112 relu6, d3x3/2 relu6, 1x1 24
56: 1x1 144 relu6, d3x3 relu6, 1x1 24
28: 1x1 144 @56 relu6, d5x5/2 relu6, 1x1 40
28: 1x1 240 relu6, d5x5 relu6, 1x1 40
14: 1x1 240 @28 relu6, d3x3/2 relu6, 1x1 80
14: 2 * 1x1 480 relu6, d3x3 relu6, 1x1 80
14: 1x1 480 relu6, d5x5 relu6, 1x1 112
14: 2 * 1x1 672 relu6, d5x5 relu6, 1x1 112
7: 1x1 672 @14 relu6, d5x5/2 relu6, 1x1 192
7: 3 * 1x1 1152 relu6, d5x5 relu6, 1x1 192
7: 1x1 1152 relu6, d3x3 relu6, 1x1 320
7: 1x1 1280 relu6
1: fc 1000
"""
EFFICIENTNET_LITE2 = """
130: 3x3/2 32 relu6
130: d3x3 relu6, 1x1 16
65: 1x1 96 @130 relu6, d3x3/2 relu6, 1x1 24
65: 2 * 1x1 144 relu6, d3x3 relu6, 1x1 24
33: 1x1 144 @65 relu6, d5x5/2 relu6, 1x1 48
33: 2 * 1x1 288 relu6, d5x5 relu6, 1x1 48
17: 1x1 288 @33 relu6, d3x3/2 relu6, 1x1 88
17: 3 * 1x1 528 relu6, d3x3 relu6, 1x1 88
17: 1x1 528 relu6, d5x5 relu6, 1x1 120
17: 3 * 1x1 720 relu6, d5x5 relu6, 1x1 120
9: 1x1 720 @17 relu6, d5x5/2 relu6, 1x1 208
9: 4 * 1x1 1248 relu6, d5x5 relu6, 1x1 208
9: 1x1 1248 relu6, d3x3 relu6, 1x1 352
9: 1x1 1280 relu6
1: fc 1000
"""
EFFICIENTNET_V2_S = """
192: 3x3/2 24 swish
192: 2 * 3x3 24 swish
96: 3x3/2 96 swish, 1x1 48
96: 3 * 3x3 192 swish, 1x1 48
48: 3x3/2 192 swish, 1x1 64
48: 3 * 3x3 256 swish, 1x1 64
24: 1x1 256 @48 swish, d3x3/2 swish, 1x1 16 @1 swish, 1x1 256 @1 sigmoid, 1x1 128
24: 5 * 1x1 512 swish, d3x3 swish, 1x1 32 @1 swish, 1x1 512 @1 sigmoid, 1x1 128
24: 1x1 768 swish, d3x3 swish, 1x1 32 @1 swish, 1x1 768 @1 sigmoid, 1x1 160
24: 8 * 1x1 960 swish, d3x3 swish, 1x1 40 @1 swish, 1x1 960 @1 sigmoid, 1x1 160
12: 1x1 960 @24 swish, d3x3/2 swish, 1x1 40 @1 swish, 1x1 960 @1 sigmoid, 1x1 256
12: 14 * 1x1 1536 swish, d3x3 swish, 1x1 64 @1 swish, 1x1 1536 @1 sigmoid, 1x1 256
12: 1x1 1280 swish
1: fc 1000
"""

# --- others: Liu et al. 2022, table 9; Simonyan and Zisserman 2014, table 1, column E; Huang et al. 2016 -------

CONVNEXT_T = """
56: 4x4/4 96
56: 3 * d7x7, 1x1 384, 1x1 96
28: 2x2/2 192
28: 3 * d7x7, 1x1 768, 1x1 192
14: 2x2/2 384
14: 9 * d7x7, 1x1 1536, 1x1 384
7: 2x2/2 768
7: 3 * d7x7, 1x1 3072, 1x1 768
1: fc 1000
"""
CONVNEXT_B = """
56: 4x4/4 128
56: 3 * d7x7, 1x1 512, 1x1 128
28: 2x2/2 256
28: 3 * d7x7, 1x1 1024, 1x1 256
14: 2x2/2 512
14: 27 * d7x7, 1x1 2048, 1x1 512
7: 2x2/2 1024
7: 3 * d7x7, 1x1 4096, 1x1 1024
1: fc 1000
"""


def dense_block(size: int, first: int, last: int) -> str:
    """Layers of DenseNet whose inputs have `first` to `last` channels; each gives 32 more than it reads."""
    return "\n".join(
        f"{size}: 1x1 128 relu, 3x3 32 nobias = {channels}" for channels in range(first + 32, last + 33, 32)
    )


DENSENET121 = f"""
112: 7x7/2 64 relu
{dense_block(56, 64, 224)}
56: 1x1 128 nobias
{dense_block(28, 128, 480)}
28: 1x1 256 nobias
{dense_block(14, 256, 992)}
14: 1x1 512 nobias
{dense_block(7, 512, 992)}
1: fc 1000
"""

# --- Inception: Szegedy et al. 2014, table 1, and torchvision's googlenet.py; 2015, table 1; 2016, figures 3-9 --


def inception(size: int, one: int, pair: str, double: str, pool: int, total: int) -> str:
    """A module of GoogLeNet as torchvision has it: 3x3 kernels where the paper's have 5x5."""
    (a, b), (c, d) = pair.split(), double.split()
    return (
        f"{size}: 1x1 {one} relu, <1x1 {a} relu, 3x3 {b} relu, <1x1 {c} relu, 3x3 {d} relu,"
        f" <1x1 {pool} relu = {total}"
    )


GOOGLENET_TORCH = f"""
112: 7x7/2 64 relu
56: 1x1 64 relu, 3x3 192 relu
{inception(28, 64, "96 128", "16 32", 32, 256)}
{inception(28, 128, "128 192", "32 96", 64, 480)}
{inception(14, 192, "96 208", "16 48", 64, 512)}
{inception(14, 160, "112 224", "24 64", 64, 512)}
{inception(14, 128, "128 256", "24 64", 64, 512)}
{inception(14, 112, "144 288", "32 64", 64, 528)}
{inception(14, 256, "160 320", "32 128", 128, 832)}
{inception(7, 256, "160 320", "32 128", 128, 832)}
{inception(7, 384, "192 384", "48 128", 128, 1024)}
1: fc 1000
"""

_SEVENS = (
    "17: 1x1 192 relu, <1x1 {c} relu, 1x7 {c} relu, 7x1 192 relu, <1x1 {c} relu, 7x1 {c} relu, 1x7 {c} relu,"
    " 7x1 {c} relu, 1x7 192 relu, <1x1 192 relu = 768"
)
_SMALL = "35: 1x1 64 relu, <1x1 48 relu, 5x5 64 relu, <1x1 64 relu, 3x3 96 relu, 3x3 96 relu"
INCEPTION_V3 = f"""
149: 3x3/2 32 relu
147: 3x3 32 relu, 3x3 64 relu
73: 1x1 80 relu, 3x3 192 @71 relu
{_SMALL}, <1x1 32 relu = 256
{_SMALL}, <1x1 64 relu = 288
{_SMALL}, <1x1 64 relu = 288
17: 3x3/2 384 relu, <1x1 64 @35 relu, 3x3 96 @35 relu, 3x3/2 96 relu = 768
{_SEVENS.format(c=128)}
{_SEVENS.format(c=160)}
{_SEVENS.format(c=160)}
{_SEVENS.format(c=192)}
8: 1x1 192 @17 relu, 3x3/2 320 relu, <1x1 192 @17 relu, 1x7 192 @17 relu, 7x1 192 @17 relu, 3x3/2 192 relu = 1280
8: 2 * 1x1 320 relu, <1x1 384 relu, 1x3 384 relu, ^3x1 384 relu, \
<1x1 448 relu, 3x3 384 relu, 1x3 384 relu, ^3x1 384 relu, <1x1 192 relu = 2048
1: fc 1000
"""
INCEPTION_V4 = """
149: 3x3/2 32 relu
147: 3x3 32 relu, 3x3 64 relu
73: 3x3/2 96 relu = 160
71: 1x1 64 @73 relu, 3x3 96 relu, <1x1 64 @73 relu, 1x7 64 @73 relu, 7x1 64 @73 relu, 3x3 96 relu = 192
35: 3x3/2 192 relu = 384
35: 4 * 1x1 96 relu, <1x1 64 relu, 3x3 96 relu, <1x1 64 relu, 3x3 96 relu, 3x3 96 relu, <1x1 96 relu = 384
17: 3x3/2 384 relu, <1x1 192 @35 relu, 3x3 224 @35 relu, 3x3/2 256 relu = 1024
17: 7 * 1x1 384 relu, <1x1 192 relu, 1x7 224 relu, 7x1 256 relu, \
<1x1 192 relu, 7x1 192 relu, 1x7 224 relu, 7x1 224 relu, 1x7 256 relu, <1x1 128 relu = 1024
8: 1x1 192 @17 relu, 3x3/2 192 relu, <1x1 256 @17 relu, 1x7 256 @17 relu, 7x1 320 @17 relu, 3x3/2 320 relu = 1536
8: 3 * 1x1 256 relu, <1x1 384 relu, 1x3 256 relu, ^3x1 256 relu, \
<1x1 384 relu, 3x1 448 relu, 1x3 512 relu, 1x3 256 relu, ^3x1 256 relu, <1x1 256 relu = 1536
1: fc 1000
"""
# Liu et al. 2016 on Howard et al. 2017; boxes and scores of 91 classes, three anchors on the first map, then six.
SSD_MOBILENET_V1 = """
150: 3x3/2 32 relu
150: d3x3 relu, 1x1 64 relu
75: d3x3/2 relu, 1x1 128 relu, d3x3 relu, 1x1 128 relu
38: d3x3/2 relu, 1x1 256 relu, d3x3 relu, 1x1 256 relu
19: d3x3/2 relu, 1x1 512 relu
19: 5 * d3x3 relu, 1x1 512 relu
10: d3x3/2 relu, 1x1 1024 relu, d3x3 relu, 1x1 1024 relu
5: 1x1 256 @10 relu, 3x3/2 512 relu
3: 1x1 128 @5 relu, 3x3/2 256 relu
2: 1x1 128 @3 relu, 3x3/2 256 relu
1: 1x1 64 @2 relu, 3x3/2 128 relu = 512
19: 1x1 12, <1x1 273 = 1024
10: 1x1 24, <1x1 546 = 512
5: 1x1 24, <1x1 546 = 256
3: 1x1 24, <1x1 546 = 256
2: 1x1 24, <1x1 546 = 128
1: 1x1 24, <1x1 546
"""

TABLES = {
    "convnext_base": CONVNEXT_B,
    "convnext_tiny": CONVNEXT_T,
    "densenet121": DENSENET121,
    "efficientnet_lite0": EFFICIENTNET_LITE0,
    "efficientnet_lite2": EFFICIENTNET_LITE2,
    "efficientnet_v2_s": EFFICIENTNET_V2_S,
    "googlenet_torch": GOOGLENET_TORCH,
    "inception_v3": INCEPTION_V3,
    "inception_v4": INCEPTION_V4,
    "mobilenet_v2_tf": MOBILENET_V2,
    "mobilenet_v3_large": MOBILENET_V3_LARGE,
    "regnet_x_3.2gf": REGNET_X_32,
    "resnet34": RESNET34,
    "resnet50_v1.5": RESNET50_V15,
    "resnet50_v2": RESNET50_V2,
    "resnext50": RESNEXT50,
    "resnext101": RESNEXT101,
    "ssd_mobilenet_v1": SSD_MOBILENET_V1,
    # as ResNet-50 and ResNeXt-50 with fewer or more of one kind of unit
    "resnet101": RESNET50_V15.replace("14: 5 *", "14: 22 *"),
    "wide_resnet50": RESNEXT50.replace(" g32", ""),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_layer_of_the_table_in_order(name: str) -> None:
    have, want = built(build_model(name)), table(TABLES[name])
    for i, (mine, theirs) in enumerate(zip(have, want, strict=False)):
        assert mine == theirs, f"layer {i + 1}"
    assert len(have) == len(want)


def test_a_table_is_read_as_it_says() -> None:
    rows = table("8: 3x3/2 4 relu nobias\n8: 2 * d5x5, <1x3 6 g2 @7, ^3x1 2 = 4\n1: fc 10 tanh")
    assert rows[:4] == [
        Layer((3, 3), 2, 3, 4, 8, 1, "relu", 27 * 4 * 64, 27 * 4),
        Layer((5, 5), 1, 4, 4, 8, 4, None, 25 * 4 * 64, 25 * 4 + 4),
        Layer((1, 3), 1, 4, 6, 7, 2, None, 6 * 2 * 3 * 49, 6 * 2 * 3 + 6),
        Layer((3, 1), 1, 4, 2, 8, 1, None, 3 * 8 * 64, 3 * 8 + 2),
    ]
    assert rows[4].into == rows[1].into == 4
    assert rows[7] == Layer((1, 1), 1, 4, 10, 1, 1, "tanh", 40, 50)


# --- what lies between the layers -----------------------------------------------------------------------------

POOLS = {
    "convnext_tiny": [],
    "densenet121": [("max_pool", 3, 2, 56), *[("avg_pool", 2, 2, s) for s in (28, 14, 7)], ("avg_pool", 7, 1, 1)],
    "googlenet_torch": [
        *[("max_pool", 3, 2, s) for s in (56, 28)],
        *[("max_pool", 3, 1, 28)] * 2,
        ("max_pool", 3, 2, 14),
        *[("max_pool", 3, 1, 14)] * 5,
        ("max_pool", 2, 2, 7),
        *[("max_pool", 3, 1, 7)] * 2,
        ("avg_pool", 7, 1, 1),
    ],
    "inception_v3": [
        *[("max_pool", 3, 2, s) for s in (73, 35)],
        *[("avg_pool", 3, 1, 35)] * 3,
        ("max_pool", 3, 2, 17),
        *[("avg_pool", 3, 1, 17)] * 4,
        ("max_pool", 3, 2, 8),
        *[("avg_pool", 3, 1, 8)] * 2,
        ("avg_pool", 8, 1, 1),
    ],
    "inception_v4": [
        *[("max_pool", 3, 2, s) for s in (73, 35)],
        *[("avg_pool", 3, 1, 35)] * 4,
        ("max_pool", 3, 2, 17),
        *[("avg_pool", 3, 1, 17)] * 7,
        ("max_pool", 3, 2, 8),
        *[("avg_pool", 3, 1, 8)] * 3,
        ("avg_pool", 8, 1, 1),
    ],
    "resnet34": [("max_pool", 3, 2, 56), ("avg_pool", 7, 1, 1)],
    "resnet50_v2": [("max_pool", 3, 2, 75), *[("max_pool", 1, 2, s) for s in (38, 19, 10)]],
    "resnext50": [("max_pool", 3, 2, 56)],
    "ssd_mobilenet_v1": [],
    "vgg19": [("max_pool", 2, 2, s) for s in (112, 56, 28, 14, 7)],
}  # fmt: skip
"""Kind, kernel, stride and height of the result of every pooling over windows, in order."""


@pytest.mark.parametrize("name", POOLS)
def test_every_pooling_in_order(name: str) -> None:
    graph = build_model(name)
    pools = [op for op in graph if op.type.endswith("_pool")]
    assert [
        (op.type, op.get("kernel")[0], op.get("stride")[0], graph.output_shape(op)[2]) for op in pools
    ] == POOLS[name]


def depth_from(graph: ModelGraph, start: str, end: Operator) -> int | None:
    """Layers with weights on the shortest way from tensor `start` to `end`, itself left out; None without a way."""
    layers = {start: 0}
    for op in graph:
        known = [layers[t] for t in op.inputs if t in layers]
        if op == end:
            return min(known, default=None)
        if known:
            layers |= dict.fromkeys(op.outputs, min(known) + (op.type in MAC_TYPES))
    return None


@pytest.mark.parametrize(
    ("name", "shortcuts", "projected", "layers"),
    [
        ("resnet34", 16, 3, 2),
        ("resnet50_v1.5", 16, 4, 3),
        ("resnet101", 33, 4, 3),
        ("resnext50", 16, 4, 3),
        ("resnext101", 33, 4, 3),
        ("wide_resnet50", 16, 4, 3),
        ("regnet_x_3.2gf", 25, 4, 3),
        ("resnet50_v2", 16, 4, 3),
        ("mobilenet_v2_tf", 10, 0, 3),
        ("efficientnet_lite0", 9, 0, 3),
        ("efficientnet_lite2", 14, 0, 3),
    ],
)
def test_shortcuts_go_around_one_unit(name: str, shortcuts: int, projected: int, layers: int) -> None:
    """Each sum has a branch of as many layers as a unit has, and one of none or of the projection alone."""
    graph = build_model(name)
    sums = [op for op in graph if op.type == "eltwise" and op.get("function") == "add"]
    assert len(sums) == shortcuts
    found = Counter(tuple(sorted(branch_lengths(graph, op))) for op in sums)
    assert found == Counter({(1, layers): projected, (0, layers): shortcuts - projected}) - Counter()


def branch_lengths(graph: ModelGraph, join: Operator) -> list[int]:
    """Layers with weights of both branches behind the nearest tensor from which both come."""
    ahead = [ancestors(graph, tensor) for tensor in join.inputs]
    common = [t for op in graph for t in op.outputs if all(t in up for up in ahead)]
    return [up[common[-1]] for up in ahead]


def ancestors(graph: ModelGraph, tensor: str) -> dict[str, int]:
    """Tensors that `tensor` is made of -> fewest layers with weights between."""
    found = {tensor: 0}
    for op in reversed(list(graph)):
        below = [found[t] for t in op.outputs if t in found]
        for read in op.inputs if below else ():
            cost = min(below) + (op.type in MAC_TYPES)
            found[read] = min(found.get(read, cost), cost)
    return found


# --- what follows the layers at once ----------------------------------------------------------------------------

Functions = dict[str, dict[str | None, int]]
CONV, DEPTHWISE, GROUPED, DENSE = "conv2d", "depthwise_conv2d", "grouped_conv2d", "fully_connected"
FUSED: dict[str, Functions] = {
    "alexnet": {CONV: {"relu": 2}, GROUPED: {"relu": 3}, DENSE: {"relu": 2, None: 1}},
    "bert_tiny": {"matmul": {"tanh": 1, None: 2 * 8}},
    "blazeface": {CONV: {"relu": 1, None: 16}, DEPTHWISE: {None: 16}, "eltwise": {"relu": 16}},
    # 16 blocks, all but the first with an expansion, all with a gate
    "efficientnet_b0": {
        CONV: {"swish": 1 + 15 + 16 + 1, "sigmoid": 16, None: 16}, DEPTHWISE: {"swish": 16},
    },
    # 21 blocks, those of expansion 1 too with their 1x1 convolution
    "fbnet_cb": {CONV: {"relu": 1 + 21 + 1, None: 21}, DEPTHWISE: {"relu": 21}},
    "googlenet": {CONV: {"relu": 3 + 9 * 6}},
    "mnasnet": {CONV: {"relu": 1 + 16 + 1, None: 17}, DEPTHWISE: {"relu": 17}},
    # 15 blocks, 3 + 2 + 3 of them with a gate, behind one without an expansion
    "mnasnet_a1": {CONV: {"relu": 1 + 15 + 8 + 1, "sigmoid": 8, None: 16}, DEPTHWISE: {"relu": 16}},
    "mobilebert": {"matmul": {"relu": 24 * 4, None: 24 * (2 + 3 + 2 + 1 + 4 + 1) + 2}},
    "mobilenet_ssd": {CONV: {"relu": 14 + 8, None: 12}, DEPTHWISE: {"relu": 13}},
    "mobilenet_v1": {CONV: {"relu6": 14}, DEPTHWISE: {"relu6": 13}},
    "mobilenet_v1b": {CONV: {"relu": 14}, DEPTHWISE: {None: 13}},
    "mobilenet_v2": {CONV: {"relu6": 1 + 17 + 1, None: 17}, DEPTHWISE: {"relu6": 17}},
    "nanodet_m": {
        CONV: {"leaky_relu": 1 + 3 + 2 * 16 + 3 * 2, None: 3 + 3}, DEPTHWISE: {"leaky_relu": 3 * 2, None: 3 + 16},
    },
    "posenet": {CONV: {"relu": 31 - 3, None: 3}},
    "proxylessnas": {CONV: {"relu6": 1 + 19 + 1, None: 20}, DEPTHWISE: {"relu6": 20}},
    "regnet_y_400mf": {
        CONV: {"relu": 1 + 16 + 16, "sigmoid": 16, None: 16 + 4}, GROUPED: {"relu": 16}, DENSE: {None: 1},
    },
    # backbone's 16 units, pyramid, five contexts; ends of units, four projections, two heads a level
    "retinaface": {CONV: {"relu": 33 + 8 + 5 * 4, None: 16 + 4 + 5 * 2}},
    "shufflenet_v1": {
        CONV: {"relu": 1 + 1}, GROUPED: {"relu": 15, None: 16}, DEPTHWISE: {None: 16}, "eltwise": {"relu": 13},
    },
    "shufflenet_v2": {CONV: {"relu": 1 + 3 + 2 * 16 + 1}, DEPTHWISE: {None: 3 + 16}},
    "squeezenet_1.0": {CONV: {"relu": 26}},
    "squeezenet_ssd": {CONV: {"relu": 1 + 10 * 3 + 2 * 2, None: 2 * 6}},
    "unet": {CONV: {"relu": 18, None: 1}, "deconv2d": {None: 4}},
    "vgg16": {CONV: {"relu": 13}, DENSE: {"relu": 2, None: 1}},
    "yolov2": {CONV: {"leaky_relu": 21, None: 1}},
    "yolov4_tiny": {CONV: {"leaky_relu": 19, None: 2}},
}  # fmt: skip
"""Functions fused into operators of some types, with how many there are."""


@pytest.mark.parametrize("name", FUSED)
def test_functions_fused_into_layers(name: str) -> None:
    found: dict[str, Counter[str | None]] = {type_: Counter() for type_ in FUSED[name]}
    for op in build_model(name):
        if op.type in found:
            found[op.type][op.get("activation")] += 1
    assert found == FUSED[name]
