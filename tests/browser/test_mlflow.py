"""MLflow's page as it is after a repro, looked at in a browser."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.project import Project
from narrows import tracking
from narrows.store import clusterings
from narrows.tracking import models, registry, system_metrics
from narrows.tracking.promotion import Candidate

ENCODERS = ["narrow", "other", "pca", "tuned"]
ROWS = [*ENCODERS, "narrow-dec", "narrow-kmeans", "other-kmeans", "pca-kmeans"]
PICTURE = "img[src*='images%2Freconstructions']"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1440, "height": 1200})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def open_runs(page: Any, address: str) -> None:
    """Without the assistant, which opens at the first visit and takes a third of the page."""
    page.goto(address)
    page.get_by_role("link", name="pca", exact=True).wait_for()
    page.get_by_role("button", name="Close", exact=True).last.click()
    page.get_by_text("Ask questions about your").wait_for(state="hidden")


def text(page: Any) -> str:
    return " ".join(page.locator("body").inner_text().split())


def line(page: Any, name: str) -> Any:
    """A run's line of the table; MLflow's table is in two halves that share the row's id."""
    link = page.get_by_role("link", name=name, exact=True)
    return page.locator(".ag-row").filter(has=link).first


def tile(page: Any, name: str) -> Any:
    card = page.locator("[data-testid='experiment-view-compare-runs-card']")
    return card.filter(has=page.get_by_text(name, exact=True)).first


def sources(pictures: Any) -> list[str]:
    return [str(picture.get_attribute("src")) for picture in pictures.all()]


def test_the_address_shows_every_row_and_the_ladder_first(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[0])
    page_text = text(page)
    assert f"{len(ROWS)} matching runs" in page_text
    for name in ROWS:
        assert line(page, name).is_visible(), name
    assert page_text.index("Ladder (") < page_text.index("Pictures (")
    overview = page.locator("img[src*='images%2Frobustness']")  # in the experiment's description
    assert overview.evaluate("e => e.complete && e.naturalWidth") > 100
    assert tile(page, "cluster/acc").is_visible()
    assert "digits: a run is a row of params.yaml" in page_text


def test_the_table_has_the_metrics_of_every_row(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[0].replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
    for column in ("cluster/acc", "test/mse", "code_size", "depth", "seed", "stage"):
        page.locator(".ag-header-cell", has_text=column).first.wait_for()
    column = page.locator(".ag-header-cell", has_text="cluster/acc").first.get_attribute("col-id")
    cells = page.locator(f".ag-row [col-id='{column}']").all_inner_texts()
    scores = [float(cell) for cell in cells if cell.strip() not in ("", "-")]
    assert len(cells) == len(ROWS)
    assert len(scores) == len(ROWS) - len(ENCODERS)
    assert scores == sorted(scores, reverse=True)


def test_pictures_of_two_runs_stand_side_by_side_and_change_with_the_step(
    page: Any, addresses: list[str]
) -> None:
    open_runs(page, addresses[1])
    for name in ("pca", "tuned"):
        line(page, name).locator(".is-visibility-toggle-checkbox").evaluate("e => e.click()")
    final = tile(page, "reconstructions").locator(PICTURE)
    page.wait_for_function("n => document.querySelectorAll(n).length == 4", arg=PICTURE)
    left, right = (picture.bounding_box() for picture in final.all())
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    for picture in final.all():  # four samples of 8 x 8, each pixel 6 on the screen
        assert picture.bounding_box()["width"] >= 4 * 8 * 6
        assert picture.evaluate("e => e.complete && e.naturalWidth") >= 4 * 8

    learning = tile(page, "reconstructions_by_epoch")
    learning.scroll_into_view_if_needed()
    before = sources(learning.locator(PICTURE))
    learning.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([n, old]) => ![...document.querySelectorAll(n)].some(e => old.includes(e.src))",
        arg=[PICTURE, [f"{addresses[1].split('#')[0]}{source}" for source in before]],
    )
    after = sources(learning.locator(PICTURE))
    assert len(after) == len(before) == 2
    assert all("step%2B1%2B" in source for source in after)


