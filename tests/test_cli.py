"""The command line: exit codes, messages, and what is printed."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gradproof.cli import main
from gradproof.gallery.catalogue import names
from gradproof.gallery.fnn_replay import PUBLISHED

GOOD = """
import numpy as np
import gradproof as gp

def forward(x: "n 3", W: "3 2", y: "n 2, data"):
    z = x @ W
    a = gp.sigmoid(z)
    return np.sum((a - y) ** 2)

def backward(x, z, a, y):
    dl_da = 2 * (a - y)
    dl_dz = dl_da * a * (1 - a)
    dl_dW = x.T @ dl_dz
    return locals()
"""


@pytest.fixture
def paper(tmp_path):
    def write(text):
        path = tmp_path / "net.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def failing(capsys, *arguments):
    code = main(arguments)
    assert code == 2
    return capsys.readouterr().err


def test_a_right_paper_exits_with_0(paper, capsys):
    assert main(["verify", paper(GOOD), "--engine", "numpy"]) == 0
    assert "All hold" in capsys.readouterr().out


def test_a_wrong_paper_exits_with_1_and_names_the_line(paper, capsys):
    wrong = GOOD.replace("a * (1 - a)", "z * (1 - z)")
    assert main(["verify", paper(wrong), "--engine", "numpy"]) == 1
    out = capsys.readouterr().out
    assert "net.py:12" in out
    assert "inherited" in out


def test_the_engine_and_dtype_asked_for_are_used(paper, capsys):
    main(["verify", paper(GOOD), "--engine", "torch", "--dtype", "float64", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (report["engine"], report["dtype"]) == ("PyTorch", "float64")


def test_sizes_and_inputs_are_the_users_own(paper, tmp_path, capsys):
    data = tmp_path / "data.npz"
    np.savez(data, x=np.arange(12.0).reshape(4, 3) / 7)
    code = main(["verify", paper(GOOD), "--engine", "numpy", "--inputs", str(data), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["batches"][0]["sizes"] == {"n": 4}
    assert main(["verify", paper(GOOD), "--engine", "numpy", "--size", "n=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["batches"][0]["sizes"] == {"n": 2}


LISTS = """
import numpy as np

def forward(x: "n 3", Ws: ["3 4", "4 2"], y: "n 2, data"):
    a = x
    for W in Ws:
        a = np.tanh(a @ W)
    return np.sum((a - y) ** 2)
