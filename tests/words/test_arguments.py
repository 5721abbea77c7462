"""The command line's own words are said in the language that is asked for."""

import re

import pytest

from gradproof.cli import main
from gradproof.words.arguments import CLOSING, Parser, cells, in_words, wrapped

CALLS = {
    "derive": "缺少必需的参数：network",
    "derive fnn --layout foo": "参数 --layout：无效的选择 'foo'（可选：",
    "derive fnn --order two": "参数 --order：无效的 int 值：'two'",
    "derive fnn --size": "参数 --size：需要一个值",
    "derive fnn --nothing": "不认识的参数：--nothing",
    "derive fnn --la x": "选项 --la 有歧义",
    "derive fnn --standalone=yes": "参数 --standalone：不接受值 'yes'",
    "nothing": "参数 COMMAND：无效的选择 'nothing'（可选：",
}


@pytest.mark.parametrize("call", CALLS)
def test_what_is_wrong_with_a_call_is_said_in_chinese(call, capsys):
    with pytest.raises(SystemExit) as end:
        main([*call.split(), "--lang=zh"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("用法：") and CALLS[call] in said
    last = said.splitlines()[-1]
    names = "gradproof|derive|network|layout|order|size|int|foo|two|nothing|standalone|yes|COMMAND"
    assert "错误：" in last
    if "可选" not in last and "歧义" not in last:
        assert set(re.findall("[a-zA-Z]+", last)) <= set(names.split("|"))


MISSPELT = {
    "derive fnn --layuot jacobian": ("--layout", "unrecognized arguments: --layuot jacobian"),
    "derive fnn --layot=jacobian": ("--layout", "unrecognized arguments: --layot=jacobian"),
    "verify fnn --engin numpy --sead 3": ("--seed", "unrecognized arguments: --sead 3"),
    "verfy fnn": ("verify", "invalid choice: 'verfy'"),
    "export fnn --to nunpy": ("numpy", "argument --to: invalid choice: 'nunpy'"),
    "report fnn --outptu page.html": ("--output", "are required: -o/--output"),
    "grade answers --solutoin": ("--solution", "unrecognized arguments: --solutoin"),
}


@pytest.mark.parametrize("call", MISSPELT)
def test_a_misspelt_word_is_met_with_the_one_that_it_looks_like(call, capsys):
    like, wrong = MISSPELT[call]
    for lang, asked in (("en", f"  Did you mean {like}?"), ("zh", f"  是不是想写 {like}？")):
        with pytest.raises(SystemExit) as end:
            main([*call.split(), "--lang", lang])
        assert end.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.endswith(asked)
        assert lang == "zh" or wrong in last


def test_a_word_that_looks_like_none_is_met_with_no_guess(capsys):
    for call in ("derive fnn --nothing", "derive fnn --layout sideways", "rewrite fnn"):
        with pytest.raises(SystemExit):
            main(call.split())
        assert "Did you mean" not in capsys.readouterr().err


def test_english_help_is_that_of_argparse(capsys):
    with pytest.raises(SystemExit):
        main(["derive", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: gradproof derive [-h]")
    assert "positional arguments:" in said and "show this help message and exit" in said


@pytest.mark.parametrize("command", ["verify", "derive", "power", "grade"])
def test_chinese_help_fits_its_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([command, "--help", "--lang=zh"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cells, lines)) <= 80
    assert not any(line.strip()[:1] in CLOSING for line in lines if line.strip())
    usage = lines[: lines.index("")]
    start = cells(usage[0].partition("[")[0])
    assert len(usage) > 1
    assert all(len(line) - len(line.lstrip()) == start for line in usage[1:])


def test_a_line_ends_after_a_chinese_character_or_between_words():
    assert wrapped("梯度 of every tensor，再看。", 10) == ["梯度 of", "every", "tensor，再", "看。"]
    assert "".join(wrapped("逐步推导每个梯度", 6)) == "逐步推导每个梯度"
    assert wrapped("", 10) == [""]


def test_a_message_that_is_not_known_stays_as_it_is():
    assert in_words("something new", "zh") == "something new"
    assert Parser(prog="it").format_usage() == "usage: it [-h]\n"
