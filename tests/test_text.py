"""Documents: TF-IDF by hand, what is left out, and new ones by the vocabulary that was saved."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrows.config import params
from narrows.data import tokens
from narrows.data.datasets import text
from narrows.data.datasets._base import Dataset, NothingLeft
from narrows.errors import UserError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(**documents: str) -> None:
    for name, content in documents.items():
        file = Path("docs", f"{name.replace('__', '/')}.txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def load(path: str = "docs", **options: Any) -> Dataset:
    cfg = text.Config(path=path, **{"max_share": 1.0, "min_documents": 1} | options)
    text.fetch(cfg, Path("raw"))
    return text.load(cfg, Path("raw"))


def test_tf_idf_by_hand() -> None:
    """Two documents: idf of a shared term is 1, of one of its own 1 + log(3 / 2) = 1.405; a row
    has length 1."""
    write(a="sea sea ship", b="sea tree")
    data = load()
    own = 1 + math.log(3 / 2)
    assert data.schema["terms"] == ["sea", "ship", "tree"]
    length = math.hypot(2, own)
    assert data.x[0].tolist() == pytest.approx([2 / length, own / length, 0], rel=1e-5)
    assert data.names == ["a.txt", "b.txt"]
    assert data.x.dtype == np.float32


def test_what_cannot_be_used_is_told() -> None:
    write(sea__a="ship sail", sea__b="sail ship", land__c="tree", land__d=" \n", e="ship")
    Path("docs/sea/f.txt").write_text("ship sail")  # as sea/a.txt
    Path("docs/land/g.txt").write_bytes("Bäume tree".encode("cp1252"))
    data = load(labels="folders")
    assert data.names == ["land/c.txt", "land/g.txt", "sea/a.txt", "sea/b.txt"]
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert "bäume" in data.schema["terms"]
    assert data.skipped == [
        ("e.txt", "no label"),
        ("land/d.txt", "empty"),
        ("sea/f.txt", "duplicate: of sea/a.txt"),
    ]


def test_a_column_of_a_csv() -> None:
    Path("rows.csv").write_text('words,kind\n"ship, sail",s\n,s\ntree,l\n"ship, sail",s\n')
    data = load("rows.csv", column="words", labels="kind")
    assert data.names == ["row 1", "row 3"]
    assert data.labels.tolist() == [1, 0]
    assert data.skipped == [("row 2", "empty"), ("row 4", "duplicate: of row 1")]


def test_scripts_without_spaces_have_pairs_for_terms() -> None:
    """Two topics with the same polite end: of the pairs, those of two documents."""
    write(
        a="天气公园\uff0c谢谢你。",
        b="公园天气\uff0c谢谢你。",
        c="股票市场\uff0c谢谢你。",
        d="市场股票 (NYSE)\uff0c谢谢你。",
    )
    data = load(min_documents=2, max_share=0.5)
    assert data.schema["terms"] == ["公园", "天气", "市场", "股票"]
    assert data.warnings == [
        "4 documents, 4 terms; 4 documents are in scripts without spaces: their terms are pairs of "
        "neighbouring characters"
    ]
    Path("new.txt").write_text("今天天气好", encoding="utf-8")
    new = text.encode(data.schema, data.arrays, Path("new.txt"))
    assert new.x[0].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("written", "terms"),
    [
        ("Cafe\u0301 caf\u00e9", ["caf\u00e9"]),  # an accent apart, and as one letter
        ("हिन्दी में", ["में", "हिन्दी"]),  # vowels are marks
        ("น้ำใจ", ["น้ำ", "ำใ", "ใจ"]),
        ("東京タワー 2 々", ["ワー", "京タ", "東京", "タワ", "々"]),
        ("한국어 단어", ["단어", "한국어"]),
        (
            "Zei\u00adtung \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            ["zeitung", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ),
        ("don't x_y 2024", ["2024", "don", "x_y"]),
    ],
)
def test_terms_of_every_script(written: str, terms: list[str]) -> None:
    assert sorted(set(tokens.tokens(written))) == sorted(terms)


def test_letters_are_read_as_they_were_written() -> None:
    """Notepad's UTF-16; and the same without its mark, which is no text."""
    write(a="sea ship", b="sea tree")
    Path("docs/c.txt").write_text("sea ship harbour", encoding="utf-16")
    Path("docs/d.txt").write_bytes("sea dough".encode("utf-16-le"))
    data = load()
    assert data.schema["terms"] == ["harbour", "sea", "ship", "tree"]
    assert data.skipped == [("d.txt", "no text: it has zero bytes")]
    assert data.warnings == [
        "1 of 3 documents, for example c.txt: it was read as UTF-16",
        "3 documents, 4 terms",
    ]
    Path("rows.csv").write_text("Wo\u0308rter,kind\nsea,s\ntree,l\n", encoding="utf-16")
    data = load("rows.csv", column="W\u00f6rter")
    assert data.names == ["row 1", "row 2"]
    assert data.warnings[0] == "rows.csv: it was read as UTF-16"


