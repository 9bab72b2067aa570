"""Deep clustering by hand and on small planted clusters."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.plugins import build, members, plugin, row
from helpers.refinements import LABELS, KilledError, job, killed_at, method, same, samples
from narrows.clustering import health
from narrows.clustering import refine as refinement
from narrows.clustering.job import Job, prepare_start
from narrows.clustering.matching import renumbering
from narrows.clustering.refine import refine
from narrows.clustering.state import hardened
from narrows.config import plugins
from narrows.config.plugins import Plugin
from narrows.errors import UserError


@pytest.mark.parametrize(("family", "name"), members("deep_clusterers"))
class TestContract:
    def test_finds_what_was_planted_and_predicts_it(self, family, name, tmp_path) -> None:
        task = job(tmp_path, name)
        chosen = plugin(family, name)
        refined = refine(chosen, task)
        clusters = hardened(refined.soft)
        assert clusters.shape == (120,)
        assert [len(set(clusters[label == LABELS])) for label in range(3)] == [1, 1, 1]
        assert len(set(clusters)) == 3
        assert refined.codes.shape == (120, 3)
        assert refined.assignments.shape == (len(refined.history), 120)

    def test_moves_the_encoder(self, family, name, tmp_path) -> None:
        task = job(tmp_path, name)
        before = [w.clone() for w in task.model.parts["encoder"].parameters()]
        after = refine(plugin(family, name), task).model.parts["encoder"].parameters()
        assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))

    def test_killed_at_every_update_it_ends_as_if_it_was_not(self, family, name, tmp_path) -> None:
        chosen = method(name, tolerance=0.0, max_updates=3)
        whole = refine(chosen, job(tmp_path / "whole", name))
        for update in (0, 1, 2, 3):
            with pytest.raises(KilledError):
                refine(chosen, job(tmp_path / "cut", name, on_update=killed_at(update)))
        cut = refine(chosen, job(tmp_path / "cut", name))
        assert len(cut.history) == 4
        assert same(whole, cut)
        assert same(cut, refine(chosen, job(tmp_path / "cut", name)))  # ended, and called again

    def test_learns_from_fitted_rows_only(self, family, name, tmp_path) -> None:
        """Other values in the rest change no weight."""
        chosen, x = method(name, max_updates=1), samples()
        x[~job(tmp_path).fitted] = 255 - x[~job(tmp_path).fitted]
        first = refine(chosen, job(tmp_path / "one", name))
        second = refine(chosen, job(tmp_path / "other", name, x=x))
        weights = zip(first.model.parameters(), second.model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in weights)

    def test_start_with_one_cluster_is_refused(self, family, name, tmp_path) -> None:
        start = plugin("clusterers", "dbscan")
        start = dataclasses.replace(start, config=dataclasses.replace(start.config, eps=1e6))
        with pytest.raises(UserError, match="dbscan finds 1 cluster, it needs two"):
            refine(plugin(family, name), job(tmp_path, name, start=start))


def test_stops_when_few_clusters_change_but_not_before_a_whole_pass(tmp_path: Path) -> None:
    """Clusters that far apart never change; 90 fitted rows in batches of 8 take 12 steps."""
    still = refine(
        method("dec", tolerance=0.01, interval=4, batch_size=8, max_updates=9), job(tmp_path)
    )
    assert [line["label_change"] for line in still.history] == [0.0] * 4


@pytest.mark.parametrize("name", ["dec", "idec", "dcn"])
def test_targets_are_those_of_the_whole_fitted_set(name: str, tmp_path: Path) -> None:
    task = job(tmp_path)
    module = refinement.Refine(method(name), task, prepare_start(task))
    module._look()
    assert module.target.shape == (90, 3)
    assert torch.allclose(module.target.sum(dim=1), torch.ones(90))


class Collapsing:
    """A method whose loss pulls all codes to one point."""

    @staticmethod
    def of(on_collapse: str) -> Plugin:
        dec = method("dec", on_collapse=on_collapse, interval=200, max_updates=5, tolerance=0.0)
        optimizer = plugins.load("optimizers", "adam")
        adam = Plugin("optimizers", "adam", optimizer.Config(lr=0.05))
        return dataclasses.replace(dec, config=dataclasses.replace(dec.config, optimizer=adam))

    @staticmethod
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        def loss(cfg, parts, model, noisy, clean, p) -> dict[str, torch.Tensor]:
            z = model.encode(noisy)
            return {"clustering": (z - parts["centres"][0].detach()).square().mean()}

        monkeypatch.setattr(plugins.load("deep_clusterers", "dec"), "loss", loss)


class TestTeachers:
    def test_a_student_names_what_they_do_not_agree_on(self, tmp_path: Path) -> None:
        """A third of the samples has no name, and one name is numbered with a gap."""
        names = np.where(np.arange(120) % 3 == 0, -1, np.array([0, 3, 5])[LABELS])
        chosen = method("self_label", read_out="layer", interval=150, max_updates=1)
        result = refine(chosen, job(tmp_path, names=names))
        assert hardened(result.soft).tolist() == LABELS.tolist()
        assert np.allclose(result.soft.sum(axis=1), 1)
        assert result.state == {}
        assert result.assignments[0].tolist() == np.where(names < 0, -1, LABELS).tolist()

    def test_who_agree_on_one_cluster_teach_nothing(self, tmp_path: Path) -> None:
        message = "^teachers: their agreement finds 1 cluster, it needs two$"
        with pytest.raises(UserError, match=message):
            refine(method("self_label"), job(tmp_path, names=np.where(LABELS == 1, 0, -1)))


class TestCollapse:
    def test_stops_with_a_sentence(self, tmp_path, monkeypatch) -> None:
        Collapsing.plant(monkeypatch)
        message = r"collapsed at update \d: they are worth 1\.\d equal ones and the largest holds"
        with pytest.raises(UserError, match=message):
            refine(Collapsing.of("stop"), job(tmp_path))

    def test_or_keeps_the_clusters_of_the_start(self, tmp_path, monkeypatch) -> None:
        Collapsing.plant(monkeypatch)
        task = job(tmp_path)
        weights = [w.clone() for w in task.model.parameters()]
        result = refine(Collapsing.of("start"), task)
        assert result.fell_back
        assert np.array_equal(hardened(result.soft), result.assignments[0])
        after = result.model.parameters()
        assert all(torch.equal(a, b) for a, b in zip(weights, after, strict=True))
        assert result.history[-1]["effective_clusters"] < 1.5

    def test_noise_alone_is_one_of_two_clusters(self, tmp_path, monkeypatch) -> None:
        """The start finds two clusters, every later look noise alone."""
        monkeypatch.setattr(refinement, "cluster_codes", lambda *_: ({}, np.full(120, -1)))
        chosen = method("self_label", max_updates=2)
        with pytest.raises(UserError, match=r"worth 0\.0 equal ones and the largest holds 0%"):
            refine(chosen, job(tmp_path, n_clusters=2))


class TestReading:
    """Looks at the whole set by clusterers that join clusters by bad luck, from some seeds."""

    PARTED, JOINED = np.arange(120) % 2, np.arange(120) // 119

    def clusters(self, monkeypatch, tmp_path, luck: Callable[[int], bool]) -> list[int]:
        """Seeds that the codes were read from; the last clusters are those of a lucky one if there
        was any."""
        seeds = []

        def read(task: Job, codes: np.ndarray) -> tuple[dict, np.ndarray]:
            seeds.append(task.seed)
            return {}, self.PARTED if luck(task.seed) else self.JOINED

        monkeypatch.setattr(refinement, "cluster_codes", read)
        chosen = method("self_label", max_updates=1, on_collapse="start")
        task = dataclasses.replace(job(tmp_path, n_clusters=2), seed=7)
        last = refine(chosen, task).assignments[-1]
        assert len(set(np.bincount(last, minlength=2))) == (1 if any(map(luck, seeds)) else 2)
        return seeds

    def test_a_lucky_one_is_the_only_one(self, monkeypatch, tmp_path) -> None:
        assert self.clusters(monkeypatch, tmp_path, lambda seed: True) == [7]

    def test_an_unlucky_one_is_taken_again_from_another_seed(self, monkeypatch, tmp_path) -> None:
        assert self.clusters(monkeypatch, tmp_path, lambda seed: seed == 9) == [7, 8, 9]

    def test_five_are_enough(self, monkeypatch, tmp_path) -> None:
        assert self.clusters(monkeypatch, tmp_path, lambda seed: False) == [7, 8, 9, 10, 11]


class TestLosses:
    """Terms by hand on a model whose encoder is the identity of two numbers."""

    def test_dcn_pulls_to_the_centre_it_belongs_to(self) -> None:
        dcn, cfg = plugins.load("deep_clusterers", "dcn"), method("dcn").config
        parts = {"centres": torch.tensor([[0.0, 0.0], [10.0, 0.0]])}
        z = torch.tensor([[1.0, 2.0], [9.0, 0.0]])
        assert dcn.soft(cfg, parts, z).tolist() == [[1.0, 0.0], [0.0, 1.0]]
        dcn.recentre(cfg, parts, torch.tensor([[1.0, 1.0], [3.0, 1.0]]))
        assert parts["centres"].tolist() == [[2.0, 1.0], [10.0, 0.0]]  # the empty one stays

    def test_vade_posterior_weighs_components(self) -> None:
        """At the middle of two equal Gaussians the weights 3 : 1 decide."""
        vade = plugins.load("deep_clusterers", "vade")
        parts = {
            "logits": torch.tensor([3.0, 1.0]).log(),
            "centres": torch.tensor([[-1.0], [1.0]]),
            "log_variances": torch.zeros(2, 1),
        }
        result = vade.soft(method("vade").config, parts, torch.zeros(1, 1))
        assert torch.allclose(result, torch.tensor([[0.75, 0.25]]))

    def test_vade_needs_a_variational_row(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="needs an encoder row of name: variational"):
            refine(method("vade"), job(tmp_path, "dec"))

    def test_vade_with_one_standard_component_is_the_variational_bound(self) -> None:
        vade = plugins.load("deep_clusterers", "vade")
        model = build(row("variational", "bce"), (1, 8, 8))
        parts = {
            "logits": torch.zeros(1),
            "centres": torch.zeros(1, 3),
            "log_variances": torch.zeros(1, 3),
        }
        x = samples()[:9] / 255
        torch.manual_seed(1)
        result = vade.loss(method("vade").config, parts, model, x, x, torch.ones(9, 1))
        torch.manual_seed(1)
        _, bound = model.kind.loss(model.cfg, model.parts, x, x)
        assert torch.allclose(result["reconstruction"], bound["reconstruction"])
        assert torch.allclose(result["clustering"], bound["kl"])

    def test_self_label_smooths_and_noise_has_no_target(self) -> None:
        module = plugins.load("deep_clusterers", "self_label")
        cfg = method("self_label", smoothing=0.3).config
        target = module.target(cfg, torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
        assert torch.allclose(target, torch.tensor([[0.1, 0.8, 0.1], [0.0, 0.0, 0.0]]))


class TestHealth:
    def test_one_look(self) -> None:
        """4 samples: one of four changed, shares 1/2, 1/2, 0; centres 0, 3 and 7."""
        measured = health.measure(
            np.array([0, 0, 1, 1]),
            np.array([0, 0, 0, 1]),
            3,
            np.array([[0.0], [3.0], [7.0]]),
        )
        assert measured == {
            "label_change": 0.25,
            "active_clusters": 2.0,
            "largest_share": 0.5,
            "effective_clusters": pytest.approx(2.0),
            "centre_distance": 3.0,
        }

    def test_more_clusters_than_before_leave_one_over(self) -> None:
        numbers = renumbering(np.array([0, 1, 1, 2]), np.array([1, 0, 0, 0]), 2)
        assert numbers.tolist() == [1, 0, -1, -1]

    def test_all_noise_is_worth_no_cluster(self) -> None:
        """Two clusters at the start are worth 2; none is below half of that."""
        measured = health.measure(np.full(4, -1), np.array([0, 0, 1, 1]), 2, None)
        assert measured["effective_clusters"] == 0.0
        assert measured["active_clusters"] == 0.0
        assert measured["label_change"] == 1.0


@pytest.mark.parametrize("file", ["start.npz", "look.npz"])
def test_damaged_arrays_of_a_refinement_are_said_and_begun_anew(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = plugin("deep_clusterers", "dec")
    whole = refine(chosen, job(tmp_path / "whole", "dec"))
    refine(chosen, job(tmp_path / "cut", "dec"))
    damaged = tmp_path / "cut" / file
    damaged.write_bytes(damaged.read_bytes()[:100])
    capsys.readouterr()
    assert same(refine(chosen, job(tmp_path / "cut", "dec")), whole)
    assert f"{damaged} is damaged; it is deleted" in capsys.readouterr().out
