"""`like: <row>` in params.yaml: what is inherited, what is not, and what is wrong where."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides

from helpers.finished import KMEANS, PARAMS
from helpers.project import row
from narrows.config import inheritance, params
from narrows.config.params import Params
from narrows.config.plugins import resolved
from narrows.errors import UserError

BASE = row()  # a plain row of 4 epochs, with adam


def rows(**autoencoders: Any) -> dict[str, Any]:
    """A params.yaml with these autoencoders, beside `base`, which says all of itself."""
    return {**PARAMS, "autoencoders": {"base": BASE, **autoencoders, "narrow": BASE}}


def load(**autoencoders: Any) -> Params:
    return params.from_dict(rows(**autoencoders))


def values(p: Params, key: str) -> Any:
    return resolved(p.autoencoders[key])


def changed(*path: str, to: Any) -> dict[str, Any]:
    """The base row with the value at a path changed."""
    complete = values(load(), "base")
    node = complete
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = to
    return complete


def test_what_a_row_does_not_say_is_that_of_the_other() -> None:
    heir = {"like": "base", "train": {"epochs": 9, "optimizer": {"lr": 0.5}}}
    expected = changed("train", "epochs", to=9)
    expected["train"]["optimizer"]["lr"] = 0.5
    assert values(load(heir=heir), "heir") == expected


def test_null_is_a_value_and_a_list_is_replaced() -> None:
    """`patience` is null in the base row; a row sets it, and the next one takes it back."""
    p = load(
        stops={"like": "base", "train": {"patience": 3}, "network": {"hidden": [8, 4]}},
        heir={"like": "stops"},
        never={"like": "stops", "train": {"patience": None}},
    )
    patience = [p.autoencoders[k].config.train.patience for k in ("base", "stops", "heir", "never")]
    assert patience == [None, 3, 3, None]
    assert p.autoencoders["heir"].config.network.config.hidden == (8, 4)


def test_a_plugin_of_another_name_inherits_no_options() -> None:
    """The rate 0.01 of adam is none for adadelta, whose default is 1; a network without channels is
    none, whatever the other has hidden."""
    adadelta = {"like": "base", "train": {"optimizer": {"name": "adadelta"}}}
    optimizer = load(heir=adadelta).autoencoders["heir"].config.train.optimizer
    assert resolved(optimizer) == {"name": "adadelta", "lr": 1.0, "rho": 0.95}
    with pytest.raises(UserError, match=r"^autoencoders.heir.network.channels is missing \(what"):
        load(heir={"like": "base", "network": {"name": "conv"}})
    same = {"like": "base", "train": {"optimizer": {"name": "adam", "eps": 1e-7}}}
    optimizer = load(heir=same).autoencoders["heir"].config.train.optimizer
    assert (optimizer.config.lr, optimizer.config.eps) == (0.01, 1e-7)


def test_a_row_of_another_kind_inherits_what_all_kinds_have() -> None:
    p = load(
        vae={"like": "base", "name": "variational", "code_activation": "linear", "beta": 2.0},
        plain={"like": "vae", "name": "plain", "code_size": 3},
    )
    expected = changed("code_activation", to="linear")
    assert values(p, "plain") == {**expected, "code_size": 3}, "without beta"
    assert values(p, "vae")["beta"] == 2.0
    with pytest.raises(UserError, match=r"^autoencoders.x.name 'plane' .*mean 'plain'.*\(what the"):
        load(x={"like": "base", "name": "plane"})


def test_chains_whatever_the_order() -> None:
    p = load(c={"like": "b", "code_size": 3}, b={"like": "a", "loss": "mse"}, a={"like": "base"})
    assert values(p, "c") == {**values(load(), "base"), "code_size": 3, "loss": "mse"}
    assert list(p.autoencoders) == ["base", "a", "b", "c", "narrow"]


def test_rows_of_every_section_inherit() -> None:
    kmeans = {"encoder": "pca", "clusterer": KMEANS}
    search = {"row": "heir", "space": {"train.epochs": {"low": 1, "high": 9}}, "n_trials": 2}
    search["objectives"] = [{"name": "reconstruction"}]
    raw = rows(heir={"like": "base", "code_size": 3})
    raw["baselines"] = {"pca": {"name": "pca", "code_size": 4}, "p2": {"like": "pca"}}
    raw["clusterings"] = {"a": kmeans, "b": {"like": "a", "encoder": "heir"}}
    raw["searches"] = {"s": search, "t": {"like": "s", "space": {"train.epochs": {"high": 5}}}}
    p = params.from_dict(raw | {"deep_clusterings": {}, "seeds": {**PARAMS["seeds"], "rows": []}})
    assert p.baselines["p2"] == p.baselines["pca"]
    assert (p.clusterings["b"].encoder, p.clusterings["b"].clusterer.name) == ("heir", "kmeans")
    assert (p.searches["t"].space["train.epochs"].low, p.searches["t"].n_trials) == (1, 2)
    assert p.searches["t"].space["train.epochs"].high == 5


@pytest.mark.parametrize(
    ("autoencoders", "message"),
    [
        ({"x": {"like": "bas"}}, r"^autoencoders.x.like: 'bas' is no row of autoencoders .*'base'"),
        ({"x": {"like": None}}, r"^autoencoders.x.like: null is no row of autoencoders$"),
        ({"x": {"like": ["base"]}}, r"^autoencoders.x.like: \['base'\] is no row"),
        ({"x": {"like": "pca"}}, r"x.like: 'pca' is no row of autoencoders: it stands under base"),
        ({"x": {"lik": "base"}}, r"^autoencoders.x.name is missing \(did you mean 'like'\?\); acc"),
        ({"x": {"like": "x"}}, r"^autoencoders.x.like: x is like x; a row cannot inherit from it"),
        (
            {"x": {"like": "y"}, "y": {"like": "z"}, "z": {"like": "y"}},
            r"^autoencoders.z.like: y is like z is like y; a row cannot",
        ),
        ({"x": {"like": "base", "los": "mse"}}, r"^autoencoders.x.los is not known .*'loss'"),
        (
            {"x": {"like": "y"}, "y": {"like": "base", "train": {"epochs": 0}}},
            r"^autoencoders.y.train.epochs: .*found 0 \(what the row does not say is that of",
        ),
        (
            {"x": {"like": "base", "output_activation": "linear"}},
            r"^autoencoders.x.loss: bce needs .*\(what the row does not say is that of 'base'\)$",
        ),
        ({"x": {"like": "base", "train": None}}, r"^autoencoders.x.train should be a mapping"),
    ],
)
def test_what_is_wrong_is_said_where_it_was_written(
    autoencoders: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        load(**autoencoders)
    assert re.search(message, str(error.value)), str(error.value)


def test_a_wrong_clustering_is_named_where_its_encoder_was_written() -> None:
    clusterings = {"x": {"like": "y"}, "y": {"encoder": "bas", "clusterer": KMEANS}}
    with pytest.raises(UserError, match=r"^clusterings.y.encoder: 'bas' is no row .*'base'"):
        params.from_dict(rows() | {"clusterings": clusterings})


def test_a_misspelt_like_is_known() -> None:
    with pytest.raises(UserError, match=r"^clusterings.x.lik is not known \(did you mean 'like'\?"):
        params.from_dict(rows() | {"clusterings": {"x": {"lik": "y"}}})


def test_inheritance_does_not_multiply_a_file() -> None:
    """A long row, and a thousand that are like it: a short file of 10 million values."""
    heirs = {f"x{i}": {"like": "long"} for i in range(1000)}
    long = {**BASE, "network": {"name": "mlp", "hidden": [1] * 10_000}}
    with pytest.raises(UserError, match=r"^autoencoders: is too large, with all that its rows inh"):
        load(long=long, **heirs)
    chain = {f"x{i}": {"like": f"x{i + 1}"} for i in range(300)}
    assert len(load(**chain, x300={"like": "base"}).autoencoders) == 303


def test_rows_written_out_share_nothing() -> None:
    raw = rows(heir={"like": "base", "code_size": 3})
    before = copy.deepcopy(raw)
    complete = inheritance.written_out(raw)
    complete["autoencoders"]["heir"]["train"]["epochs"] = 99
    assert raw == before
    assert complete["autoencoders"]["base"]["train"]["epochs"] == 4


def test_the_sections_are_those_of_rows() -> None:
    """And no row has a key of its own that is called so."""
    hints = Params.__dataclass_fields__  # type: ignore[attr-defined]
    assert inheritance.SECTIONS == tuple(
        k for k, f in hints.items() if str(f.type).startswith("dict")
    )


def test_dvc_sets_what_a_row_says_and_adds_what_it_inherits(tmp_path: Path) -> None:
    """YAML's merge keys would change both rows here, or none (docs/adr/0027)."""
    file = tmp_path / "params.yaml"
    file.write_text(
        "autoencoders:\n"
        "  base: {code_size: 8, train: {epochs: 4, optimizer: {name: adam}}}\n"
        "  heir: {like: base, code_size: 3}\n"
    )
    apply_overrides(file, ["autoencoders.heir.code_size=5", "+autoencoders.heir.train.epochs=9"])
    complete = inheritance.written_out(params.yaml_file.read(file))["autoencoders"]
    assert complete["base"] == {
        "code_size": 8,
        "train": {"epochs": 4, "optimizer": {"name": "adam"}},
    }
    assert complete["heir"]["train"] == {"epochs": 9, "optimizer": {"name": "adam"}}
    assert complete["heir"]["code_size"] == 5


@pytest.mark.parametrize("base", [5, None, [], {}, {"name": None}, {"name": []}])
def test_a_row_like_one_that_is_none(base: Any) -> None:
    with pytest.raises(UserError, match=r"^autoencoders.odd(.name is missing| should|.name \[\])"):
        load(heir={"like": "odd", "name": "plain"}, odd=base)
