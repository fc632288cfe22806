"""Arithmetic on small constants, held against onnx's own reference implementation, node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from socsim.workloads.onnx_import.folding import evaluate
from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.source import SMALL

OPSET = 17


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def node(op: str, count: int, **attributes: Any) -> Node:
    return Node("n", op, tuple(f"i{i}" for i in range(count)), ("y",), attributes)


def fold(op: str, *inputs: np.ndarray, **attributes: Any) -> np.ndarray | None:
    return evaluate(
        node(op, len(inputs), **attributes), {f"i{i}": array for i, array in enumerate(inputs)}, {}
    )


def reference(op: str, *inputs: np.ndarray, opset: int = OPSET, **attributes: Any) -> np.ndarray:
    """What onnx's reference implementation gives."""
    names = [f"i{i}" for i in range(len(inputs))]
    given_ = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)], "g", given_, [onnx.ValueInfoProto(name="y")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    (value,) = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    return np.asarray(value)


def same(op: str, *inputs: np.ndarray, opset: int = OPSET, **attributes: Any) -> None:
    found, expected = fold(op, *inputs, **attributes), reference(op, *inputs, opset=opset, **attributes)
    assert found is not None
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


TABLE = ints(*range(24)).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("Abs", (ints(-3, 0, 4),), {}),
        ("Neg", (ints(-3, 0, 4),), {}),
        ("Floor", (floats(-1.5, 0.0, 2.7),), {}),
        ("Ceil", (floats(-1.5, 0.0, 2.7),), {}),
        ("Sqrt", (floats(0, 1, 2),), {}),
        ("Identity", (TABLE,), {}),
        ("Add", (ints(1, 2), ints(10)), {}),
        ("Sub", (ints(1, 2), ints(10)), {}),
        ("Mul", (ints(3, 4), ints(10, 100)), {}),
        ("Div", (ints(7, 9), ints(2)), {}),
        ("Div", (floats(7, 9), floats(2)), {}),
        ("Mod", (ints(7, -7, 7), ints(3, 3, -3)), {}),
        ("Mod", (ints(7, -7, 7), ints(3, 3, -3)), {"fmod": 1}),
        ("Mod", (floats(7.5, -7.5), floats(3)), {"fmod": 1}),
        ("Pow", (floats(2, 3), floats(3, 0.5)), {}),
        ("Max", (ints(1, 5), ints(4, 2), ints(3)), {}),
        ("Min", (ints(1, 5), ints(4, 2), ints(3)), {}),
        ("Equal", (ints(1, 5), ints(1, 2)), {}),
        ("Less", (ints(1, 5), ints(4, 2)), {}),
        ("Greater", (ints(1, 5), ints(4, 2)), {}),
        ("And", (np.array([True, False]), np.array([True, True])), {}),
        ("Or", (np.array([False, False]), np.array([True, False])), {}),
        ("Not", (np.array([False, True]),), {}),
        ("Where", (np.array([True, False]), ints(1, 2), ints(3, 4)), {}),
        ("Concat", (ints(1, 2), ints(3)), {"axis": 0}),
        ("Concat", (TABLE, TABLE), {"axis": -1}),
        ("Gather", (ints(5, 6, 7), ints(2, 0)), {}),
        ("Gather", (ints(5, 6, 7), np.array(-1)), {}),
        ("Gather", (TABLE, ints(2, 0)), {"axis": 2}),
        ("Transpose", (TABLE,), {}),
        ("Transpose", (TABLE,), {"perm": (1, 0, 2)}),
        ("Reshape", (TABLE, ints(4, 6)), {}),
        ("Reshape", (TABLE, ints(0, -1)), {}),
        ("Reshape", (TABLE, ints(0, 0, 2, 2)), {}),
        ("Unsqueeze", (ints(1, 2), ints(0)), {}),
        ("Unsqueeze", (ints(1, 2), ints(0, -1)), {}),
        ("Squeeze", (TABLE.reshape(1, 6, 1, 4), ints(0)), {}),
        ("Squeeze", (TABLE.reshape(1, 6, 1, 4), ints(0, 2)), {}),
        ("Squeeze", (TABLE.reshape(1, 6, 1, 4),), {}),
        ("Expand", (ints(1, 2), ints(3, 2)), {}),
        ("Expand", (ints(1), ints(4)), {}),
        ("Range", (np.array(2), np.array(11), np.array(3)), {}),
        ("Range", (np.array(5), np.array(0), np.array(-2)), {}),
        ("Range", (np.array(5), np.array(5), np.array(1)), {}),
        ("Cast", (floats(1.7, -1.7),), {"to": onnx.TensorProto.INT64}),
        ("Cast", (ints(1, 0),), {"to": onnx.TensorProto.BOOL}),
        ("ReduceMax", (TABLE,), {"axes": (1,)}),
        ("ReduceMin", (TABLE,), {"axes": (0, 2), "keepdims": 0}),
        ("ReduceProd", (ints(2, 3, 4),), {}),
        ("ReduceProd", (ints(2, 3, 4),), {"keepdims": 0}),
        ("ReduceSum", (TABLE, ints(1)), {}),
        ("ReduceSum", (TABLE, ints(-1)), {"keepdims": 0}),
        ("ReduceSum", (TABLE,), {}),
        ("ReduceSum", (TABLE, ints()), {}),
        ("ReduceSum", (TABLE, ints()), {"keepdims": 0}),
        ("ReduceSum", (TABLE, ints()), {"noop_with_empty_axes": 1}),
        ("ReduceSum", (TABLE, ints()), {"noop_with_empty_axes": 1, "keepdims": 0}),
        ("ReduceSum", (TABLE,), {"noop_with_empty_axes": 1}),
        ("ReduceSum", (TABLE, ints(1)), {"noop_with_empty_axes": 1}),
        ("Slice", (TABLE, ints(1), ints(3), ints(1)), {}),
        ("Slice", (TABLE, ints(0, 1), ints(1, 4)), {}),
        ("Slice", (TABLE, ints(0), ints(2**62), ints(2), ints(2)), {}),
        ("Slice", (ints(1, 2, 3, 4), ints(-1), ints(-(2**63)), ints(0), ints(-1)), {}),
        ("Slice", (ints(1, 2, 3, 4), ints(-3), ints(-1)), {}),
        ("ConstantOfShape", (ints(2, 3),), {}),
    ],
)  # fmt: skip
def test_values_are_those_of_the_reference(op: str, inputs, attributes) -> None:
    same(op, *inputs, **attributes)


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "opset"),
    [
        ("Unsqueeze", (ints(1, 2),), {"axes": (0, 2)}, 11),
        ("Squeeze", (TABLE.reshape(1, 6, 1, 4),), {"axes": (2,)}, 11),
        ("ReduceSum", (TABLE,), {"axes": (0, 1)}, 11),
        ("ReduceMax", (TABLE, ints()), {}, 18),
        ("ReduceProd", (TABLE, ints()), {"noop_with_empty_axes": 1}, 18),
        ("Slice", (TABLE,), {"starts": (1, 0), "ends": (3, 2), "axes": (1, 2)}, 9),
        ("Slice", (TABLE,), {"starts": (1,), "ends": (9,)}, 9),
    ],
)
def test_old_operator_sets_have_attributes_for_inputs(op: str, inputs, attributes, opset: int) -> None:
    same(op, *inputs, opset=opset, **attributes)