def test_what_is_excluded_is_left_out() -> None:
    write(a="sea ship", b="sea tree", old__c="road", **{"@eaDir__d": "cow"})
    data = load(exclude=("old",))
    assert data.names == ["a.txt", "b.txt"]
    assert [path for path, _ in data.skipped] == ["@eaDir", "old"]
    assert text.encode(data.schema, data.arrays, Path("docs")).names == data.names


def test_new_documents_are_encoded_the_same_way() -> None:
    write(a="sea ship", b="sea tree", c="tree road")
    data = load(n_terms=3)
    schema = json.loads(json.dumps(data.schema))
    np.testing.assert_array_equal(text.encode(schema, data.arrays, Path("docs")).x, data.x)
    Path("new.txt").write_text("sea of glass")
    Path("other.txt").write_text("glass")
    new = text.encode(schema, data.arrays, Path("new.txt"))
    assert new.x[0].tolist() == [1.0 if term == "sea" else 0.0 for term in schema["terms"]]
    assert not new.warnings
    other = text.encode(schema, data.arrays, Path("other.txt"))
    assert other.blank == {0: "no known term"}
    with pytest.raises(NothingLeft) as nothing:
        other.without_blank()
    assert nothing.value.skipped == [("other.txt", "no known term")]


def test_documents_without_a_term_are_there_and_can_be_left_out() -> None:
    """Of terms that two documents have, c.txt has none."""
    write(a="sea ship", b="ship sea", c="quark", d=" ")
    data = load(min_documents=2)
    assert (data.names, data.blank) == (["a.txt", "b.txt", "c.txt"], {2: "no known term"})
    assert not data.x[2].any()
    less = data.without_blank()
    assert (less.names, len(less.x), less.blank) == (["a.txt", "b.txt"], 2, {})
    assert less.skipped == [("c.txt", "no known term"), ("d.txt", "empty")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "rows.csv"}, "dataset.column is missing: which column of rows.csv is text"),
        ({"path": "rows.csv", "column": "x"}, "dataset.column: rows.csv has no column 'x'; it has"),
        ({"labels": "kind"}, "dataset.labels: accepted are folders and null, found 'kind'"),
        (
            {"min_documents": 2, "max_share": 0.1},
            r"\(skipped: 2 no term .*dataset.min_documents 2 and dataset.max_share 0.1 ",
        ),
        ({"embeddings": "a-model"}, "dataset.embeddings"),
        ({"path": "void"}, "void has no document to learn from"),
        ({"path": "a.pdf"}, r"dataset.path: a.pdf is no folder, no .txt and no .csv"),
    ],
)
def test_a_mistake_is_a_sentence(options: dict[str, Any], message: str) -> None:
    Path("a.pdf").write_bytes(b"%PDF-1.7 words of a page")
    write(a="sea", b="tree")
    Path("rows.csv").write_text("words\nsea\n")
    Path("void").mkdir()
    with pytest.raises(UserError, match=message):
        load(**options)


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n", "\r"])
def test_a_separator_is_one_character(separator: str) -> None:
    settings = {"name": "text", "path": "rows.csv", "separator": separator}
    with pytest.raises(UserError, match=r"^datasets.separator: accepted is one character"):
        params.plugin("datasets", settings)


def test_a_new_file_of_another_kind_is_not_read() -> None:
    write(a="sea ship", b="sea tree")
    data = load()
    Path("a.pdf").write_text("sea")
    with pytest.raises(NothingLeft) as nothing:
        text.encode(data.schema, data.arrays, Path("a.pdf"))
    assert nothing.value.skipped == [("a.pdf", "another kind of file: .pdf")]
