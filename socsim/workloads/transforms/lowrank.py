"""Low-rank decomposition: a large convolution or fully connected layer becomes several small ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType
from typing import Any

from socsim.errors import UsageError, nearest
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.operators import operator_macs
from socsim.workloads.transforms.resizing import matrix_size
from socsim.workloads.transforms.steps import fresh, next_step, share_of, whole

__all__ = ["FORMS", "low_rank"]

Parts = tuple[list[Operator], list[Tensor]]

FORMS: Mapping[str, str] = MappingProxyType(
    {
        "tucker": "1x1 to r, kernel from r to s, 1x1 to all; full ranks r and s: channels read and given",
        "spatial": "column of the kernel to r, row of the kernel to all; full rank: fewer channels x its side",
        "channel": "kernel to r, 1x1 to all; full rank: the fewer of channels given and channels read x kernel",
    }
)
"""How a convolution is decomposed; where each comes from is said in :func:`low_rank`."""


def low_rank(
    graph: ModelGraph, rank: float, *, form: str = "tucker", least: int = 16, always: bool = False
) -> ModelGraph:
    """Decompose convolutions and fully connected layers.

    Ordinary convolutions (one group) become several after each other:

    - ``tucker``: 1x1 from C to r, k x k from r to s, 1x1 from s to N channels, with r = `rank` C and s = `rank` N;
      1x1 convolutions stay (Kim et al., "Compression of deep convolutional neural networks for fast and low power
      mobile applications", ICLR 2016);
    - ``spatial``: k x 1 from C to r, 1 x k from r to N, with r = `rank` k min(C, N); filters of one row or one column
      stay (Jaderberg et al., "Speeding up convolutional neural networks with low rank expansions", BMVC 2014);
    - ``channel``: k x k from C to r, 1x1 from r to N, with r = `rank` min(k k C, N); 1x1 convolutions as well (Zhang et
      al., "Accelerating very deep convolutional networks for classification and detection", TPAMI 2016).

    Fully connected layers, and products with a constant matrix, become two, of rank `rank` min(inputs, outputs),
    whatever the form (truncated singular values). The last part keeps the operator's name, output, bias and activation;
    the others are named ``NAME/1``, ``NAME/2`` (``NAME/1_2``
    where that name is taken) and have neither. Strides, padding and dilation go with the kernel.

    Parameters
    ----------
    graph
        Any network.
    rank
        Share of the full rank, above 0 and at most 1; every rank is at least 1.
    form
        One of :data:`FORMS`. Default ``"tucker"``.
    least
        What reads or gives fewer channels or features stays whole, as first layers usually do. Default 16.
    always
        Whether to decompose also what saves no multiply-accumulates by it. Default False.

    Raises
    ------
    UsageError
        An argument outside its rule.
    """
    share_of("low_rank", "rank", rank, below=2.0)
    whole("low_rank", "least", least)
    if form not in FORMS:
        guess = nearest(str(form), FORMS)
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(FORMS)}"
        raise UsageError(f"low_rank: unknown form {form!r}; {hint}")
    if not isinstance(always, bool):
        raise UsageError(f"low_rank: always must be true or false, got {always!r}")
    operators: list[Operator] = []
    tensors = list(graph.tensors.values())
    taken = {*graph.tensors, *graph.operators}
    for op in graph:
        parts, between = _parts(graph, op, rank, form, least, taken)
        saves = sum(part.macs for part in parts) < op.macs
        if not parts or not (saves or always):
            operators.append(op)
            continue
        operators += parts
        tensors += between
    lineage = next_step(
        graph, "low_rank", (rank,), form=(form, "tucker"), least=(least, 16), always=(always, False)
    )
    return graph.changed(operators, tensors, lineage=lineage)


def _parts(graph: ModelGraph, op: Operator, rank: float, form: str, least: int, taken: set[str]) -> Parts:
    """What an operator becomes, and the activations between; nothing where it cannot be decomposed."""
    if op.type not in ("conv2d", "fully_connected", "matmul") or len(op.inputs) != 1:
        return [], []
    read, given = graph.input_shapes(op)[0], graph.output_shape(op)
    if op.weights < matrix_size(op, read, given) or op.get("constant_left"):
        return [], []
    if op.type != "conv2d":
        inputs = prod(read[1:]) if op.type == "fully_connected" else read[-1]
        return _matrix(graph, op, rank, inputs, taken) if min(inputs, given[-1]) >= least else ([], [])
    if min(read[1], given[1]) < least or len(read) != 4:
        return [], []
    return _FORM_PARTS[form](graph, op, rank, taken)


def _matrix(graph: ModelGraph, op: Operator, rank: float, inputs: int, taken: set[str]) -> Parts:
    given = graph.output_shape(op)
    size = _rank(rank, min(inputs, given[-1]))
    return _chain(graph, op, taken, [((*given[:-1], size), {})], {})


def _tucker(graph: ModelGraph, op: Operator, rank: float, taken: set[str]) -> Parts:
    n, channels, height, width = graph.input_shapes(op)[0]
    given = graph.output_shape(op)
    if prod(op.get("kernel")) == 1:
        return [], []
    inner, outer = _rank(rank, channels), _rank(rank, given[1])
    core = {key: op.get(key) for key in _WINDOW if op.get(key) is not None}
    steps = [((n, inner, height, width), _POINT), ((n, outer, *given[2:]), core)]
    return _chain(graph, op, taken, steps, _POINT)


def _spatial(graph: ModelGraph, op: Operator, rank: float, taken: set[str]) -> Parts:
    n, channels, _, width = graph.input_shapes(op)[0]
    given, kernel = graph.output_shape(op), op.get("kernel")
    if 1 in kernel:
        return [], []
    inner = _rank(rank, min(channels * kernel[0], given[1] * kernel[1]))
    between = (n, inner, given[2], width)
    return _chain(graph, op, taken, [(between, _line(op, 0))], _line(op, 1))


def _channel(graph: ModelGraph, op: Operator, rank: float, taken: set[str]) -> Parts:
    channels, given = graph.input_shapes(op)[0][1], graph.output_shape(op)
    inner = _rank(rank, min(channels * prod(op.get("kernel")), given[1]))
    core = {key: op.get(key) for key in _WINDOW if op.get(key) is not None}
    return _chain(graph, op, taken, [((given[0], inner, *given[2:]), core)], _POINT)


_FORM_PARTS: Mapping[str, Callable[[ModelGraph, Operator, float, set[str]], Parts]] = MappingProxyType(
    {"tucker": _tucker, "spatial": _spatial, "channel": _channel}
)

_WINDOW = ("kernel", "stride", "dilation", "padding")

_POINT: Mapping[str, Any] = MappingProxyType(
    {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0)}
)


def _line(op: Operator, side: int) -> dict[str, Any]:
    """Window of the column (0) or the row (1) of a kernel."""
    top, left, bottom, right = op.get("padding", (0, 0, 0, 0))
    pairs = {key: op.get(key, (1, 1)) for key in ("kernel", "stride", "dilation")}
    window = {key: tuple(pair[side] if i == side else 1 for i in (0, 1)) for key, pair in pairs.items()}
    return {**window, "padding": (0, left, 0, right) if side else (top, 0, bottom, 0)}


def _rank(share: float, full: int) -> int:
    return max(1, round(share * full))


def _chain(
    graph: ModelGraph,
    op: Operator,
    taken: set[str],
    steps: list[tuple[tuple[int, ...], Mapping[str, Any]]],
    last: Mapping[str, Any],
) -> Parts:
    """Operators one after the other: each of `steps` gives a shape, and the last one is the operator itself.

    Their names are such as are not `taken`, and are from then on.
    """
    read, given = graph.input_shapes(op)[0], graph.output_shape(op)
    bias = op.weights - matrix_size(op, read, given)
    source, operators, tensors = op.inputs[0], list[Operator](), list[Tensor]()
    for number, (shape, window) in enumerate(steps, 1):
        name = fresh(f"{op.name}/{number}", taken)
        part = Operator(name, op.type, (source,), (name,), dict(window) | _groups(op))
        operators.append(_counted(part, read, shape, 0))
        tensors.append(Tensor(name, shape))
        source, read = name, shape
    kept = {key: value for key, value in op.attributes.items() if key not in _WINDOW}
    final = replace(op, inputs=(source,), attributes={**kept, **last})
    return [*operators, _counted(final, read, given, bias)], tensors


def _groups(op: Operator) -> dict[str, Any]:
    return {"groups": 1} if op.get("groups") is not None else {}


def _counted(op: Operator, read: tuple[int, ...], given: tuple[int, ...], bias: int) -> Operator:
    macs = operator_macs(op.type, [read], given, op.get("kernel", (1, 1)))
    return replace(op, weights=matrix_size(op, read, given) + bias, macs=macs)