def test_steps_without_axes() -> None:
    """An input left out in the middle keeps the others' places."""
    skipping = Node("n", "Slice", ("x", "starts", "ends", "", "steps"), ("y",), {})
    values = {"x": ints(1, 2, 3, 4, 5), "starts": ints(0), "ends": ints(5), "steps": ints(2)}
    found = evaluate(skipping, values, {})
    assert found is not None
    assert found.tolist() == [1, 3, 5]


def test_a_filled_constant_takes_its_type_from_its_value() -> None:
    value = helper.make_tensor("v", onnx.TensorProto.INT64, [1], [7])
    found = fold("ConstantOfShape", ints(2, 3), value=value)
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.int64, [[7, 7, 7], [7, 7, 7]])


def test_a_shape_without_dimensions_is_one_value() -> None:
    found = fold("ConstantOfShape", np.array([], np.int64))
    assert found is not None
    assert (found.shape, float(found)) == ((), 0.0)


def test_integers_divide_towards_zero() -> None:
    found = fold("Div", ints(7, -7, 7, -7, 0), ints(2, 2, -2, -2, 5))
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.int64, [3, -3, -3, 3, 0])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max", "Mod", "Pow"])
def test_arithmetic_keeps_the_type_of_its_first_input(op: str) -> None:
    for dtype in (np.int32, np.int64, np.float32, np.float64):
        found = fold(op, np.array([4, 6], dtype), np.array([2, 3], dtype))
        assert found is not None
        assert found.dtype == dtype


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceProd"])
def test_sums_and_products_of_narrow_integers_stay_narrow(op: str) -> None:
    found = fold(op, np.array([2, 3], np.int32))
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.int32, [5 if op == "ReduceSum" else 6])


# --- shapes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, [1, 3, 224, 200]),
        ({"start": 2}, [224, 200]),
        ({"end": 2}, [1, 3]),
        ({"start": 1, "end": -1}, [3, 224]),
        ({"start": -1}, [200]),
        ({"start": 3, "end": 1}, []),
    ],
)
def test_shapes_are_measured(attributes, expected: list[int]) -> None:
    measured = evaluate(Node("n", "Shape", ("x",), ("y",), attributes), {}, {"x": (1, 3, 224, 200)})
    assert measured is not None
    assert (measured.dtype, measured.tolist()) == (np.int64, expected)


