"""The command line: exit codes, messages, and what is printed."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gradproof.cli import main

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


def test_a_file_that_is_not_there(capsys):
    assert "There is no file" in failing(capsys, "verify", "nowhere.py")


def test_a_name_that_is_no_network(capsys):
    assert "The gallery has fnn" in failing(capsys, "verify", "nothing")


def test_a_file_without_forward(paper, capsys):
    assert "has no function called forward" in failing(capsys, "verify", paper("x = 1\n"))


def test_a_file_with_a_syntax_error_names_its_line(paper, capsys):
    assert "net.py:2" in failing(capsys, "verify", paper("x = 1\ndef f(:\n"))


def test_a_file_that_raises_names_its_line(paper, capsys):
    message = failing(capsys, "verify", paper("x = 1\ny = 1 / 0\n"))
    assert "net.py:2  y = 1 / 0" in message
    assert "ZeroDivisionError" in message


def test_an_unknown_engine(paper, capsys):
    assert "There is no engine called 'mxnet'" in failing(
        capsys, "verify", paper(GOOD), "--engine", "mxnet"
    )


def test_an_unknown_size(paper, capsys):
    assert "There is no size called m" in failing(capsys, "verify", paper(GOOD), "--size", "m=3")


def test_data_with_nan(paper, tmp_path, capsys):
    data = tmp_path / "data.npz"
    x = np.ones((4, 3))
    x[1, 2] = np.nan
    np.savez(data, x=x)
    message = failing(capsys, "verify", paper(GOOD), "--inputs", str(data))
    assert "x[1, 2] is nan" in message


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
