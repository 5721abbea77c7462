"""Exported files: they run, their gradients are the engines', and a broken line is found."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof.cli import main
from gradproof.code.checking import bounds, check_data
from gradproof.code.dialect import DIALECTS
from gradproof.core.errors import NotYet
from gradproof.core.program import shapes
from gradproof.engines.engine import installed, load
from gradproof.exporting import export_source
from gradproof.gallery import catalogue
from gradproof.judge.generic import by_parameter
from gradproof.workbench import read

GOLDEN = Path(__file__).parents[1] / "golden" / "code"

SEVERAL = {
    *("activations", "gru", "gru_cho", "hinge", "infonce", "label_smoothing", "log_det", "lstm"),
    *("mse", "rectifiers", "ridge", "rnn", "vae", "word2vec"),
}
"""Networks whose loss is taken of several values, or of none: they have no --vjp."""


@cache
def traced(network):
    return read(catalogue.find(network), {}, {})


@cache
def exported(network, to, vjp=False):
    text = export_source(catalogue.find(network), to, {}, {}, "gradproof export", vjp=vjp)
    return text, run(text, f"{network}_{to}")


def run(text, name):
    space = {"__name__": name}
    exec(compile(text, f"{name}.py", "exec"), space)
    return space


def needs(to):
    return pytest.mark.skipif(not installed()[to], reason=f"{to} is not installed")


EVERYWHERE = [pytest.param(to, marks=needs(to)) for to in DIALECTS]


def arrays_of(to, space, arguments):
    """The loss and the gradients by name as arrays, from the file's own two functions."""
    convert = {
        "numpy": lambda a: a,
        "torch": lambda a: __import__("torch").tensor(a),
        "jax": lambda a: __import__("jax").numpy.asarray(a),
        "tensorflow": lambda a: __import__("tensorflow").constant(a),
    }[to]
    given = {
        name: [convert(a) for a in value] if isinstance(value, list) else convert(value)
        for name, value in arguments.items()
    }
    loss, saved = space["forward"](*given.values())
    if to == "numpy":
        found = space["backward"](saved)
    else:
        found = dict(zip(given, space["backward"](saved, convert(np.float64(1.0))), strict=True))
    flat = {}
    for name, value in found.items():
        if isinstance(value, list):
            flat |= {f"{name}[{k}]": np.asarray(one) for k, one in enumerate(value, 1)}
        elif value is not None:
            flat[name] = np.asarray(value)
    return np.asarray(loss), flat


@pytest.mark.parametrize("to", EVERYWHERE)
@pytest.mark.parametrize("network", catalogue.names())
def test_exported_gradients_are_those_of_the_engine(network, to):
    """The engine differentiates the user's own function, of which the file has no line."""
    _, space = exported(network, to)
    if to == "jax":
        import jax

        with jax.enable_x64(True):
            compare(network, to, space)
    else:
        compare(network, to, space)
    if to != "jax" or network in CHECKED_IN_JAX:
        space["check"]()


CHECKED_IN_JAX = {
    *("activations", "attention", "batch_norm", "conv2d", "cnn", "embedding", "fnn", "infonce"),
    *("mlp", "mse", "rnn", "vae", "word2vec"),
}
"""Every file for JAX is compared with the engine. These also check themselves, which compiles each
of their operations once more: lists, loops, integers, windows and several losses."""


def given(paper):
    return [tensor for tensor in paper.forward.inputs if tensor.name not in paper.constants]


def compare(network, to, space):
    paper_of, sizes = traced(network)
    paper = paper_of.paper
    data = check_data(given(paper), sizes)
    arguments = by_parameter(paper_of.signature, data)
    engine = load(to).run(
        paper_of.source.forward, arguments, paper.operations, paper.loss, "float64"
    )
    loss, gradients = arrays_of(to, space, arguments)
    held = bounds(paper_of.derivation, sizes, dict(paper.constants), to)
    assert gradients.keys() == held.apart.keys()
    for name, found in gradients.items():
        apart = np.max(np.abs(found - engine.gradients[name]))
        assert apart <= held.apart[name], (name, apart)
        assert found.shape == engine.gradients[name].shape
    # Both sums are of the same terms; that of all their sizes is below 10⁴ in every network here.
    assert abs(loss - engine.values[paper.loss]) <= 1e4 * 2.0**-40


