"""Our own pages: no error, no request beyond the folder, no sideways scrolling, dark and light."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.project import Project

PAGES = {"report": "results/digits/report.html", "compare": "compare.html"}
PAGES["gallery"] = "artifacts/digits/galleries/narrow-kmeans/index.html"


@pytest.fixture(scope="module")
def pages(project: Project) -> dict[str, Path]:
    for words in (("compare", "pca-kmeans", "narrow-kmeans"), ("gallery", "narrow-kmeans")):
        done = subprocess.run(
            [sys.executable, "-m", "narrows", *words], cwd=project.folder, env=project.env
        )
        assert done.returncode == 0
    return {name: project.folder / file for name, file in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_a_page_is_whole_on_its_own(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    messages: list[str] = []
    requests: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: messages.append(f"failed: {request.url}"))
    page.goto(pages[name].as_uri())
    page.evaluate(  # lazy pictures load when they come into sight
        """async () => { for (let y = 0; y < document.body.scrollHeight; y += 600) {
        scrollTo(0, y); await new Promise(requestAnimationFrame) } }"""
    )
    page.wait_for_load_state("networkidle")
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1] == width
    broken = "[...document.images].filter(i => i.complete && i.src && !i.naturalWidth).length"
    assert page.evaluate(broken) == 0
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(colour.removeprefix("rgb(").split(",")[0])
    assert red < 64 if scheme == "dark" else red > 192, colour
    assert len(page.locator("body").inner_text()) > 200
    page.close()


def opened(browser: Any, file: Path) -> Any:
    """A page that fails the test by an error of its script."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(file.as_uri())
    return page


def test_clusters_are_named_merged_and_split_and_the_browser_remembers(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = opened(browser, pages["gallery"])
    numbers = [int(part.get_attribute("id")[8:]) for part in page.locator("section.cluster").all()]
    page.fill(f"#cluster-{numbers[1]} input", "sevens")
    page.press(f"#cluster-{numbers[1]} input", "Enter")
    page.click(f"#cluster-{numbers[0]} .tools button")
    page.click("#choices button:has-text('sevens')")
    page.reload()
    assert page.locator("section.cluster").count() == len(numbers) - 1
    with page.expect_download() as download:
        page.click("#save-json")
    saved = {
        row["cluster"]: row for row in json.loads(download.value.path().read_text())["clusters"]
    }
    assert saved[numbers[0]]["into"] == saved[numbers[1]]["into"] == numbers[1]
    assert saved[numbers[1]]["name"] == "sevens"
    page.click("button:has-text('Split into 2')")
    assert page.locator("section.cluster").count() == len(numbers)
    page.close()


def drawn_on(page: Any) -> int:
    """How many pictures the map shows after the next frame. The page allows no script that is a
    string, which is what waiting for an expression needs."""
    page.evaluate("new Promise(requestAnimationFrame)")
    return int(page.locator("#map[data-drawn]").get_attribute("data-drawn").split(" ")[0])


def test_the_map_zooms_by_keys_and_opens_a_picture(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["gallery"])
    every = drawn_on(page)
    page.focus("#map")
    for _ in range(5):
        page.keyboard.press("+")
    close = drawn_on(page)
    assert close < every
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible() == (close > 0)
    page.keyboard.press("Escape")
    page.focus("#map")
    page.keyboard.press("0")
    assert drawn_on(page) == every
    page.close()


def test_the_report_prints(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(pages["report"].as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000
    page.emulate_media(media="print")
    assert page.locator("nav").first.is_hidden()
    page.close()
