"""Networks from ONNX files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from socsim.errors import ModelError
from socsim.workloads.graph import ModelGraph
from socsim.workloads.onnx_import.files import read_model
from socsim.workloads.onnx_import.importer import build_graph
from socsim.workloads.onnx_import.pins import parse_shape

__all__ = ["load_onnx", "parse_shape"]


def load_onnx(path: str | Path, *, shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelGraph:
    """Read an ONNX file as a network.

    Weights are not needed and not kept: only their shapes count, so a model whose external data is missing
    loads. Nodes that compute constants are folded; nodes that no output depends on are dropped, as are
    ``Identity``, ``Dropout`` and joins of a single tensor. Nothing is fused: see
    :func:`socsim.workloads.transforms.fuse`.

    Parameters
    ----------
    path
        The file; the network takes its stem as a name.
    shapes
        Input name -> shape, for inputs with dynamic dimensions; also reshapes inputs of fixed size.
        Default: none.

    Returns
    -------
    ModelGraph
        Tensors keep their ONNX names and shapes; operators are named as the nodes, or as their first outputs
        where nodes have no names. `weights` counts the elements of every constant that an operator reads:

        - one that two operators read counts for each;
        - a batch normalisation counts a scale and a shift per channel (mean and variance fold into them);
        - element-wise constants of one element count nothing.

        An ``eltwise`` of one activation and a constant has the attribute ``constant``: ``"scalar"``,
        ``"channel"`` (one value for each index of the axis in ``axis``) or ``"tensor"``; ``constant_rank``,
        absent for scalars and 1 for channels; and ``reversed=True`` where the constant is the left operand of
        a difference, quotient or power.

        Convolutions and poolings of one dimension keep their (N, C, L) tensors and have kernels of height 1.

    Raises
    ------
    ModelError
        The file cannot be read or is no ONNX model; has cycles, subgraphs, unsupported operators or no
        operators; inputs have dynamic dimensions that `shapes` does not pin; shapes contradict each other or
        cannot be inferred.
    UnknownNameError
        `shapes` names an input that the model does not have.
    """
    path = Path(path)
    try:
        return build_graph(path.stem, read_model(path), dict(shapes or {}), path.parent)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
