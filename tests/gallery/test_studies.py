"""What is read and proved once is judged on other engines and in other dtypes as if it were new."""

from gradproof import workbench
from gradproof.gallery import catalogue
from gradproof.workbench import Study, verify_source


def test_a_paper_that_was_studied_is_judged_as_one_that_was_not(monkeypatch):
    source = catalogue.find("fnn")
    studies: dict[str, Study] = {}
    verify_source(source, {}, "numpy", "float64", 3, {}, studies=studies)
    new = verify_source(source, {}, "torch", "float32", 3, {}).to_json()
    monkeypatch.setattr(workbench, "proofs_of", None)  # nothing is proved again
    monkeypatch.setattr(workbench, "read", None)  # nor read
    known = verify_source(source, {}, "torch", "float32", 3, {}, studies=studies).to_json()
    assert known == new
