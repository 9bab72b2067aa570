"""The site of docs/ in a browser, from the disk: nothing leaves the machine, and search works."""

from typing import Any

import pytest

from helpers.project import ROOT

SITE = ROOT / "site"
PAGES = ("index", "getting-started", "results", "reference/params", "guides/own-data")

pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists(), reason="`make docs` builds the site"
)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_asks_nobody(browser: Any, name: str, scheme: str, width: int) -> None:
    requests: list[str] = []
    errors: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert requests
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == width
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(colour.removeprefix("rgb").strip("a()").split(",")[0])
    assert red < 64 if scheme == "dark" else red > 192, colour
    page.close()


def test_search_works_without_a_server(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((SITE / "index.html").as_uri())
    page.fill("input.md-search__input", "silhouette")
    page.wait_for_selector(".md-search-result__item")
    assert "Metrics" in page.locator(".md-search-result__list").inner_text()
    page.close()
