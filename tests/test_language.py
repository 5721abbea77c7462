"""The command line in a reader's language: the option, the variable, and what there is none of."""

import pytest

from gradproof.cli import main


@pytest.fixture(autouse=True)
def _no_language_outside(monkeypatch):
    monkeypatch.delenv("GRADPROOF_LANG", raising=False)


def test_an_unknown_language_is_an_error(capsys, monkeypatch):
    assert main(["verify", "fnn", "--lang", "xx"]) == 2
    assert "The language is one of en, zh, not xx." in capsys.readouterr().err
    monkeypatch.setenv("GRADPROOF_LANG", "yy")
    assert main(["gallery"]) == 2
    assert "not yy" in capsys.readouterr().err


def test_an_error_is_said_in_the_language_asked_for(capsys, monkeypatch):
    english = "The seed must be at least 0, not -1."
    chinese = "随机种子不能小于 0，这里是 -1。"
    words = ["verify", "softmax_regression", "--engine", "numpy", "--seed", "-1"]
    assert main(words) == 2
    assert capsys.readouterr().err == f"gradproof: {english}\n"
    assert main([*words, "--lang", "zh"]) == 2
    assert capsys.readouterr().err == f"gradproof: {chinese}\n"
    monkeypatch.setenv("GRADPROOF_LANG", "zh")
    assert main(words) == 2
    assert capsys.readouterr().err == f"gradproof: {chinese}\n"
    assert main([*words, "--lang=en"]) == 2
    assert capsys.readouterr().err == f"gradproof: {english}\n"
