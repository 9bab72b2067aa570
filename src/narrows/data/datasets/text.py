"""Documents of your own as TF-IDF of their most frequent terms, or as sentence embeddings.

2,000 terms are what the deep clustering papers took of Reuters (Xie et al. 2016,
arXiv:1511.06335). Rows have length 1 (scikit-learn's l2), so that all values are in [0, 1]; the
papers' own scale is this one times the root of the number of terms. `tokens` says what a term is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveInt

from narrows.config.messages import plural
from narrows.config.plugins import config
from narrows.data import tokens
from narrows.data.datasets import _documents, _files
from narrows.data.datasets._base import Dataset, NothingLeft, Original, Part, Skipped, numbered
from narrows.data.datasets._documents import Documents
from narrows.data.datasets._files import ListedFile
from narrows.errors import UserError
from narrows.store.digests import digest_of


@config
class Config:
    """Documents, and what becomes of them."""

    path: str
    """A folder of .txt files (folders in it are searched), or a .csv; ~ is your home."""
    column: str | None = None
    """Column of a .csv that has the text."""
    separator: str = ","
    """Character between the values of a .csv."""
    labels: str | None = None
    """For scoring only: `folders` takes the name of the folder that a document lies in, of a .csv
    it is a column. Documents without a label are left out."""
    n_terms: PositiveInt = 2000
    """Number of terms; the most frequent ones are used."""
    min_documents: PositiveInt = 2
    """Number of documents that a term has to occur in."""
    max_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Terms in more than this share of the documents tell nothing and are left out."""
    stop_words: Literal["english"] | None = None
    """Whether scikit-learn's list of English words is left out as well."""
    exclude: tuple[str, ...] = ()
    """Files and folders that are left out, by name or by path, * for anything. Folders that a NAS,
    an archive or a system makes, like @eaDir and __MACOSX, always are."""
    embeddings: str | None = None
    """Name or folder of a locally installed model of sentence-transformers, instead of TF-IDF."""

    def __post_init__(self) -> None:
        if len(self.separator) != 1 or self.separator in '"\r\n':
            raise ValueError(
                "separator: accepted is one character, no quote and no end of a line, found "
                f"{self.separator!r}"
            )


def fetch(cfg: Config, raw_dir: Path) -> None:
    """Lists the files; they stay where they are."""
    path = _files.located(cfg.path)
    if not path.is_dir() and path.suffix.lower() not in _documents.SUFFIXES | _documents.CSV:
        raise UserError(f"params.yaml: dataset.path: {path} is no folder, no .txt and no .csv")
    _files.fetch(_documents.find(path, cfg.exclude), raw_dir)


def load(cfg: Config, raw_dir: Path) -> Dataset:
    """Documents float32 (N, terms) in [0, 1], in the order of their paths or of the rows."""
    path = _files.located(cfg.path)
    documents = _documents.read(path, _files.read(raw_dir), cfg.column, cfg.labels, cfg.separator)
    schema: dict[str, Any] = {
        "dataset": "text",
        "originals": "texts",
        "listing": digest_of(raw_dir / _files.LISTING),
        "column": cfg.column,
        "separator": cfg.separator,
        "exclude": list(cfg.exclude),
        "embeddings": cfg.embeddings,
    }
    notes = documents.remarks
    if cfg.embeddings:
        embedded = _embedded(cfg.embeddings, documents.texts)
        arrays = {"low": embedded.min(axis=0), "high": embedded.max(axis=0)}
        x = _unit(embedded, arrays)
    else:
        terms, arrays = _vocabulary(cfg, documents.texts)
        if not terms:
            raise _no_terms(cfg, path, documents)
        schema |= {"tokens": tokens.RULE, "stop_words": cfg.stop_words, "terms": terms}
        notes = [*notes, _summary(terms, documents.texts)]
        x = _tf_idf(documents.texts, schema, arrays)
    labels, label_names = None, None
    if documents.labels is not None:
        labels, label_names = numbered(documents.labels)
    return Dataset(
        x,
        labels,
        is_test=None,
        names=documents.names,
        label_names=label_names,
        skipped=sorted(documents.skipped),
        schema=schema,
        blank={} if cfg.embeddings else _without_terms(x),
        arrays=arrays,
        warnings=notes,
    )


def parts(schema: Mapping[str, Any], path: Path, n: int) -> Iterator[Part]:
    """New documents, n at a time: the listing of their files, or texts of a .csv."""
    listed = _documents.find(path, schema["exclude"], is_remembered=False)
    if _documents.is_table(path):
        yield from _documents.in_parts(_read(schema, path, listed), n)
    else:
        yield from _files.in_parts(listed, n)


