"""A certificate is confirmed by python-flint alone, and a changed one is not."""

import copy
import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np
import pytest

import gradproof as gp
from benchmarks.complex_step import CASES, prepare
from gradproof.certificate.check import confirm, work_out
from gradproof.certificate.document import certificate
from gradproof.certificate.elimination import determinant, inverted
from gradproof.certificate.language import Room, Tensor, compiled
from gradproof.certificate.numbers import NotConfirmed, Unreadable, series
from gradproof.cli import main
from gradproof.core.errors import WitnessError
from gradproof.core.program import Claim, Equation, Paper, Program
from gradproof.core.term import Apply, Number, Product, Read
from gradproof.engines.arb import Arb, precision
from gradproof.engines.evaluate import Room as EngineRoom
from gradproof.engines.evaluate import evaluate_equation
from gradproof.gallery import fnn, softmax_regression
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME


def wrong(x, W2, y, z1, a1, z2, a2):
    dl_da2 = a2 - y
    dl_dz2 = dl_da2 * gp.sigmoid.derivative(a2)
    dl_dW2 = a1.T @ dl_dz2
    dl_dz1 = dl_dz2 @ W2.T * gp.sigmoid.derivative(z1)
    dl_dW1 = x.T @ dl_dz1
    dl_db1 = dl_dz1[0]
    return locals()


@pytest.fixture(scope="module")
def report():
    return gp.verify(fnn.forward, wrong, engine="numpy", certificates=True)


@pytest.fixture
def document(report):
    return json.loads(report["z2"].formula_verdict.certificate)