def test_a_run_tells_what_it_is(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[0])
    page.get_by_role("link", name="narrow-dec", exact=True).click()
    page.get_by_text("has to beat").wait_for()
    page_text = text(page)
    assert "narrow-dec: dec on the code of narrow" in page_text
    assert "its start" in page_text
    page.get_by_text("Show more", exact=True).first.click()
    picture = page.locator("img[src*='images%2Fsheet']")
    picture.wait_for()
    assert picture.evaluate("e => e.complete && e.naturalWidth") > 100


def test_the_compare_page_has_params_and_metrics_of_two_runs(
    page: Any, addresses: list[str]
) -> None:
    open_runs(page, addresses[1])
    for name in ("narrow", "other"):
        line(page, name).locator(".ag-selection-checkbox input").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("Comparing 2 Runs").first.wait_for()
    page.get_by_text("train.epochs", exact=True).first.wait_for()
    page_text = text(page)
    for words in (
        "narrow",
        "other",
        "train.epochs",
        "code_size",
        "depth",
        "test/mse",
        "best_epoch",
    ):
        assert words in page_text, words


def test_run_model_and_version_lead_to_one_another(
    page: Any, addresses: list[str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row with `log_model`, the winner of a search, and a champion."""
    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    artifacts, data = Path("artifacts/digits"), Path("data/digits")
    stored = clusterings.open_clustering(artifacts, "pca-kmeans")
    run_id = tracking.find_run(stored.identity, "digits").id
    served = models.of_clustering(artifacts, data, "pca-kmeans")
    chosen = Candidate("pca-kmeans", [0.5, 0.6], 10, "d" * 64, served.fingerprint)
    version = registry.register("digits", chosen, served, str(run_id))

    home = addresses[0].split("#")[0]
    page.goto(f"{home}#/models/narrows-digits/versions/{version}")
    link = page.locator(f"a[href*='/runs/{run_id}']", has_text="pca-kmeans")
    link.wait_for()
    assert "Aliases : @ champion" in text(page)
    experiment = str(link.get_attribute("href")).split("/experiments/")[1].split("/")[0]
    page.locator("a[href*='/models/m-']", has_text="pca-kmeans").click()
    page.get_by_text("val/neighbours").first.wait_for()
    page.goto(f"{home}#/experiments/{experiment}/models")
    page.locator(f"a[href*='/models/narrows-digits/versions/{version}']").wait_for()
    models_text = text(page)
    assert "other Ready" in models_text
    assert "tuned Ready" in models_text
    assert "pca-kmeans Ready" in models_text


def test_the_map_of_an_encoder(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[1])
    picture = page.locator("img[src*='images%2Fmap']").first
    page.mouse.move(1000, 700)
    for _ in range(20):  # charts are made when they come into sight
        if picture.is_visible():
            break
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(300)
    page.wait_for_function("e => e.complete", arg=picture.element_handle())
    assert picture.evaluate("e => e.naturalWidth") > 100


def test_what_the_machine_did_while_a_run_went_on(
    page: Any, addresses: list[str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has it from its second minute on; here at once."""
    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for variable, value in (("START_S", 0.0), ("SAMPLE_S", 0.1), ("N_SAMPLES", 1)):
        monkeypatch.setattr(system_metrics, variable, value)
    names = ("cpu_utilization_percentage", "system_memory_usage_percentage")
    keys = {system_metrics.PREFIX + name for name in names}
    client, data = tracking.open_client(), tracking.RunData("digits", "d" * 64, (2, 3))
    with tracking.start_run("watched", "w", data, {"stage": "train"}) as run:
        while not keys <= client.get_run(run.id).data.metrics.keys():
            time.sleep(0.1)
    experiment = client.get_run(run.id).info.experiment_id
    home = addresses[0].split("#")[0]
    page.goto(f"{home}#/experiments/{experiment}/runs/{run.id}/system-metrics")
    for name in names:
        page.get_by_text(name).first.wait_for()
    page.locator("svg.main-svg").first.wait_for()  # a chart