"""
FIRST, SECOND = np.arange(12.0).reshape(3, 4) / 13, np.arange(8.0).reshape(4, 2) / 9


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return save


def test_a_list_of_weights_comes_from_a_file(paper, saved, capsys):
    data = saved(**{"Ws[2]": SECOND, "Ws[1]": FIRST})
    assert main(["verify", paper(LISTS), "--engine", "numpy", "--inputs", data, "--json"]) == 0
    inputs = json.loads(capsys.readouterr().out)["batches"][0]["inputs"]
    for name, array in (("Ws[1]", FIRST), ("Ws[2]", SECOND)):
        assert np.array_equal(np.float32(inputs[name]), np.float32(array))


def test_a_list_with_a_gap(paper, saved, capsys):
    message = failing(capsys, "verify", paper(LISTS), "--inputs", saved(**{"Ws[2]": SECOND}))
    assert "The inputs have Ws[2] and no Ws[1]" in message


def test_a_list_that_is_too_short(paper, saved, capsys):
    message = failing(capsys, "verify", paper(LISTS), "--inputs", saved(**{"Ws[1]": FIRST}))
    assert "Ws is a list of 2 tensors, not 1" in message


def test_an_input_that_is_no_parameter_says_how_a_list_is_named(paper, saved, capsys):
    message = failing(capsys, "verify", paper(LISTS), "--inputs", saved(Ws_1=FIRST))
    assert "no parameter Ws_1; it takes x, Ws, y" in message
    assert "in a file its tensors are Ws[1], Ws[2], …" in message


def test_a_list_saved_as_python_objects_is_not_unpickled(paper, saved, capsys):
    objects = np.empty(2, dtype=object)
    objects[:] = [FIRST, SECOND]
    message = failing(capsys, "verify", paper(LISTS), "--inputs", saved(Ws=objects))
    assert "holds Python objects" in message
    assert '"Ws[1]": W1' in message


def test_an_array_without_a_name(paper, tmp_path, capsys):
    np.save(tmp_path / "x.npy", FIRST)
    message = failing(capsys, "verify", paper(LISTS), "--inputs", str(tmp_path / "x.npy"))
    assert "holds one array without a name" in message


@pytest.mark.parametrize("content", ["hello", ""])
def test_a_file_that_holds_no_arrays(paper, tmp_path, capsys, content):
    (tmp_path / "data.npz").write_text(content)
    message = failing(capsys, "verify", paper(LISTS), "--inputs", str(tmp_path / "data.npz"))
    assert "is not a file of arrays" in message


def test_inputs_that_are_not_there(paper, capsys):
    assert "There is no file" in failing(capsys, "verify", paper(GOOD), "--inputs", "no.npz")


@pytest.mark.parametrize("size", ["n", "n=", "n=-2", "n=2.5", "=3"])
def test_a_size_that_is_not_a_number(paper, capsys, size):
    assert "is not of the form n=5" in failing(capsys, "verify", paper(GOOD), "--size", size)


def test_a_size_below_one(paper, capsys):
    assert "must be at least 1" in failing(capsys, "verify", paper(GOOD), "--size", "n=0")


def test_a_size_given_twice(paper, capsys):
    message = failing(capsys, "verify", paper(GOOD), "--size", "n=2", "--size", "n=3")
    assert "gives n twice: 2 and 3" in message


def test_a_size_that_the_data_contradict(paper, saved, capsys):
    data = saved(x=np.ones((4, 3)))
    message = failing(capsys, "verify", paper(GOOD), "--inputs", data, "--size", "n=7")
    assert 'x has the shape (4, 3), but its annotation says "n 3" and n is 7' in message


def test_a_seed_below_zero(paper, capsys):
    message = failing(capsys, "verify", paper(GOOD), "--engine", "numpy", "--seed", "-3")
    assert "The seed must be at least 0" in message


def test_another_seed_draws_other_data(paper, capsys):
    drawn = []
    for seed in ("0", "7", "7"):
        main(["verify", paper(GOOD), "--engine", "numpy", "--seed", seed, "--json"])
        drawn.append(json.loads(capsys.readouterr().out)["batches"][0]["inputs"]["x"])
    assert drawn[0] != drawn[1] == drawn[2]


def test_what_is_undecided_exits_with_3(paper, saved, capsys):
    kinked = """
import numpy as np

def forward(x: "n 2"):
    a = np.abs(x)
    return np.sum(a * a + 3 * a)

def backward(x):
    dl_dx = 2 * x + 3
    return locals()