def encode(
    schema: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    path: Path,
    part: Part | None = None,
) -> Dataset:
    """New documents as `load` made those that were learned from, all or those of a part; unknown
    terms do not count."""
    documents = _read(schema, path, part.content if part else None)
    if schema["embeddings"]:
        x = _unit(_embedded(schema["embeddings"], documents.texts), arrays)
    else:
        x = _tf_idf(documents.texts, schema, arrays)
    return Dataset(
        x,
        labels=None,
        is_test=None,
        names=documents.names,
        skipped=sorted(documents.skipped),
        schema=schema,
        blank={} if schema["embeddings"] else _without_terms(x),
        warnings=documents.remarks,
    )


def originals(
    schema: Mapping[str, Any], path: Path, listed: Sequence[ListedFile] | Documents | None
) -> dict[str, Original]:
    """The texts by name; `listed` is what `fetch` found or is in a part, None looks again."""
    documents = _read(schema, path, listed)
    by_name = {}
    for name, text in zip(documents.names, documents.texts, strict=True):
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        file = _documents.file_of(path, name)
        by_name[name] = Original(key, lambda _, text=text: text, file)  # type: ignore[misc]
    return by_name


def _read(
    schema: Mapping[str, Any], path: Path, listed: Sequence[ListedFile] | Documents | None
) -> Documents:
    """The documents of the files, which may have been read before; None looks for them."""
    if isinstance(listed, Documents):
        return listed
    files = listed or _documents.find(path, schema["exclude"], is_remembered=False)
    return _documents.read(path, files, schema["column"], None, schema["separator"])


def _without_terms(x: np.ndarray) -> dict[int, str]:
    return dict.fromkeys(np.flatnonzero(~x.any(axis=1)).tolist(), "no known term")


def _no_terms(cfg: Config, path: Path, documents: Documents) -> NothingLeft:
    """Of documents without a term that counts, which so are skipped as those before them."""
    unused = [
        Skipped(name, "no term that some documents share and most lack") for name in documents.names
    ]
    advice = (
        f"; dataset.min_documents {cfg.min_documents} and dataset.max_share {cfg.max_share} say "
        "which terms count"
    )
    return _files.none_left(path, "document", sorted([*documents.skipped, *unused]), advice)


def _vocabulary(cfg: Config, texts: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """The terms that count, none where no term does, and the weight of each."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer=_analyzer(cfg.stop_words),
        max_features=cfg.n_terms,
        min_df=min(cfg.min_documents, len(texts)),
        max_df=max(cfg.max_share, 1.0 / len(texts)),
    )
    try:
        vectorizer.fit(texts)
    except ValueError:
        return [], {}
    terms: list[str] = vectorizer.get_feature_names_out().tolist()
    return terms, {"idf": vectorizer.idf_}


def _tf_idf(
    texts: Sequence[str], schema: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if (rule := schema["tokens"]) != tokens.RULE:
        raise UserError(f"schema.json: tokens should be {tokens.RULE!r}, found {rule!r}")
    vectorizer = TfidfVectorizer(
        analyzer=_analyzer(schema["stop_words"]), vocabulary=schema["terms"], dtype=np.float32
    )
    vectorizer.idf_ = np.asarray(arrays["idf"], np.float32)
    x = vectorizer.transform(texts).toarray()
    return np.asarray(np.minimum(x, 1), np.float32)


def _analyzer(stop_words: str | None) -> Callable[[str], list[str]]:
    """Terms of a document without the words of a list of scikit-learn's."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    unwanted = ENGLISH_STOP_WORDS if stop_words else frozenset()
    return lambda text: [term for term in tokens.tokens(text) if term not in unwanted]


def _summary(terms: Sequence[str], texts: Sequence[str]) -> str:
    """How many documents and terms there are, and of how many the terms are no words."""
    line = f"{plural(len(texts), 'document')}, {plural(len(terms), 'term')}"
    if n_pairs := sum(map(tokens.has_pairs, texts)):
        line += (
            f"; {n_pairs:,} documents are in scripts without spaces: their terms are pairs of "
            "neighbouring characters"
        )
    return line


def _embedded(model: str, texts: Sequence[str]) -> np.ndarray:
    try:
        from sentence_transformers import (  # type: ignore[import-not-found, unused-ignore]
            SentenceTransformer,
        )
    except ImportError:
        raise UserError(
            "params.yaml: dataset.embeddings needs the package sentence-transformers, which is "
            "not installed: pip install sentence-transformers"
        ) from None
    try:
        loaded = SentenceTransformer(model, local_files_only=True)
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        raise UserError(
            f"params.yaml: dataset.embeddings: no model {model!r} on this machine: {message}"
        ) from None
    return np.asarray(loaded.encode(list(texts), normalize_embeddings=True), np.float32)


def _unit(embedded: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Each number of the embeddings from its least to its largest as 0 to 1, clipped."""
    extent = np.maximum(arrays["high"] - arrays["low"], 1e-12)
    return np.asarray(((embedded - arrays["low"]) / extent).clip(0, 1), np.float32)