@pytest.mark.parametrize("network", catalogue.names())
def test_what_stands_before_the_loss_is_a_layer(network):
    if network in SEVERAL:
        with pytest.raises(NotYet, match="--vjp needs one value"):
            exported(network, "numpy", vjp=True)
    else:
        exported(network, "numpy", vjp=True)[1]["check"]()


@pytest.mark.parametrize("to", EVERYWHERE[1:])
@pytest.mark.parametrize("network", ["layer_norm", "attention", "mlp", "multi_head_attention"])
def test_a_layer_is_checked_in_its_framework(network, to):
    exported(network, to, vjp=True)[1]["check"]()


@needs("torch")
@pytest.mark.parametrize(
    ("network", "vjp"),
    [
        ("fnn", False),
        ("layer_norm", True),
        ("attention", True),
        ("batch_norm", False),
        ("rnn", False),
    ],
)
def test_gradcheck_passes(network, vjp):
    import torch

    _, space = exported(network, "torch", vjp)
    data = space["data"]()
    active = set(space["BOUNDS"])
    tensors = [torch.tensor(a, requires_grad=name in active) for name, a in data.items()]
    assert torch.autograd.gradcheck(space[network], tensors)


@needs("jax")
@pytest.mark.parametrize(
    ("network", "vjp"), [("fnn", False), ("attention", True), ("softmax_regression", False)]
)
def test_check_grads_passes(network, vjp):
    import jax
    from jax.test_util import check_grads

    _, space = exported(network, "jax", vjp)
    with jax.enable_x64(True):
        data = {name: jax.numpy.asarray(a) for name, a in space["data"]().items()}

        def of_leaves(*leaves):
            values = {**data, **dict(zip(space["BOUNDS"], leaves, strict=True))}
            return space[network](*values.values())

        leaves = [data[name] for name in space["BOUNDS"]]
        check_grads(of_leaves, leaves, order=1, modes=["rev"])


@needs("torch")
def test_a_second_derivative_is_refused_and_not_wrong():
    import torch

    _, space = exported("fnn", "torch")
    tensors = [torch.tensor(a, requires_grad=True) for a in space["data"]().values()]
    (first,) = torch.autograd.grad(space["fnn"](*tensors), tensors[:1], create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        torch.autograd.grad(first.sum(), tensors[1])


# --- what is saved -------------------------------------------------------------------------------


def test_a_sigmoid_saves_its_output_and_not_its_argument():
    text, _ = exported("fnn", "numpy")
    assert "    x, W1, W2, y, a1, a2 = saved\n" in text


@pytest.mark.parametrize("network", catalogue.names())
def test_every_saved_tensor_is_needed(network):
    """A gradient changes with each of them."""
    paper_of, sizes = traced(network)
    _, space = exported(network, "numpy")
    data = check_data(given(paper_of.paper), sizes)
    arguments = by_parameter(paper_of.signature, data)
    _, saved = space["forward"](*arguments.values())
    right = flattened(space["backward"](saved))
    for spot, tensor in enumerate(saved):
        other = list(saved)
        # Whole numbers that name positions move on by one, others to something that is not there.
        other[spot] = tensor + 1 if tensor.dtype.kind == "i" else np.full_like(tensor, np.nan)
        with np.errstate(all="ignore"):
            changed = flattened(space["backward"](tuple(other)))
        assert any(not np.array_equal(a, b) for a, b in zip(right, changed, strict=True)), spot


def flattened(gradients):
    found = []
    for value in gradients.values():
        found += value if isinstance(value, list) else [value]
    return found


# --- the check finds mistakes --------------------------------------------------------------------

ASSIGNED = re.compile(r"^( +)(\w+(?:\[[^]]*\])?) = ([^(].*[^(])$")


def mutants(text):
    """The file with one line of backward at a time off by a thousandth."""
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("def backward"))
    stop = next(k for k, line in enumerate(lines) if k > start and line.startswith("    return"))
    for k in range(start, stop):
        found = ASSIGNED.match(lines[k])
        # Σ (x − m) is 0, and so is a thousandth more of it.
        zero = "sum(x_minus_m" in lines[k]
        if found and found[2].startswith("dl_d") and not found[3].endswith("}") and not zero:
            broken = f"{found[1]}{found[2]} = 1.001 * ({found[3]})"
            yield found[2], "\n".join([*lines[:k], broken, *lines[k + 1 :]])