@pytest.mark.parametrize(("shape", "size"), [((2, 3, 4), 24), ((), 1), ((0, 3), 0)])
def test_sizes_are_measured(shape: tuple[int, ...], size: int) -> None:
    measured = evaluate(Node("n", "Size", ("x",), ("y",)), {}, {"x": shape})
    assert measured is not None
    assert (measured.dtype, measured.shape, int(measured)) == (np.int64, (), size)


@pytest.mark.parametrize("op", ["Shape", "Size"])
def test_unknown_shapes_stay_unknown(op: str) -> None:
    assert evaluate(Node("n", op, ("x",), ("y",)), {}, {}) is None


# --- what stays unknown ---------------------------------------------------------------------------------------


def test_operators_that_compute_no_shapes_are_left_alone() -> None:
    assert fold("Conv", ints(1), ints(2)) is None
    assert fold("Relu", floats(1)) is None


def test_unknown_inputs_leave_the_result_unknown() -> None:
    assert evaluate(node("Add", 2), {"i0": ints(1)}, {"i1": (1,)}) is None


def test_an_input_left_out_is_not_unknown() -> None:
    optional = Node("n", "Squeeze", ("i0", ""), ("y",))
    found = evaluate(optional, {"i0": ints(1, 2).reshape(1, 2)}, {})
    assert found is not None
    assert found.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("Div", (ints(1, 2), ints(1, 0)), {}),
        ("Range", (np.array(0), np.array(5), np.array(0)), {}),
        ("Gather", (ints(1, 2), ints(2)), {}),
        ("Reshape", (TABLE, ints(5, 5)), {}),
        ("Reshape", (TABLE, ints(-1, -1)), {}),
        ("Squeeze", (TABLE, ints(0)), {}),
        ("Concat", (ints(1), ints(1).reshape(1, 1)), {"axis": 0}),
        ("Expand", (ints(1, 2), ints(3)), {}),
        ("Cast", (ints(1),), {"to": 999}),
        ("Add", (ints(1, 2), ints(1, 2, 3)), {}),
        ("Transpose", (TABLE,), {"perm": (0, 1)}),
        ("Slice", (TABLE, ints(0, 1), ints(1)), {}),
        ("Slice", (TABLE, ints(0), ints(1), ints(7)), {}),
        ("Unsqueeze", (ints(1), ints(5)), {}),
        ("Pow", (ints(2), ints(-1)), {}),
        ("ConstantOfShape", (ints(-2),), {}),
    ],
)
def test_ill_formed_constants_stay_unknown(op: str, inputs, attributes) -> None:
    assert fold(op, *inputs, **attributes) is None


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Range", lambda n: (np.array(0), np.array(n), np.array(1))),
        ("ConstantOfShape", lambda n: (ints(n),)),
        ("Expand", lambda n: (ints(1), ints(n))),
    ],
)
def test_constants_are_made_up_to_a_size(op: str, inputs) -> None:
    at, above = fold(op, *inputs(SMALL)), fold(op, *inputs(SMALL + 1))
    assert at is not None
    assert at.size == SMALL
    assert above is None


# --- properties -----------------------------------------------------------------------------------------------

lengths = st.integers(1, 6)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(-8, 8), st.integers(-8, 8), st.sampled_from([-3, -2, -1, 1, 2, 3]))
def test_slices_are_those_of_the_reference(length: int, start: int, end: int, step: int) -> None:
    same("Slice", ints(*range(length)), ints(start), ints(end), ints(0), ints(step))


@settings(max_examples=60, deadline=None)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-6, 6).filter(bool))
def test_ranges_are_python_s(start: int, stop: int, step: int) -> None:
    found = fold("Range", np.array(start), np.array(stop), np.array(step))
    assert found is not None
    assert found.tolist() == list(range(start, stop, step))


@given(st.integers(-100, 100), st.integers(-100, 100).filter(bool))
def test_quotients_are_those_of_c(a: int, b: int) -> None:
    found = fold("Div", ints(a), ints(b))
    assert found is not None
    assert int(found[0]) == int(a / b)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_the_target_of_a_reshape_that_exporters_compute(shape: list[int], data) -> None:
    """Shape -> Gather -> Concat with -1 -> Reshape gives back one kept axis and the rest."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    array = np.zeros(shape, np.int64)
    measured = evaluate(Node("s", "Shape", ("x",), ("y",)), {}, {"x": array.shape})
    assert measured is not None
    kept = fold("Gather", measured, ints(axis))
    assert kept is not None
    target = fold("Concat", kept, ints(-1), axis=0)
    assert target is not None
    found = fold("Reshape", array, target)
    assert found is not None
    assert found.shape == (shape[axis], array.size // shape[axis])
