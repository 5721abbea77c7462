"""The command line in a reader's language: the option, the variable, and what there is none of."""

import shutil
from pathlib import Path

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


def test_the_help_is_said_in_the_language_asked_for(capsys):
    with pytest.raises(SystemExit):
        main(["--lang", "zh", "--help"])
    assert "给一个文件夹中的答案评分" in capsys.readouterr().out


def test_marks_and_hints_are_said_in_the_language_asked_for(capsys, tmp_path):
    answer = Path(__file__).parent / "golden" / "reports" / "mistaken.py"
    shutil.copy(answer, tmp_path)
    assert main(["verify", str(answer), "--hints", "--lang", "zh"]) == 1
    alone = capsys.readouterr().out
    assert "✗ 此处错误" in alone and "≈ 正确（但承接了前面的错误）" in alone
    page, table = tmp_path / "marks.html", tmp_path / "marks.csv"
    words = ["grade", str(tmp_path), "--lang", "zh", "-o", str(page), "--csv", str(table)]
    assert main(words) == 0
    assert '<html lang="zh">' in page.read_text(encoding="utf-8")
    hint = "这里应对 n 项求和，却求了平均。"
    assert hint in alone and hint in page.read_text(encoding="utf-8")
    assert table.read_text(encoding="utf-8").splitlines()[0].startswith("文件,得分,满分,")


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