@pytest.mark.parametrize("to", EVERYWHERE)
@pytest.mark.parametrize("network", ["fnn", "layer_norm", "attention", "mlp", "log_det"])
def test_a_line_that_is_off_by_a_thousandth_fails_the_check(network, to):
    text, _ = exported(network, to)
    found = list(mutants(text))
    assert len(found) >= 5
    for name, broken in found:
        with pytest.raises(SystemExit):
            run(broken, name)["check"]()
            pytest.fail(f"{name} is wrong and passes")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_file_has_a_sigmoid_without_branches_that_is_each_sign_s_own_quotient(dtype):
    _, space = exported("fnn", "numpy")
    ends = [0.0, -0.0, 1e-7, -1e-7, 80, -80, 700, -700, np.inf, -np.inf, np.nan]
    z = np.array([*ends, *np.linspace(-30, 30, 2001)], dtype)
    e = np.exp(-np.abs(z))
    found = space["sigmoid"](z)
    assert found.dtype == dtype
    assert np.array_equal(found, np.where(z >= 0, 1 / (1 + e), e / (1 + e)), equal_nan=True)


def test_a_wrong_line_of_the_forward_function_fails_numpys_check():
    """Certified derivatives come from the network's equations and not from the file's."""
    text, _ = exported("fnn", "numpy")
    broken = text.replace("a1 = sigmoid(z1)", "a1 = 1.001 * sigmoid(z1)")
    assert broken != text
    with pytest.raises(SystemExit, match="certified"):
        run(broken, "broken")["check"]()


def test_a_large_network_is_held_to_certified_values_and_finds_mistakes():
    def forward(x: "n 60", W: "60 70", b: "70", y: "n 70, data"):
        a = np.tanh(x @ W + b)
        return 0.5 * np.sum((a - y) ** 2)

    text = gp.export(forward, to="numpy")
    run(text, "large")["check"]()
    for name, broken in mutants(text):
        with pytest.raises(SystemExit):
            run(broken, name)["check"]()
            pytest.fail(f"{name} is wrong and passes")


# --- the text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", DIALECTS)
def test_a_file_is_the_one_that_was_read(to, request):
    text = export_text("fnn", to)
    golden = GOLDEN / f"fnn.{to}.py.txt"
    if request.config.getoption("--refresh-golden"):
        golden.write_text(text, encoding="utf-8")
    assert without_bounds(text) == without_bounds(golden.read_text(encoding="utf-8"))


def test_a_loop_is_the_one_that_was_read(request):
    text, golden = export_text("lstm", "numpy"), GOLDEN / "lstm.numpy.py.txt"
    if request.config.getoption("--refresh-golden"):
        golden.write_text(text, encoding="utf-8")
    assert without_bounds(text) == without_bounds(golden.read_text(encoding="utf-8"))


def export_text(network, to):
    command = f"gradproof export {network} --to {to}"
    return export_source(catalogue.find(network), to, {}, {}, command, vjp=False)


def without_bounds(text):
    """Bounds are worked out in floating point: their digits may differ from machine to machine."""
    return re.sub(r"\d(\.\d+)?e-1\d", "bound", text)