@pytest.fixture
def checked(tmp_path, capsys):
    """The exit code and what was printed for a document or a text."""

    def check(document):
        path = tmp_path / "certificate.json"
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_text(text, encoding="utf-8")
        code = main(["certificate", str(path)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return check


# --- what is confirmed ------------------------------------------------------------------------


def test_every_refuted_formula_has_a_small_certificate_that_is_confirmed(report, checked):
    refuted = [r for r in report.batches[-1].gradients if r.formula_verdict.kind == "refuted"]
    assert [r.name for r in refuted] == ["z2", "W2", "z1", "W1", "b1"]
    for row in refuted:
        text = row.formula_verdict.certificate
        code, said = checked(text)
        assert code == 0
        assert "✓ confirmed" in said
        assert len(text.encode()) < 3000


def test_a_proved_formula_has_none(report):
    assert report["a2"].formula_verdict.kind == "proved"
    assert report["a2"].formula_verdict.certificate == ""


def test_none_is_made_unless_asked_for():
    row = gp.verify(fnn.forward, wrong, engine="numpy")["z2"]
    assert (row.formula_verdict.kind, row.formula_verdict.certificate) == ("refuted", "")


def test_the_two_stated_intervals_hold_what_the_report_says(report, document):
    found = report["z2"].formula_verdict.counter_example
    assert tuple(document["claim"]["index"]) == found.index
    assert flint.arb(document["claimed"]).overlaps(flint.arb(found.claimed))
    assert flint.arb(document["true"]).overlaps(flint.arb(found.true))


def test_verify_saves_one_file_for_each_refuted_formula(tmp_path, capsys):
    paper = tmp_path / "net.py"
    paper.write_text(
        "import numpy as np\n"
        'def forward(x: "n 3", Ws: ["3 2", "2 2"], y: "n 2, data"):\n'
        "    a = x\n"
        "    for W in Ws:\n"
        "        a = np.tanh(a @ W)\n"
        "    return np.sum((a - y) ** 2)\n"
        "def backward(a, y):\n"
        "    dl_da = a - y\n"
        "    return locals()\n",
        encoding="utf-8",
    )
    folder = tmp_path / "made" / "here"
    code = main(["verify", str(paper), "--engine", "numpy", "--certificates", str(folder)])
    printed = capsys.readouterr().out
    assert code == 1
    (file,) = folder.iterdir()
    assert re.fullmatch(r"net-a.*\.json", file.name)
    assert str(file) in printed
    assert main(["certificate", str(file)]) == 0


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code = main(["verify", "fnn", "--engine", "numpy", "--certificates", str(tmp_path / "file")])
    assert code == 2
    assert "cannot be saved" in capsys.readouterr().err


# --- what is not ------------------------------------------------------------------------------


def last_bit(text):
    return np.nextafter(np.float32(float.fromhex(text)), np.float32(9)).item().hex()


def change_input(name):
    def change(document):
        values = document["inputs"][name]["values"]
        values[0] = last_bit(values[0])

    return change


def change_formula(document):
    equation = document["formula"][-1]
    equation[2] = ["product", "1000000000001/1000000000000", equation[2]]


def change_forward(document):
    document["forward"][-1][2][1] = "1/3"


def change_function(document):
    document["functions"]["sigmoid"][1] = ["apply", "exp", ["argument", 0]]


def change_index(document):
    n, k = document["claim"]["index"]
    document["claim"]["index"] = [n, (k + 1) % 3]


def change_tensor(document):
    document["claim"]["of"] = "a2"


def swap_intervals(document):
    document["claimed"], document["true"] = document["true"], document["claimed"]


def change_interval(key):
    def change(document):
        middle, _, rest = document[key].strip("[]").partition(" ")
        digit = (int(middle[10]) + 1) % 10
        document[key] = f"[{middle[:10]}{digit}{middle[11:]} {rest}]"

    return change


def widen_until_they_meet(document):
    document["true"] = "[0 +/- 100]"


def claim_the_truth(document):
    document["formula"][-1][2][2] = ["slope", "sigmoid", ["read", "z2", "i0", "i1"]]
    document["claimed"] = document["true"]


TAMPERED = {
    **{f"input {name}": change_input(name) for name in ("x", "W1", "b1", "W2", "b2", "y")},
    "formula": change_formula,
    "forward": change_forward,
    "function": change_function,
    "index": change_index,
    "tensor": change_tensor,
    "intervals swapped": swap_intervals,
    "claimed interval": change_interval("claimed"),
    "true interval": change_interval("true"),
    "loss": change_interval("value of the loss"),
    "wide interval": widen_until_they_meet,
    "right formula": claim_the_truth,
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_changed_certificate_is_not_confirmed(change, document, checked):
    before = copy.deepcopy(document)
    assert checked(document)[0] == 0
    change(document)
    assert document != before
    code, said = checked(document)
    assert code == 1
    assert "✗ not confirmed: " in said


def drop(*path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


def put(value, *path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


BROKEN = {
    "it has no 'claimed'": drop("claimed"),
    "its format is 'x'": put("x", "format"),
    "a precision of 1 bits": put(1, "bits"),
    "its 'true' is not an interval": put("about 2", "true"),
    "[5, 0] is no element": put([5, 0], "claim", "index"),
    "[-1, 0] is no element": put([-1, 0], "claim", "index"),
    "x has 9 elements": drop("inputs", "x", "values", 0),
    "no hexadecimal float": put("one", "inputs", "x", "values", 0),
    "not finite": put("inf", "inputs", "x", "values", 0),
    "x is read and not defined": drop("inputs", "x"),
    "there is no function 'sigmoid'": drop("functions", "sigmoid"),
    "'n' is no size": drop("sizes", "n"),
    "nothing binds the index i9": put(["read", "y", "i9", "i1"], "forward", 3, 2),
    "y is read at 1 positions": put(["read", "y", "i1"], "forward", 3, 2),
    "is no term": put({"add": 1}, "forward", 3, 2),
    "'sum' has 2 parts, not 1": put(["sum", {"i5": 2}], "forward", 3, 2),
    "does not bind new indices": put(["sum", {"i0": 2}, 1], "forward", 3, 2),
    "a2 is defined twice": put("a2", "formula", 0, 0),
    "does not define the scalar nothing": put("nothing", "loss"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_certificate_is_unreadable_and_the_message_says_why(message, document, checked):
    BROKEN[message](document)
    code, said = checked(document)
    assert code == 2
    assert "unreadable" in said
    assert message in said


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"text"', "[" * 5000, "{}", "\x00"])
def test_a_file_that_is_no_certificate_is_unreadable(text, checked):
    code, said = checked(text)
    assert code == 2
    assert "unreadable" in said


JUNK: tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, 10**40, "", "x", "i0", "1/0", "n", "exp", [], {}, [None], [[1]]),
    *({"i0": 2}, {"a": {}}, [{}], ["read"], ["read", ["x"]], ["sum"], ["add"], ["product"]),
    *(["product", []], ["apply"], ["apply", ["f"], 1], ["slope", "exp"], ["bracket"]),
    *(["bracket", "==", None], ["along", "softmax", {"i7": 2}, 1, 2], ["compare", ">", 1]),
    *(["fold", "max", {"i7": 2}, 1], ["size", "n"], ["argument", 0], ["power", 0, -1]),
    *(["power", -1, "1/2"], ["inverse", {"i7": 2}, 1, 0, 0], ["inverse", {}, 1, 0, 0]),
    *(["inverse", {"i7": 2, "i8": 2}, 1, 0, 0], ["fold", "logdet", {"i7": 2, "i8": 3}, 1]),
    ["fold", "logdet", {"i7": 1, "i8": 1}, 0],
)


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        below = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in below:
            yield from places(inner, (*path, key))


def test_junk_anywhere_in_a_certificate_is_answered_and_never_crashes(document, checked):
    random = np.random.default_rng(0)
    everywhere = [path for path in places(document) if path]
    codes = set()
    for _ in range(2000):
        changed = copy.deepcopy(document)
        path = everywhere[random.integers(len(everywhere))]
        put(JUNK[random.integers(len(JUNK))], *path)(changed)
        codes.add(checked(changed)[0])
    assert codes == {0, 1, 2}


def test_a_file_that_is_not_there_is_unreadable(capsys):
    assert main(["certificate", "nowhere.json"]) == 2
    assert "nowhere.json" in capsys.readouterr().err


# --- independence -----------------------------------------------------------------------------


def test_the_check_imports_nothing_but_flint_and_the_standard_library(document, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    code = (
        "import sys\n"
        "from gradproof.certificate.check import main\n"
        "code = main(sys.argv[1:])\n"
        "standard = sys.stdlib_module_names | {'flint', 'cython_runtime', '__main__'}\n"
        "others = {m for m in sys.modules if m.partition('.')[0] not in standard}\n"
        "print(sorted(m for m in others if not m.startswith('_')), code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    ours = ["gradproof", "gradproof.certificate"]
    files = ("check", "elimination", "language", "numbers")
    ours += [f"gradproof.certificate.{name}" for name in files]
    assert done.stdout.splitlines()[-1] == f"{ours} 0"


@pytest.mark.parametrize("name", [n for n in CASES if "layers of" not in n])
def test_the_tapped_series_is_the_derived_gradient(name):
    """Twice each derived gradient is claimed, and refuted at a random element; of a network with
    many, such as one with a loop, twice some."""
    prepared = prepare(CASES[name])
    derivation = prepared.derivation
    forward = derivation.forward
    random = np.random.default_rng(1)
    every = 1 + len(derivation.steps) // 24
    for step in derivation.steps[::every]:
        balls = prepared.truth.balls[step.equation.target]
        index = tuple(int(random.integers(size)) for size in balls.shape)
        if balls[index].contains(0):
            continue  # twice nothing is nothing
        two = Product((Number(Fraction(2)), step.equation.term))
        doubled = Equation("twice", step.equation.free, two)
        backward = Program(
            derivation.backward.inputs, (*derivation.backward.equations, doubled), ("twice",)
        )
        claim = Claim(step.of, "twice")
        paper = Paper(forward, derivation.loss, backward, (claim,))
        text = certificate(claim, index, paper, prepared.inputs, prepared.sizes, name)
        finding = confirm(json.loads(text))
        assert finding.true.overlaps(balls[index])
        assert finding.claimed.overlaps(2 * balls[index])


@pytest.mark.parametrize("name", sorted(ELEMENTWISE_BY_NAME))
def test_a_functions_meaning_and_slope_in_a_certificate_are_those_of_its_record(name):
    from gradproof.certificate.document import _functions, _term

    record = ELEMENTWISE_BY_NAME[name]
    reads = tuple(Read(f"v{k}", ()) for k in range(len(record.arguments)))
    for order in (0, 1) if record.slopes[0] is not None else (0,):
        equation = Equation("w", (), Apply(name, reads, order))
        for sample in zip(*record.samples[0], strict=True):
            with precision(150):
                arb = Arb()
                tensors = {f"v{k}": arb.lift(np.asarray(x)) for k, x in enumerate(sample)}
                expected = evaluate_equation(equation, EngineRoom(tensors, {}, arb))[0].item()
                given = {f"v{k}": Tensor((), [flint.arb(x)]) for k, x in enumerate(sample)}
                room = Room({}, _functions([equation]), given)
                got = compiled(_term(equation.term), {}, room)({})
            assert got.overlaps(expected)
            assert got.is_exact() or got.rel_accuracy_bits() > 100


# --- matrices -----------------------------------------------------------------------------------


def gaussian(x: "n 3", L: "3 3", D: "3 3, data"):
    S = L @ L.T + D
    V = np.linalg.inv(S)
    return np.sum((x @ V) * x) + gp.logdet(S)


def gaussian_wrong(x, L, S, V):
    dV = x.T @ x
    dS = np.linalg.inv(S).T - V @ dV @ V
    dL = dS @ L + dS.T @ L
    return {"dV": dV, "dS": dS, "dL": dL}


@pytest.fixture(scope="module")
def of_matrices():
    return gp.verify(gaussian, gaussian_wrong, engine="numpy", certificates=True)


def test_a_wrong_gradient_of_an_inverse_and_a_log_determinant_has_a_certificate(
    of_matrices, checked
):
    assert of_matrices["V"].formula_verdict.kind == "proved"
    verdict = of_matrices["S"].formula_verdict
    assert verdict.kind == "refuted"
    code, said = checked(verdict.certificate)
    assert (code, "✓ confirmed" in said) == (0, True)
    document = json.loads(verdict.certificate)
    assert flint.arb(document["true"]).overlaps(flint.arb(verdict.counter_example.true))


def swap_places(document):
    (formula,) = (one for one in document["forward"] if one[0] == "V")
    formula[2][3:] = reversed(formula[2][3:])


def turn_claim(document):
    text = json.dumps(document["formula"])
    assert '["inverse"' in text and '"logdet"' in json.dumps(document["forward"])
    document["formula"] = json.loads(text.replace('"product", -1', '"product", -2'))
    assert json.dumps(document["formula"]) != text


@pytest.mark.parametrize("change", [change_input("L"), change_input("D"), swap_places, turn_claim])
def test_a_changed_certificate_about_matrices_is_not_confirmed(change, of_matrices, checked):
    document = json.loads(of_matrices["S"].formula_verdict.certificate)
    change(document)
    assert checked(document)[0] == 1


def matrix(entries):
    return [[flint.arb(x) for x in row] for row in entries]


MATRICES = {
    "usual": [[2.0, 1.0, -1.0], [0.5, 3.0, 1.0], [1.0, -2.0, 4.0]],
    "a zero stands first": [[0.0, 2.0, 1.0], [1.0, 0.0, 3.0], [4.0, 1.0, 0.0]],
    "negative determinant": [[1.0, 2.0], [3.0, 4.0]],
    "one element": [[-0.75]],
}


@pytest.mark.parametrize("entries", MATRICES.values(), ids=MATRICES)
def test_elimination_gives_flints_inverse_and_determinant(entries):
    rows, side = matrix(entries), len(entries)
    flints = flint.arb_mat(rows)
    inverse = flint.arb_mat(inverted(rows))
    for i in range(side):
        for j in range(side):
            assert inverse[i, j].overlaps(flints.inv()[i, j])
            assert inverse[i, j].rad() < 1e-10
    assert abs(determinant(rows)).overlaps(abs(flints.det()))


@pytest.mark.parametrize("entries", MATRICES.values(), ids=MATRICES)
def test_a_series_through_elimination_has_the_slopes_of_giles(entries):
    """−V dA V and tr(V dA), which the check itself does not know."""
    side = len(entries)
    v = flint.arb_mat(matrix(entries)).inv()
    for k in range(side):
        tapped = matrix(entries)
        tapped[k][side - 1] = series(tapped[k][side - 1], flint.arb(1))
        made = inverted(tapped)
        for i in range(side):
            for j in range(side):
                assert made[i][j][1].overlaps(-v[i, k] * v[side - 1, j])
        found = determinant(tapped)
        assert (found[1] / found[0]).overlaps(v[side - 1, k])


def test_a_singular_matrix_confirms_nothing():
    for rows in (matrix([[1.0, 2.0], [2.0, 4.0]]), [[flint.arb(0, 1)]]):
        for function in (inverted, determinant):
            with pytest.raises(NotConfirmed, match="singular"):
                function(rows)


def test_an_inverse_inside_a_function_is_another_one_for_each_argument():
    functions = {"f": [1, ["inverse", {"i8": 1, "i9": 1}, ["argument", 0], 0, 0]]}
    term = ["sum", {"i0": 3}, ["apply", "f", ["read", "x", "i0"]]]
    tensors = {"x": Tensor((3,), [flint.arb(1), flint.arb(2), flint.arb(4)])}
    assert compiled(term, {}, Room({}, functions, tensors))({}) == flint.arb(1.75)


def test_an_inverse_that_changes_with_an_index_is_worked_out_for_each():
    elements = [flint.arb(k) for k in (1, 2, 4)]
    inner = ["inverse", {"i8": 1, "i9": 1}, ["read", "x", "i0"], "i8", "i9"]
    room = Room({}, {}, {"x": Tensor((3,), elements)})
    with pytest.raises(Unreadable, match="nothing binds"):
        compiled(["sum", {"i0": 3}, inner], {}, room)
    inner[3:] = [0, 0]
    assert compiled(["sum", {"i0": 3}, inner], {}, room)({}) == flint.arb(1.75)


# --- kinks, and what a certificate may not skip ------------------------------------------------


def relu_net(x: "2 1", W: "1 1"):
    z = x @ W
    a = gp.relu(z)
    return np.sum(a * a * a + a)


def relu_wrong(a, x):
    dl_da = 3 * a**2 + 2
    dl_dz = dl_da * (a >= 0)
    return locals()


def test_a_claim_refuted_at_a_kink_has_no_certificate_and_says_why():
    inputs = {"x": np.array([[0.0], [0.0]]), "W": np.array([[1.0]])}
    report = gp.verify(relu_net, relu_wrong, inputs, engine="numpy", certificates=True)
    assert report["a"].formula_verdict.certificate  # after the relu there is no kink
    verdict = report["z"].formula_verdict
    assert verdict.certificate == ""
    if verdict.kind == "refuted":
        assert "no certificate: a kink" in verdict.because


def test_a_tap_before_a_kink_is_not_confirmed():
    document = {
        "sizes": {},
        "functions": {},
        "inputs": {"z": {"shape": [], "values": ["0x0p+0"]}},
        "forward": [["l", {}, ["product", ["read", "z"], ["compare", ">", ["read", "z"], 0]]]],
        "formula": [["g", {}, 1]],
        "claim": {"of": "z", "name": "g", "index": []},
        "loss": "l",
    }
    with pytest.raises(NotConfirmed, match="kink"):
        work_out(document, 100)
    document["inputs"]["z"]["values"] = ["0x1p-300"]
    assert work_out(document, 100).true == 1


def test_a_bracket_hides_a_read_outside_its_tensor_and_nothing_else_does():
    shifted = ["read", "x", {"i0": 1, "1": -1}]
    inside = ["bracket", ">=", {"i0": 1, "1": -1}]
    document = {
        "sizes": {"n": 3},
        "functions": {},
        "inputs": {"x": {"shape": [3], "values": ["0x1p+0", "0x1.8p+0", "0x1p+1"]}},
        "forward": [["l", {}, ["sum", {"i0": "n"}, ["product", shifted, shifted, inside]]]],
        "formula": [["g", {"i0": "n"}, 0]],
        "claim": {"of": "x", "name": "g", "index": [1]},
        "loss": "l",
    }
    finding = work_out(document, 100)
    assert finding.loss == 3.25
    assert finding.true == 3
    document["forward"][0][2][2] = ["product", shifted, shifted]
    with pytest.raises(NotConfirmed, match="outside its axis"):
        work_out(document, 100)


def test_a_slope_inside_the_forward_program_is_differentiated_once_more():
    """∂ tanh′(z) = −2 tanh(z) tanh′(z), at a z that depends on the tap."""
    e = ["apply", "exp", ["product", 2, ["argument", 0]]]
    tanh = ["add", 1, ["product", -2, ["power", ["add", 1, e], -1]]]
    document = {
        "sizes": {},
        "functions": {"tanh": [1, tanh]},
        "inputs": {"z": {"shape": [], "values": ["0x1p-1"]}},
        "forward": [["l", {}, ["slope", "tanh", ["product", 3, ["read", "z"]]]]],
        "formula": [["g", {}, 0]],
        "claim": {"of": "z", "name": "g", "index": []},
        "loss": "l",
    }
    finding = work_out(document, 150)
    with precision(150):
        t = (flint.arb(3) / 2).tanh()
        assert finding.true.overlaps(-6 * t * (1 - t**2))
        assert finding.true.rel_accuracy_bits() > 120


@pytest.mark.parametrize("exponent", [0, 1, 2, 5, -1, -3, "1/2", "-1/2", "3/2", "-2/3"])
def test_a_power_and_its_derivative_are_those_of_the_real_power(exponent):
    document = {
        "sizes": {},
        "functions": {},
        "inputs": {"z": {"shape": [], "values": ["0x1.8p+0"]}},
        "forward": [["l", {}, ["power", ["read", "z"], exponent]]],
        "formula": [["g", {}, ["power", ["read", "z"], exponent]]],
        "claim": {"of": "z", "name": "g", "index": []},
        "loss": "l",
    }
    finding = work_out(document, 150)
    with precision(150):
        q, z = Fraction(exponent), flint.arb(1.5)
        real = flint.arb(flint.fmpq(q.numerator, q.denominator))
        assert finding.loss.overlaps(z**real)
        assert finding.claimed.overlaps(z**real)
        assert finding.true.overlaps(real * z ** (real - 1))
        for ball in (finding.loss, finding.true):
            assert ball.is_exact() or ball.rel_accuracy_bits() > 120


def test_a_right_claim_that_a_wrong_derivation_refutes_is_an_error_and_no_refutation(monkeypatch):
    rule = {"pullback": lambda p, g, total: p * (1 - p) * g}
    monkeypatch.setitem(ALONG_BY_NAME, "softmax", replace(ALONG_BY_NAME["softmax"], **rule))
    right = softmax_regression
    with pytest.raises(WitnessError, match="the derived gradient is wrong"):
        gp.verify(right.forward, right.backward, engine="numpy", certificates=True)