"""
    data = saved(x=np.zeros((2, 2)))
    arguments = ["verify", paper(kinked.partition("def backward")[0]), "--inputs", data]
    assert main([*arguments, "--engine", "torch"]) == 3
    assert "UNDECIDED" in capsys.readouterr().out


def test_replay_of_another_network(paper, capsys):
    assert "only fnn has any" in failing(capsys, "verify", paper(GOOD), "--replay")


def test_replay_prints_the_published_pair_and_why_it_differs(capsys):
    assert main(["verify", "fnn", "--replay"]) == 0
    out = capsys.readouterr().out
    assert out.count("   as published\n") == len(PUBLISHED)
    assert all(number in out for number in ("0.05851869", "0.05851868", "0.69 ulp", "1.69 ulp"))


def test_the_gallery_lists_its_networks_in_100_columns(capsys):
    assert main(["gallery"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"fnn", "mlp", "softmax_regression"} <= {line.split(" ")[0] for line in lines}
    assert all(len(line) <= 100 for line in lines)


def test_the_gallery_shows_one_network(capsys):
    assert main(["gallery", "mlp"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mlp"
    assert all(len(line) <= 100 for line in lines)
    assert "has no network called 'nothing'" in failing(capsys, "gallery", "nothing")


def test_the_whole_gallery_is_verified(capsys, monkeypatch):
    monkeypatch.setattr("gradproof.gallery.catalogue.names", lambda: ("fnn", "softmax_regression"))
    assert main(["verify", "--all", "--engine", "numpy"]) == 0
    captured = capsys.readouterr()
    assert "All hold: 2 networks on 1 engine in float32" in captured.out
    assert captured.err == ""  # the progress bar is for terminals
    assert main(["verify", "--all", "--engine", "numpy", "--dtype", "float64", "--json"]) == 0
    survey = json.loads(capsys.readouterr().out)
    assert [one["network"] for one in survey["outcomes"]] == ["fnn", "softmax_regression"]
    assert survey["dtype"] == "float64"


@pytest.mark.parametrize(
    "other", [["fnn"], ["--size", "n=2"], ["--inputs", "a.npz"], ["--replay"], ["--witness"]]
)
def test_what_cannot_stand_beside_all(capsys, other):
    assert "cannot stand beside it" in failing(capsys, "verify", "--all", *other)


def test_verify_without_a_network(capsys):
    assert "needs a network or a file" in failing(capsys, "verify")


def test_a_new_file_is_written_once_and_verifies(tmp_path, capsys):
    path = str(tmp_path / "mine.py")
    assert main(["new", path]) == 0
    assert "gradproof verify" in capsys.readouterr().out
    assert main(["verify", path, "--engine", "numpy"]) == 0
    capsys.readouterr()
    assert "exists already" in failing(capsys, "new", path)


def test_the_values_of_every_party_are_printed_at_8_digits(capsys):
    main(["verify", "fnn", "--engine", "numpy"])
    assert "0.23775901" not in capsys.readouterr().out
    main(["verify", "fnn", "--engine", "numpy", "--show", "values"])
    sample = capsys.readouterr().out.partition("generic data")[0]
    assert sample.count("[[ 0.1497804  -0.05124322  0.23775901]]") == 2  # NumPy's and by hand
    assert sample.count("[[ 0.1497804  -0.05124321  0.237759  ]]") == 1  # the true one


# --- files ------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(capsys):
    assert "There is no file" in failing(capsys, "verify", "nowhere.py")


def test_a_name_that_is_no_network(capsys):
    said = failing(capsys, "verify", "nothing")
    assert f"The gallery has {', '.join(names())};" in said


def test_a_misspelt_name_is_met_with_the_one_it_looks_like(paper, capsys):
    path = paper("import gradproof as gp\n\n\ndef forward(x: 'n 2'):\n    return gp.sigmiod(x)\n")
    said = failing(capsys, "derive", path)
    assert said.startswith("gradproof: net.py:5  return gp.sigmiod(x)\n")
    assert said.endswith("no attribute 'sigmiod'  Did you mean sigmoid?\n")
    path = paper("def forward(weights: 'n 2'):\n    return wieghts.sum()\n")
    assert "is not defined  Did you mean weights?" in failing(capsys, "derive", path)
    assert "Did you mean fnn?" in failing(capsys, "derive", "fnnn")
    assert f"Did you mean {path}?" in failing(capsys, "derive", path.replace("net", "nett"))


def test_a_file_without_forward(paper, capsys):
    assert "has no function called forward" in failing(capsys, "verify", paper("x = 1\n"))
    path = paper("def foward(x: 'n 2'):\n    return x.sum()\n")
    assert "return loss  It has foward." in failing(capsys, "verify", path)
    assert "请写  def forward" in failing(capsys, "verify", path, "--lang", "zh")


def test_a_file_with_a_syntax_error_names_its_line(paper, capsys):
    assert "net.py:2" in failing(capsys, "verify", paper("x = 1\ndef f(:\n"))


def test_a_file_that_raises_names_its_line(paper, capsys):
    message = failing(capsys, "verify", paper("x = 1\ny = 1 / 0\n"))
    assert "net.py:2  y = 1 / 0" in message
    assert "ZeroDivisionError" in message


def test_a_file_that_exits_is_no_verdict(paper, capsys):
    message = failing(capsys, "verify", paper("import sys\nsys.exit(0)\n"))
    assert "net.py:2  sys.exit(0)\nRunning the file raised SystemExit" in message


def test_a_folder(tmp_path, capsys):
    assert "is a folder" in failing(capsys, "verify", str(tmp_path))


def test_a_file_that_is_not_python(tmp_path, capsys):
    (tmp_path / "net.txt").write_text(GOOD)
    assert "is not a Python file" in failing(capsys, "verify", str(tmp_path / "net.txt"))


def test_a_backward_that_is_not_a_function(paper, capsys):
    message = failing(capsys, "verify", paper(GOOD + "\nbackward = 5\n"))
    assert "backward in net is int, not a function" in message


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("z = x @ Q", "net.py:6  z = x @ Q", "forward raised NameError: name 'Q'"),
        ("z = x.foo", "net.py:6  z = x.foo", "forward raised AttributeError"),
        ("z = forward(x, W, y)", "net.py:6  z = forward", "forward raised RecursionError"),
        ("raise SystemExit(0)", "net.py:6  raise SystemExit(0)", "forward raised SystemExit"),
    ],
)
def test_what_forward_raises_is_said_of_its_line(paper, capsys, written, line, said):
    message = failing(capsys, "verify", paper(GOOD.replace("z = x @ W", written)))
    assert line in message
    assert said in message


def test_what_backward_raises_is_said_of_its_line(paper, capsys):
    message = failing(capsys, "verify", paper(GOOD.replace("2 * (a - y)", "2 * (a - q)")))
    assert "net.py:11  dl_da = 2 * (a - q)\nbackward raised NameError" in message


def test_a_paper_may_import_its_neighbour(paper, tmp_path, capsys):
    (tmp_path / "neighbour_of_net.py").write_text("def twice(x):\n    return 2 * x\n")
    text = GOOD.replace("import numpy", "import neighbour_of_net\nimport numpy")
    text = text.replace("2 * (a - y)", "neighbour_of_net.twice(a - y)")
    assert main(["verify", paper(text), "--engine", "numpy"]) == 0


# --- engines and data -------------------------------------------------------------------------


def test_an_unknown_engine(paper, capsys):
    assert "There is no engine called 'mxnet'" in failing(
        capsys, "verify", paper(GOOD), "--engine", "mxnet"
    )


def test_an_unknown_size(paper, capsys):
    assert "There is no size called m" in failing(capsys, "verify", paper(GOOD), "--size", "m=3")


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (-np.inf, "-inf")])
def test_data_that_are_not_finite(paper, saved, capsys, value, shown):
    x = np.ones((4, 3))
    x[1, 2] = value
    message = failing(capsys, "verify", paper(GOOD), "--inputs", saved(x=x))
    assert f"x[1, 2] is {shown}" in message


def test_data_of_an_integer_dtype(paper, tmp_path, capsys):
    data = tmp_path / "data.npz"
    np.savez(data, x=np.ones((4, 3), dtype=int))
    assert "x has the dtype int64" in failing(capsys, "verify", paper(GOOD), "--inputs", str(data))


def test_data_of_the_wrong_shape(paper, tmp_path, capsys):
    data = tmp_path / "data.npz"
    np.savez(data, W=np.ones((2, 3)))
    message = failing(capsys, "verify", paper(GOOD), "--inputs", str(data))
    assert 'W has the shape (2, 3), but its annotation says "3 2"' in message


def test_a_missing_framework_is_an_error_with_the_line_that_installs_it(paper, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "gradproof.engines.jax", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = failing(capsys, "verify", paper(GOOD), "--engine", "jax")
    assert 'JAX is not installed.  Try: pip install "gradproof[jax]"' in message


def test_importing_gradproof_imports_no_framework():
    code = (
        "import sys, gradproof, gradproof.cli, gradproof.workbench\n"
        "print(sorted({'tensorflow', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
def test_a_terminal_of_another_encoding_does_not_crash(encoding):
    done = subprocess.run(
        [sys.executable, "-m", "gradproof", "derive", "fnn"],
        capture_output=True,
        env={"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PATH": ""},
        check=True,
    )
    assert "∂l/∂W2" in done.stdout.decode("utf-8")


def test_the_convention_transposes_every_matrix(capsys):
    main(["derive", "fnn", "--convention", "row"])
    row = capsys.readouterr().out
    main(["derive", "fnn", "--convention", "column"])
    column = capsys.readouterr().out
    assert "z1 = x W1 + b1" in row
    assert "z1 = W1 x + b1" in column
    assert "∂l/∂W1 = ∂l/∂z1 xᵀ" in column


UNREAD = {
    "verify fnn --engine numpy --json --show values": "--show prints tensors below the report",
    "verify fnn --replay --json": "--json cannot stand beside it",
    "verify fnn --replay --engine numpy": "--engine cannot stand beside it",
    "verify fnn --replay --seed 3": "--seed cannot stand beside it",
    "verify fnn --hints --dtype float64": "--dtype cannot stand beside it",
    "grade . --solution": "add -o PAGE.html",
}


@pytest.mark.parametrize("call", UNREAD)
def test_an_option_that_would_not_be_read_is_refused(call, capsys):
    assert main(call.split()) == 2
    assert UNREAD[call] in capsys.readouterr().err
    assert main([*call.split(), "--lang", "zh"]) == 2
    assert UNREAD[call] not in capsys.readouterr().err or "PAGE.html" in UNREAD[call]


def test_a_certificate_is_spoken_of_in_chinese(tmp_path, capsys):
    file = tmp_path / "wrong.json"
    file.write_text("no JSON", encoding="utf-8")
    assert main(["certificate", str(file), "--lang", "zh"]) == 2
    assert capsys.readouterr().err.startswith(f"无法读取：{file}：")
    assert main(["certificate", str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err.startswith("unreadable: ")