@pytest.mark.skipif(
    find_spec("ruff") is None or not all(installed().values()),
    reason="ruff or a framework is not installed",
)
def test_files_are_as_ruff_writes_them(tmp_path):
    for number, network in enumerate(catalogue.names()):
        to = list(DIALECTS)[number % len(DIALECTS)]
        for vjp in (False, True) if network not in SEVERAL else (False,):
            text, _ = exported(network, to, vjp)
            ast.parse(text)
            (tmp_path / f"{network}_{to}_{vjp}.py").write_text(text, encoding="utf-8")
    for command in (["check", "--output-format=concise"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[:2000]


def test_names_that_a_file_needs_itself_are_given_way_to(tmp_path):
    def forward(saved: "n 2", draw: ["2 3", "3 3"], math: "3", n: "n 3, data"):
        h = saved
        for W in draw:
            h = np.tanh(h @ W + math)
        return np.mean((h - n) ** 2)

    run(gp.export(forward, to="numpy"), "odd")["check"]()


def test_a_size_that_no_saved_tensor_has_is_known_all_the_same():
    def forward(w: "d", x: "n d, data", b: "n"):
        return np.sum(w) / x.shape[0] + np.sum(b) / w.shape[0]

    run(gp.export(forward, to="numpy"), "sizes")["check"]()


def test_the_verb_is_a_function_after_its_room_is_loaded():
    import gradproof.code.network  # noqa: F401

    assert callable(gp.export)


# --- the command ---------------------------------------------------------------------------------


def test_a_written_file_runs_by_itself(tmp_path, capsys):
    path = tmp_path / "fnn.py"
    assert main(["export", "fnn", "--to", "numpy", "-o", str(path)]) == 0
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "5 gradients agree with certified derivatives\n")


def test_without_a_file_it_is_printed(capsys):
    assert main(["export", "affine", "--to", "jax", "--vjp"]) == 0
    assert "affine.defvjp(forward, backward)" in capsys.readouterr().out


def test_what_has_no_layer_says_which_line(capsys):
    assert main(["export", "lstm", "--to", "torch", "--vjp"]) == 2
    said = capsys.readouterr().err
    assert "lstm.py:" in said and "--vjp needs one value" in said


ONE = np.eye(3)
TURNED = np.eye(3)[::-1]


@pytest.mark.parametrize("to", EVERYWHERE)
def test_an_identity_matrix_is_written_and_another_array_is_not(to):
    def forward(A: "3 3"):
        return np.sum((A + ONE) ** 3)

    def turned(A: "3 3"):
        return np.sum((A + TURNED) ** 3)

    text = gp.export(forward, to=to)
    assert "eye(3, dtype=A.dtype" in text
    run(text, "plain")["check"]()
    with pytest.raises(NotYet, match="TURNED, a plain array"):
        gp.export(turned, to=to)


@pytest.mark.parametrize("to", EVERYWHERE)
def test_a_matrix_that_was_transposed_or_cut_out_is_inverted(to):
    def forward(x: "5 3", g: "3 3, data"):
        V = np.linalg.inv(x[1:4].T)
        return np.sum(g * V) + gp.logdet(x[1:4].T)

    run(gp.export(forward, to=to), "cut")["check"]()


def test_the_inverse_of_a_transposed_matrix_is_the_inverse_transposed():
    def forward(A: "3 3", g: "3 3, data"):
        V = np.linalg.inv(A)
        W = np.linalg.inv(A.T)
        return np.sum(g * V) + np.sum(g**2 * W)

    text = gp.export(forward, to="numpy")
    run(text, "turned")["check"]()
    assert text.count("np.linalg.inv(") == 1


def test_a_backward_that_needs_an_inverse_takes_it_from_forward():
    text, _ = exported("log_det", "numpy")
    assert text.count("np.linalg.inv(") == 1


def test_an_array_that_the_function_brings_along_is_not_written_yet(capsys):
    mask = np.array([[1.0, 0.0], [0.5, 2.0]])

    def forward(x: "n 2"):
        return np.sum((x @ mask) ** 2)

    with pytest.raises(NotYet, match="plain array"):
        gp.export(forward, to="numpy")


def test_no_framework_is_loaded_to_write_its_file():
    code = (
        "import sys, gradproof as gp\n"
        "from gradproof.gallery.fnn import forward\n"
        "for to in ('numpy', 'torch', 'jax', 'tensorflow'): gp.export(forward, to=to)\n"
        "print([m for m in ('torch', 'jax', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_shapes_stand_in_the_docstring():
    text, _ = exported("fnn", "numpy")
    said = ast.get_docstring(ast.parse(text))
    paper_of, _ = traced("fnn")
    for name, shape in shapes(paper_of.paper.forward).items():
        if name in paper_of.signature:
            assert f"{name} ({', '.join(map(str, shape))}" in said


@pytest.mark.parametrize("to", EVERYWHERE)
def test_a_loop_may_start_from_a_value_that_forward_works_out(to):
    def forward(x: "n d", A: "d d"):
        start = np.tanh(x)
        h = start
        for _ in range(3):
            h = np.tanh(h @ A + start)
        return np.sum(h**2)

    run(gp.export(forward, to=to), "started")["check"]()


@pytest.mark.parametrize("to", EVERYWHERE)
def test_the_slope_of_an_elu_is_a_number_where_its_exponential_is_none(to):
    def forward(z: "n"):
        return np.sum(gp.elu(z, 1.0))

    space = run(gp.export(forward, to=to), "large")
    _, found = arrays_of(to, space, {"z": np.array([-1.0, 2000.0])})
    assert found["z"][1] == 1
    assert abs(found["z"][0] - np.exp(-1.0)) < 1e-6
