"""Tables of the report: sorted by their headings and filtered by words, with keys alone."""

from pathlib import Path
from typing import Any

import pytest

from helpers.pages import clustering, render

ACC = {f"row-{i}": acc for i, acc in enumerate((0.5, 0.25, 1.0, 0.75, 0.1, 0.2, 0.3, 0.05))}


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """A page of eight clusterings, one of them without purity."""
    rows = [clustering(key, "deep", acc) for key, acc in ACC.items()]
    rows[0]["purity"] = None
    file = tmp_path / "report.html"
    file.write_text(render(rows))
    opened = browser.new_page()
    opened.on("pageerror", lambda error: pytest.fail(str(error)))
    opened.on("console", lambda message: pytest.fail(message.text))
    opened.route("**/*.png", lambda route: route.fulfill(body=b""))
    opened.goto(file.as_uri())
    yield opened
    opened.close()


def keys(page: Any) -> list[str]:
    """Keys of the rows in sight, in their order."""
    rows = page.locator("#clusterings tbody tr:visible th")
    return [str(words) for words in rows.all_inner_texts()]


def test_a_heading_sorts_by_keys_and_says_so(page: Any) -> None:
    best, alphabetical = sorted(ACC, key=ACC.__getitem__, reverse=True), sorted(ACC)
    assert keys(page) == best
    heading = page.locator("#clusterings th", has_text="Clustering").first
    heading.locator("button").focus()
    for direction, order in [
        ("ascending", alphabetical),
        ("descending", alphabetical[::-1]),
        (None, best),
    ]:
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == direction
        assert keys(page) == order
    page.click("#clusterings th:has-text('ACC') button")
    page.keyboard.press("Space")
    assert keys(page) == best[::-1]


def test_what_is_missing_comes_last_in_either_direction(page: Any) -> None:
    for direction in ("descending", "ascending"):
        page.click("#clusterings th:has-text('Purity') button")
        assert page.get_attribute("#clusterings th:has-text('Purity')", "aria-sort") == direction
        assert keys(page)[-1] == "row-0"


def test_a_box_leaves_the_rows_with_all_words(page: Any) -> None:
    page.fill("#clusterings input", "ROW-2 kmeans")
    assert keys(page) == ["row-2"]
    assert page.inner_text("#clusterings output") == "1 of 8 rows"
    page.fill("#clusterings input", "")
    assert len(keys(page)) == len(ACC)
    assert page.locator("#codes input").count() == 0  # of one row


def test_without_a_script_the_tables_are_as_they_are(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(render([clustering("a", "deep", 0.5)]))
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((tmp_path / "report.html").as_uri())
        assert page.inner_text("#clusterings tbody th") == "a"
        assert page.locator("table button").count() == 0
