"""The mistakes that recurrent networks are famous for are refuted where they are made."""

from pathlib import Path

import pytest

from gradproof import gallery, judged
from gradproof.gallery.catalogue import find
from gradproof.workbench import verify_source

HERE = Path(gallery.__file__).parent

MISTAKES = (
    ("rnn", "dh = do @ V.T + dh_next", "dh = do @ V.T", {"h"}),
    ("rnn", "da = dh * (1 - hs[t] ** 2)", "da = dh", {"U", "W", "a", "b", "h", "h0"}),
    ("rnn", "(hs[t - 1] if t else h0).T @ da", "hs[t].T @ da", {"W"}),
    ("lstm", "dzf = dC * before * f * (1 - f)", "dzf = dC * before * (1 - f**2)", {"zf"}),
    ("lstm", "dzf = dC * before * f", "dzf = dC * C * f", {"zf"}),
    ("lstm", "dC_next = dC * f", "dC_next = dC * i", {"C", "C0"}),
    ("lstm", "dC_next = dC * f", "dC_next = np.zeros_like(C0)", {"C", "C0"}),
    ("lstm", "dzo = dh * np.tanh(C) * o", "dzo = dh * C * o", {"zo"}),
    ("lstm", "dhx[:, : h0.shape[1]]", "dhx[:, 3:]", {"h", "h0"}),
    ("gru", "dan * m * r", "dan * before * r", {"ar"}),
    ("gru", "dm = dan * r", "dm = dan", {"Un", "cn", "h", "h0", "m"}),
    ("gru", "dh * z + dar", "dh * (1 - z) + dar", {"h", "h0"}),
    ("gru_cho", "+ dq * r\n", "+ dq\n", {"h", "h0"}),
    ("gru_cho", "dUn + q.T @ dan", "dUn + before.T @ dan", {"Un"}),
)


@pytest.mark.parametrize(("name", "right", "wrong", "expected"), MISTAKES)
def test_a_famous_mistake_is_refuted(name, right, wrong, expected, tmp_path, monkeypatch):
    # Here only verdicts are of interest: naming the mistake takes longer than finding it.
    monkeypatch.setattr(judged, "with_reasons", lambda rows, *_: rows)
    code = (HERE / f"{name}.py").read_text(encoding="utf-8")
    assert code.count(right) == 1
    path = tmp_path / f"{name}.py"
    path.write_text(code.replace(right, wrong), encoding="utf-8")
    report = verify_source(find(str(path)), {}, "numpy", "float64", 0, {})
    rows = report.batches[0].gradients
    refuted = {row.name.partition("[")[0] for row in rows if row.formula_verdict.kind == "refuted"}
    own = {
        row.name.partition("[")[0]
        for row in rows
        if row.formula_verdict.kind == "refuted" and not row.formula_verdict.inherited
    }
    assert own and own <= expected and expected <= refuted
    assert not any(
        row.formula_verdict.kind == "proved"
        for row in rows
        if row.name in expected  # those of no loop
    )
