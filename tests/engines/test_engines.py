"""Every engine computes what NumPy does, and the engines' gradients agree with each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.extend import defvjp, primitive

import gradproof as gp
from gradproof.core.errors import EngineError, ShapeError
from gradproof.engines import ENGINES, Engine, load
from gradproof.engines.numpy import SAME_DTYPE, record_plain, run_plain
from gradproof.prims.along import ALONG
from gradproof.prims.dictionary import BY_NAME
from gradproof.prims.elementwise import ELEMENTWISE
from gradproof.prims.face import Face, along, fold
from gradproof.prims.fold import FOLDS

DTYPES = ("float32", "float64")

# A few roundings, each of one unit; a sum of up to ten terms.
UNITS = 64


def close(actual: np.ndarray, expected: np.ndarray, dtype: str, scale: float = 1.0) -> None:
    """Equal up to a few roundings of the largest number that went in."""
    unit = float(np.finfo(dtype).eps) / 2
    largest = max(scale, float(np.max(np.abs(expected), initial=0.0)))
    assert actual.dtype == np.dtype(dtype)
    assert actual.shape == np.shape(expected)
    assert np.all(np.abs(actual - expected) <= UNITS * unit * largest)


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    return load(request.param)


@pytest.fixture(autouse=True)
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


A, B, ROW, COLUMN = draw(3, 4), draw(3, 4, seed=1), draw(4), draw(3, 1)
SQUARE, VECTOR, CUBE, WIDE = draw(4, 4), draw(4, seed=2), draw(2, 3, 4), draw(2, 4, 5)
POSITIVE = np.abs(A) + 0.25

OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "add": (lambda a, b: a + b, (A, B)),
    "add a row": (lambda a, b: a + b, (A, ROW)),
    "add a number": (lambda a: a + 2, (A,)),
    "add from the right": (lambda a: 0.5 + a, (A,)),
    "add a float64 scalar": (lambda a: a + np.float64(0.5), (A,)),
    "add a plain array": (lambda a: a + np.arange(4), (A,)),
    "add to a plain array": (lambda a: np.arange(4.0) + a, (A,)),
    "subtract": (lambda a, b: a - b, (A, COLUMN)),
    "subtract from a number": (lambda a: 1 - a, (A,)),
    "multiply": (lambda a, b: a * b, (A, B)),
    "divide": (lambda a, b: a / b, (A, POSITIVE)),
    "divide a number": (lambda a: 1 / a, (POSITIVE,)),
    "negative": (lambda a: -a, (A,)),
    "square": (lambda a: a**2, (A,)),
    "np.square": (lambda a: np.square(a), (A,)),
    "cube": (lambda a: a**3, (A,)),
    "reciprocal": (lambda a: a**-1, (POSITIVE,)),
    "minus two": (lambda a: a**-2, (POSITIVE,)),
    "root": (lambda a: a**0.5, (POSITIVE,)),
    "power 1.5": (lambda a: a**1.5, (POSITIVE,)),
    "power one": (lambda a: a**1, (A,)),
    "power zero": (lambda a: a**0, (A,)),
    "matrix by matrix": (lambda a, b: a @ b, (A, SQUARE)),
    "matrix by vector": (lambda a, b: a @ b, (A, VECTOR)),
    "vector by matrix": (lambda a, b: a @ b, (VECTOR, SQUARE)),
    "vector by vector": (lambda a, b: a @ b, (ROW, VECTOR)),
    "stack by stack": (lambda a, b: a @ b, (CUBE, WIDE)),
    "stack by matrix": (lambda a, b: a @ b, (CUBE, SQUARE)),
    "stack by vector": (lambda a, b: a @ b, (CUBE, VECTOR)),
    "vector by stack": (lambda a, b: a @ b, (VECTOR, WIDE)),
    "np.dot": (lambda a, b: np.dot(a, b), (A, SQUARE)),
    "sum": (lambda a: np.sum(a), (CUBE,)),
    "sum over one axis": (lambda a: np.sum(a, axis=1), (CUBE,)),
    "sum over two axes, kept": (lambda a: a.sum(axis=(0, -1), keepdims=True), (CUBE,)),
    "sum of a scalar": (lambda a: np.sum(np.sum(a)), (A,)),
    "mean": (lambda a: np.mean(a, axis=0), (A,)),
    "greater": (lambda a, b: (a > b) * a, (A, B)),
    "greater or equal": (lambda a: (a >= a) * a, (A,)),
    "less": (lambda a: (a < 0) * a, (A,)),
    "equal": (lambda a, b: (a == b) * a, (A, np.where(B > 0, A, B))),
    "transpose": (lambda a: a.T, (CUBE,)),
    "transpose by an order": (lambda a: np.transpose(a, (1, 2, 0)), (CUBE,)),
    "element": (lambda a: a[1, 2], (A,)),
    "row": (lambda a: a[-1], (A,)),
    "slices": (lambda a: a[:, 1:, ::2], (CUBE,)),
    "a negative step": (lambda a: a[:, 2:0:-1], (A,)),
    "a negative step of two after an index": (lambda a: a[1, ::-2, None], (CUBE,)),
    "nothing": (lambda a: a[:, 3:1:1], (A,)),
    "a new axis": (lambda a: a[:, None, :], (A,)),
    "where": (lambda a, b: np.where(a > b, a, b), (A, B)),
    "where with a number": (lambda a: np.where(a > 0, a, 0.0), (A,)),
    "where with a plain mask": (lambda a: np.where(np.eye(3, 4) > 0, a, 0), (A,)),
    "maximum with a number": (lambda a: np.maximum(a, 0), (A,)),
    "max": (lambda a: np.max(a, axis=1), (A,)),
    "max, kept": (lambda a: a.max(axis=0, keepdims=True), (A,)),
    "softmax": (lambda a: gp.softmax(a), (A,)),
    "softmax over the first axis": (lambda a: gp.softmax(a, axis=0), (A,)),
    "logsumexp": (lambda a: gp.logsumexp(a), (A,)),
    "logsumexp, kept": (lambda a: gp.logsumexp(a, axis=0, keepdims=True), (A,)),
    "derivative of sigmoid": (lambda a: gp.sigmoid.derivative(a), (A,)),
    "derivative of relu": (lambda a: gp.relu.derivative(a), (A,)),
    "derivative of tanh": (lambda a: gp.tanh.derivative(a), (A,)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_numpys(engine: Engine, operation: str, dtype: str) -> None:
    function, arrays = OPERATIONS[operation]
    results: dict[str, Any] = {}

    def forward(**tensors: Face) -> Face:
        result = function(*tensors.values())
        assert all(isinstance(size, int) for size in result.shape)
        results["last"] = result.recording.count - 1
        return np.sum(result * weights)

    expected = function(*(a.astype("float64") for a in arrays))
    weights = draw(*np.shape(expected), seed=7).astype("float64")
    arguments = {f"x{i}": a for i, a in enumerate(arrays)}
    engine.run(forward, arguments, {}, "l", dtype)
    run = engine.run(forward, arguments, {"y": results["last"]}, "l", dtype)
    close(run.values["y"], expected, dtype)
    close(run.gradients["y"], weights, dtype)  # l = Σ y·weights
    for name, array in arguments.items():
        assert run.values[name].dtype == np.dtype(dtype)
        assert run.gradients[name].dtype == np.dtype(dtype)
        assert run.gradients[name].shape == array.shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_gradient_of_an_operation_is_the_finite_difference(
    engine: Engine, operation: str, dtype: str
) -> None:
    function, arrays = OPERATIONS[operation]
    exact = [a.astype("float64") for a in arrays]
    weights = draw(*np.shape(function(*exact)), seed=7).astype("float64")

    def loss(*tensors: Any) -> Any:
        return np.sum(function(*tensors) * weights)

    arguments = {f"x{i}": a for i, a in enumerate(arrays)}
    run = engine.run(lambda **tensors: loss(*tensors.values()), arguments, {}, "l", dtype)
    step = 2.0**-18  # the difference is good to about step² · third derivative, 1e-9 here
    for i, array in enumerate(exact):
        if operation == "equal":
            break  # equal only at points: no difference quotient sees them
        direction = draw(*array.shape, seed=9).astype("float64")
        ahead = loss(*exact[:i], array + step * direction, *exact[i + 1 :])
        behind = loss(*exact[:i], array - step * direction, *exact[i + 1 :])
        slope = np.sum(run.gradients[f"x{i}"].astype("float64") * direction)
        scale = 1 + np.sum(np.abs(run.gradients[f"x{i}"] * direction))
        difference = 1e-8 if dtype == "float64" else 64 * 2.0**-24
        assert abs(slope - (ahead - behind) / (2 * step)) <= difference * scale


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BY_NAME)
def test_a_primitive_gives_its_samples(engine: Engine, name: str, dtype: str) -> None:
    for record in ELEMENTWISE:
        if record.name != name:
            continue
        for sample in record.samples:
            arrays = {f"x{i}": np.array(row) for i, row in enumerate(sample)}

            def forward(x0: Face, **others: Face) -> Any:
                return np.sum(x0.operate(name, (x0, *others.values()), order=0))

            run = engine.run(forward, arrays, {"y": 0}, "l", dtype)
            close(run.values["y"], record.forward(*arrays.values()), dtype)
    for folding in FOLDS:
        if folding.name == name:
            x = np.array(folding.samples)
            run = engine.run(lambda x: np.sum(fold(name, x, 1)), {"x": x}, {"y": 0}, "l", dtype)
            close(run.values["y"], folding.forward(x, 1)[:, 0], dtype)
    for keeping in ALONG:
        if keeping.name == name:
            x = np.array(keeping.samples)
            run = engine.run(
                lambda x: np.sum(along(name, x, 1) * x), {"x": x}, {"y": 0}, "l", dtype
            )
            close(run.values["y"], keeping.forward(x, 1), dtype)


# --- networks -------------------------------------------------------------------------------


def two_layers(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, y: Any) -> Any:
    z1 = x @ W1 + b1
    a1 = gp.sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = gp.sigmoid(z2)
    return 0.5 * np.sum((a2 - y) ** 2)


TWO_LAYERS = {
    "x": draw(5, 2),
    "W1": draw(2, 4),
    "b1": draw(4),
    "W2": draw(4, 3),
    "b2": draw(3),
    "y": draw(5, 3),
}
STAGES = {"z1": 1, "a1": 2, "z2": 4, "a2": 5}


def by_hand(x: Any, W2: Any, y: Any, z1: Any, a1: Any, z2: Any, a2: Any, **_: Any) -> Any:
    dl_da2 = a2 - y
    dl_dz2 = dl_da2 * gp.sigmoid.derivative(z2)
    dl_dW2 = a1.T @ dl_dz2
    dl_db2 = dl_dz2.sum(axis=0)
    dl_da1 = dl_dz2 @ W2.T
    dl_dz1 = dl_da1 * gp.sigmoid.derivative(z1)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = dl_dz1.sum(axis=0)
    return {name: value for name, value in locals().items() if name.startswith("dl_d")}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_two_layers_have_the_gradients_of_the_article(engine: Engine, dtype: str) -> None:
    run = engine.run(two_layers, TWO_LAYERS, STAGES, "l", dtype)
    exact = record_plain(two_layers, TWO_LAYERS, STAGES, "float64")
    claims = run_plain(by_hand, exact.values | {"b1": 0.0, "b2": 0.0, "W1": 0.0})
    assert run.engine == engine.name
    assert set(run.gradients) == {*TWO_LAYERS, *STAGES}
    close(run.values["l"], exact.result, dtype)
    for name in STAGES:
        close(run.values[name], exact.values[name], dtype)
    for claim, gradient in claims.items():
        close(run.gradients[claim.removeprefix("dl_d")], gradient, dtype)


def deep(x: Any, Ws: Any, bs: Any, y: Any) -> Any:
    for W, b in zip(Ws, bs, strict=True):
        x = np.tanh(x @ W + b)
    return np.mean((x - y) ** 2)


def mixture(x: Any, W: Any, y: Any) -> Any:
    z = np.maximum(x @ W, 0.25 * x)
    h = np.where(z > 0.5, gp.relu(z), np.abs(z) * np.minimum(x, z))
    top = np.max(h, axis=1, keepdims=True)
    return np.sum(gp.softmax(h - top) * y) + np.sum(gp.logsumexp(h, axis=1) * np.exp(-top[:, 0]))


NETWORKS: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, int]]] = {
    "two layers": (two_layers, TWO_LAYERS, STAGES),
    "a list of weights": (
        deep,
        {"x": draw(5, 3), "Ws": [draw(3, 3, seed=s) for s in range(4)],
         "bs": [draw(3, seed=s) for s in range(4)], "y": draw(5, 3, seed=3)},
        {"h1": 2, "h4": 11},
    ),
    "choices": (
        mixture,
        {"x": draw(6, 4), "W": draw(4, 4), "y": draw(6, 4, seed=3)},
        {"z": 2, "h": 7, "top": 8, "p": 10},
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_engines_agree(engine: Engine, network: str, dtype: str) -> None:
    forward, arguments, operations = NETWORKS[network]
    run = engine.run(forward, arguments, operations, "l", dtype)
    other = load("torch").run(forward, arguments, operations, "l", "float64")
    assert list(run.values) == list(other.values)
    assert list(run.gradients) == list(other.gradients)
    for name, value in other.values.items():
        close(run.values[name], value, dtype)
    for name, gradient in other.gradients.items():
        close(run.gradients[name], gradient, dtype, scale=4.0)


def test_the_elements_of_a_list_are_numbered_from_one(engine: Engine) -> None:
    forward, arguments, operations = NETWORKS["a list of weights"]
    run = engine.run(forward, arguments, operations, "l", "float32")
    assert [name for name in run.gradients if name.startswith("Ws")] == [
        f"Ws[{i}]" for i in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_the_loss_does_not_depend_on_has_a_gradient_of_zeros(
    engine: Engine, dtype: str
) -> None:
    def forward(x: Any, W: Any, unused: Any) -> Any:
        dead = x @ W
        return np.sum(x**2)

    arguments = {"x": draw(2, 3), "W": draw(3, 4), "unused": draw(5)}
    run = engine.run(forward, arguments, {"dead": 0}, "l", dtype)
    for name, shape in {"W": (3, 4), "unused": (5,), "dead": (2, 4)}.items():
        assert run.gradients[name].dtype == np.dtype(dtype)
        assert np.array_equal(run.gradients[name], np.zeros(shape))
    close(run.gradients["x"], 2 * arguments["x"], dtype)


def test_a_value_that_is_given_back_has_a_gradient_of_its_own(engine: Engine) -> None:
    def forward(x: Any) -> Any:
        v = np.sum(x * x)
        w = np.sum(v)  # of a scalar: no framework does anything
        return v * w + w

    operations = {"v": 1, "w": 2}
    run = engine.run(forward, {"x": np.array([1.0, 2.0])}, operations, "l", "float32")
    assert (run.gradients["w"], run.gradients["v"]) == (6, 11)
    assert np.array_equal(run.gradients["x"], [22, 44])


def test_a_mask_is_differentiated_as_any_value(engine: Engine) -> None:
    def forward(x: Any) -> Any:
        mask = x > 0
        return np.sum(mask * x * 3)

    x = draw(2, 3)
    run = engine.run(forward, {"x": x}, {"mask": 0}, "l", "float32")
    assert np.array_equal(run.values["mask"], x > 0)
    assert np.array_equal(run.gradients["mask"], 3 * x)
    assert np.array_equal(run.gradients["x"], 3 * (x > 0))


def test_integers_stay_data(engine: Engine) -> None:
    def forward(x: Any, labels: Any) -> Any:
        hot = labels[:, None] == np.arange(4)
        return -np.sum(hot * x)

    x, labels = draw(3, 4), np.array([2, 0, 3])
    run = engine.run(forward, {"x": x, "labels": labels}, {"column": 0, "hot": 1}, "l", "float32")
    assert np.array_equal(run.values["labels"], labels)
    assert np.array_equal(run.values["column"], labels[:, None])
    assert run.values["column"].dtype.kind == "i"
    assert set(run.gradients) == {"x", "hot"}
    assert np.array_equal(run.gradients["x"], np.where(labels[:, None] == np.arange(4), -1, 0))


def test_the_sigmoid_of_large_numbers_neither_warns_nor_overflows(engine: Engine) -> None:
    z = np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0])
    run = engine.run(lambda z: np.sum(gp.sigmoid(z) + np.tanh(z)), {"z": z}, {}, "l", "float32")
    assert np.all(np.isfinite(run.gradients["z"]))
    assert run.gradients["z"][2] == 1.25


def test_minus_zero_keeps_its_sign(engine: Engine) -> None:
    run = engine.run(lambda x: np.sum(-x), {"x": np.zeros(2)}, {"z": 0}, "l", "float32")
    assert np.all(np.signbit(run.values["z"]))


def test_an_operation_that_never_came_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.run(lambda x: np.sum(x), {"x": draw(2)}, {"z": 7}, "l", "float32")
    assert str(caught.value) == (
        "z is operation 7, and the run had 1.  "
        "The function must do the same operations each time it is called."
    )


BY_AUTOGRAD: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "add": (np.add, (A, ROW)),
    "subtract": (np.subtract, (A, COLUMN)),
    "multiply": (np.multiply, (A, draw(1, 4))),
    "divide": (np.divide, (A, POSITIVE)),
    "negative": (np.negative, (A,)),
    "matmul": (np.matmul, (CUBE, WIDE)),
    "sum": (lambda x: np.sum(x, axis=1, keepdims=True), (CUBE,)),
    "transpose": (lambda x: np.transpose(x, (2, 0, 1)), (CUBE,)),
    "square": (np.square, (A,)),
    "exp": (np.exp, (A,)),
    "log": (np.log, (POSITIVE,)),
    "sqrt": (np.sqrt, (POSITIVE,)),
    "tanh": (np.tanh, (A,)),
    "sin": (np.sin, (A,)),
    "cos": (np.cos, (A,)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", sorted(SAME_DTYPE))
def test_a_gradient_of_autograds_own_has_the_dtype_of_its_value(name: str, dtype: str) -> None:
    """Also where it meets a number, and one that is a scalar."""
    function, arrays = BY_AUTOGRAD[name]
    seen = []

    def pulled(*operands: Any) -> Any:
        kept = [seen_by(x) for x in operands]
        return anp.sum(function(*kept) * np.asarray(0.5, dtype))

    @primitive
    def seen_by(x: Any) -> Any:
        return x

    defvjp(seen_by, lambda y, x: lambda g: seen.append(np.asarray(g).dtype) or g)
    operands = tuple(x.astype(dtype) for x in arrays)
    for some in (operands, tuple(x.reshape(-1)[0] for x in operands)):
        if name in ("matmul", "sum", "transpose") and some is not operands:
            continue
        grad(pulled, tuple(range(len(some))))(*some)
    assert set(seen) == {np.dtype(dtype)}


def test_a_loss_with_axes_is_an_error(engine: Engine) -> None:
    with pytest.raises(ShapeError):
        engine.run(lambda x: x * 2, {"x": draw(2)}, {}, "l", "float32")


def test_a_loss_that_is_no_tensor_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError):
        engine.run(lambda x: 3.0, {"x": draw(2)}, {}, "l", "float32")


def test_what_is_given_is_left_as_it_was(engine: Engine) -> None:
    x = draw(2, 3)
    before = x.copy()
    run = engine.run(lambda x: np.sum(x * x), {"x": x}, {}, "l", "float32")
    run.values["x"][...] = 0
    run.gradients["x"][...] = 0
    assert np.array_equal(x, before)
