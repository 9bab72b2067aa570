"""MLflow's page as it is after a repro, looked at in a browser."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from project import Project

ENCODERS = ["narrow", "other", "pca", "tuned"]
ROWS = [*ENCODERS, "narrow-dec", "narrow-kmeans", "other-kmeans", "pca-kmeans"]
PICTURE = "img[src*='get-artifact']"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1440, "height": 1200})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def open_runs(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_text("matching runs").wait_for()
    page.get_by_role("link", name="pca", exact=True).wait_for()


def shown_runs(page: Any) -> list[str]:
    links = page.locator("a[href*='/runs/']").all_inner_texts()
    return sorted({name.strip() for name in links} & set(ROWS))


def tile(page: Any, name: str) -> Any:
    """The card of a chart."""
    card = page.locator("[data-testid='experiment-view-compare-runs-card']")
    return card.filter(has=page.get_by_text(name, exact=True)).first


def test_the_address_shows_every_row(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[0])
    assert f"{len(ROWS)} matching runs" in " ".join(page.locator("body").inner_text().split())
    assert shown_runs(page) == sorted(ROWS)
    assert page.get_by_text("cluster/acc").count() > 1  # the order, and a chart
    body = page.locator("body").inner_text()
    assert body.index("Ladder (") < body.index("Pictures (")


def test_the_table_has_their_metrics(page: Any, addresses: list[str]) -> None:
    open_runs(page, addresses[0].replace("compareRunsMode=CHART&", ""))
    page.get_by_role("columnheader", name="cluster/acc").first.wait_for()
    row = page.locator(".ag-row").filter(has_text="0.").first
    row.wait_for()
    told = page.locator("body").inner_text()
    for column in ("stage", "autoencoder", "clusterer", "code_size", "depth", "cluster/acc"):
        assert column in told, column
    assert "narrow-dec" in told


def test_pictures_of_two_runs_stand_side_by_side_and_change_with_the_step(
    page: Any, addresses: list[str]
) -> None:
    open_runs(page, addresses[1])
    assert shown_runs(page) == ENCODERS
    for name in ("pca", "tuned"):  # leaves narrow and other
        line = page.locator(".ag-row").filter(has=page.get_by_role("link", name=name, exact=True))
        row_index = line.first.get_attribute("row-index")
        line = page.locator(f".ag-row[row-index='{row_index}']")
        line.get_by_role("checkbox", name="visibility").or_(
            line.locator("[data-testid='column-visibility-hide'], button:has(svg)")
        ).first.click()
    pictures = tile(page, "reconstructions").locator(PICTURE)
    page.wait_for_function("n => document.querySelectorAll(n).length >= 2", arg=PICTURE)
    assert pictures.count() == 2
