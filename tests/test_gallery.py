"""`python -m narrows gallery` on a small finished project: the page, and a folder a cluster."""

import base64
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import Image

from helpers.project import EXPERIMENT
from narrows.commands import gallery
from narrows.config import plugins
from narrows.data.places import Place
from narrows.errors import UserError
from narrows.explore import groups, residuals
from narrows.explore.gallery import plane as plane_module
from narrows.explore.groups import Named
from narrows.store import choices, clusterings, encoders, features
from narrows.store.choices import ChosenK, Recommendation

ROW = "pca-kmeans"
PATHS = [  # no name may be read as anything but a name
    "plain.png",
    'a b/it\'s 100 % "quoted" #1?.png',
    "a b/<script>document.title = 'pwned'<" + "/script>.png",
    '"><img src=x onerror="document.title = 1">.png',
    "two\nlines\t&amp;.png",
    "ünï\u202ecode 日本 🎉.png",
    "javascript:alert(1)",
    os.fsdecode(b"no utf-8 \xff\xfe.png"),
    "A B/PLAIN.png",
    "plain/plain.png",
]


class Project:
    """Ten pictures of two colours, encoded by PCA as stage `baseline` does, in two clusters."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.photos = folder / "my photos #1"
        shutil.copy(EXPERIMENT, folder / "params.yaml")
        rng = np.random.default_rng(0)
        x = rng.integers(0, 60, (len(PATHS), 3, 8, 8)).astype(np.uint8)
        x[1::2, 0] += 190
        x[5] = x[3]
        x[7] = rng.integers(0, 256, x[7].shape)
        self.x = x
        for path, sample in zip(PATHS, x, strict=True):
            (self.photos / path).parent.mkdir(parents=True, exist_ok=True)
            with (self.photos / path).open("wb") as stream:
                Image.fromarray(sample.transpose(1, 2, 0)).save(stream, "PNG")
        (folder / "data/mnist_5k").mkdir(parents=True)
        np.save(folder / "data/mnist_5k/x.npy", x)
        np.save(folder / "data/mnist_5k/split.npy", np.zeros(len(x), np.int8))
        self.name_samples()
        self.encode()

    def name_samples(self, lines: int = len(PATHS)) -> None:
        file = self.folder / "data/mnist_5k/samples.csv"
        with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            writer = csv.writer(stream)
            rows = [[path, f"2019-05-0{i}" if i else ""] for i, path in enumerate(PATHS)]
            writer.writerows([["path", "date"], *rows[:lines]])

    def encode(self) -> None:
        pca = plugins.load("baselines", "pca")
        flat = self.x.reshape(len(self.x), -1).astype(np.float32) / 255
        state = pca.fit(pca.Config(code_size=2), flat[:7], seed=0)
        home = self.folder / "artifacts/mnist_5k"
        (home / "encoders/pca").mkdir(parents=True)
        (home / f"clusterings/{ROW}").mkdir(parents=True)
        row = {"name": "pca", "code_size": 2}
        config = {"kind": "baseline", "row": row, "input_shape": list(self.x.shape[1:])}
        encoders.write_state(home / "encoders/pca", state)
        encoders.write(home / "encoders/pca", config, pca.encode(state, flat), {}, {})
        info = {"row": {"encoder": "pca"}, "encoder": "pca"}
        clusters = np.arange(len(PATHS)) % 2
        clusterings.write(home / f"clusterings/{ROW}", info, {}, clusters)
        best = Recommendation(2, 2, 3, levels=(), strength=0.5, is_clear=True)
        (home / "choose_k").mkdir()
        choices.write_k(home / "choose_k", ChosenK([], best, taken=2))

    def run(self, *words: str | Path) -> None:
        gallery.main([ROW, "--pictures", str(self.photos), *map(str, words)])

    @property
    def page(self) -> Path:
        return self.folder / f"artifacts/mnist_5k/galleries/{ROW}/index.html"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


class Tags(HTMLParser):
    """Elements of a page: name, attributes, text within."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(("/" + tag, {}, ""))

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attrs, text = self.elements[-1]
            self.elements[-1] = (tag, attrs, text + data)

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, text) for name, attrs, text in self.elements if name == tag]


def embedded(html: str) -> tuple[dict[str, Any], list[list[int]]]:
    _, data, similar, _ = Tags(html).of("script")
    return json.loads(data[1]), json.loads(similar[1])


def test_page_tells_clusters_names_dates_outliers_and_copies(project: Project) -> None:
    project.run()
    html = project.page.read_text(encoding="utf-8")
    assert "2 clusters taken; 2 to 3 do about as well." in html
    content, similar = embedded(html)
    assert [(s["cluster"], s["size"]) for s in content["sections"]] == [(0, 5), (1, 5)]
    assert content["paths"] == [PATHS[row] for row in content["rows"]]
    assert content["dates"][content["rows"].index(4)] == "2019-05-04"
    assert [{content["rows"][at] for at in group} for group in content["groups"]] == [{3, 5}]
    assert content["rows"][content["outliers"][0]] == 7
    assert len(similar) == len(PATHS)
    assert sorted(f.name for f in project.page.parent.iterdir()) == [
        "covers-000.png",
        "index.html",
        "map-000.png",
        "pictures-000.png",
    ]


def test_of_too_many_pictures_some_are_drawn(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "MAX_SHOWN", 6)
    gallery.main([ROW])
    content, similar = embedded(project.page.read_text(encoding="utf-8"))
    assert len(content["rows"]) == len(similar) == 6
    assert len(set(content["paths"])) == 6
    assert "6 drawn of 10 pictures" in project.page.read_text(encoding="utf-8")
    sheet = np.array(Image.open(project.page.with_name("pictures-000.png")))
    for at, path in enumerate(content["paths"]):
        thumbnail = sheet[1:9, 10 * at + 1 : 10 * at + 9]
        np.testing.assert_array_equal(thumbnail, project.x[PATHS.index(path)].transpose(1, 2, 0))


@pytest.mark.parametrize("most", [len(PATHS), 6])
def test_pictures_have_words_and_errors_of_their_own_features(
    project: Project, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Features are the pixels. The red ones of every other picture sum up to more than 30 of 64,
    of the others to less than 15."""
    home = project.folder / "artifacts/mnist_5k"
    place = features.folder(home, "effnet")
    place.mkdir(parents=True)
    flat = project.x.reshape(len(PATHS), -1).astype(np.float32) / 255
    layer = {"weight": np.zeros((2, 192)), "bias": np.array([0.0, 22.0])}
    layer["weight"][0, :64] = 1
    features.write(place, {"words": ["red", "dark"], "low": 0.0, "high": 1.0}, flat, layer)
    config = home / "encoders/pca/config.json"
    changed = {**json.loads(config.read_text()), "input": "effnet", "input_shape": [192]}
    config.write_text(json.dumps(changed))
    monkeypatch.setattr(gallery, "MAX_SHOWN", most)
    project.run()
    content, _ = embedded(project.page.read_text(encoding="utf-8"))
    words = content["words"]
    assert len(words["guesses"]) == len(content["paths"]) == most
    errors = residuals.errors(home, "pca", project.x, np.arange(len(PATHS)))
    for at, (path, own) in enumerate(zip(content["paths"], words["guesses"], strict=True)):
        error = np.sqrt(errors[PATHS.index(path)])
        assert content["errors"][at] == pytest.approx(error, rel=1e-3)
        word = "red" if PATHS.index(path) % 2 else "dark"
        assert own == [words["vocabulary"].index(word), 100]


def test_clusters_have_patches_and_without_words_a_guess_of_their_colours(project: Project) -> None:
    """Pictures of the one are noise near black; of the other four in five are noise in red."""
    project.run()
    html = project.page.read_text(encoding="utf-8")
    content, _ = embedded(html)
    (name, patch), *_ = content["colours"]["0"]
    assert name == "black"
    assert all(value < 60 for value in bytes.fromhex(patch.removeprefix("#")))
    assert content["colours"]["1"][0][0] == "red"
    named = json.loads(next(text for a, text in Tags(html).of("script") if a.get("id") == "named"))
    guesses = {own["cluster"]: own["guess"] for own in named["clusters"]}
    assert guesses[0].split(", ")[0] == "mostly black"
    assert guesses[1].split(", ")[0] == "mostly red"


def test_thumbnails_are_the_pictures_in_the_order_of_the_page(project: Project) -> None:
    project.run()
    content, _ = embedded(project.page.read_text(encoding="utf-8"))
    sheet = np.array(Image.open(project.page.with_name("pictures-000.png")))
    assert sheet.shape == (160, 160, 3)  # 16 of 8 pixels with a margin on both sides
    for at, row in enumerate(content["rows"]):
        top, left = 10 * (at // 16) + 1, 10 * (at % 16) + 1
        thumbnail = sheet[top : top + 8, left : left + 8]
        np.testing.assert_array_equal(thumbnail, project.x[row].transpose(1, 2, 0))


def test_page_runs_its_own_script_only_and_asks_nobody(project: Project) -> None:
    project.run()
    html = project.page.read_text(encoding="utf-8")
    page = Tags(html)
    scripts = page.of("script")
    assert [attrs.get("type") for attrs, _ in scripts] == ["application/json"] * 3 + [None]
    policy = str(next(a["content"] for a, _ in page.of("meta") if "http-equiv" in a))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for source, text in (("script", scripts[3][1]), ("style", page.of("style")[0][1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{source}-src 'sha256-{digest}'" in policy
    for _, data in scripts[:3]:
        assert "<" not in data, "the data cannot end its element"
    assert not re.search(r"https?://", html)
    assert not page.of("img")
    assert not set(html) & set("ü日🎉\u202e")


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
def test_browser_links_and_shows_every_name_and_runs_none(project: Project) -> None:
    project.run()
    for row in (1, 2, 7):
        dom = dumped(project, f"#picture-{row}")
        page = Tags(dom)
        assert page.of("title") == [({}, "mnist_5k · pca-kmeans · narrows")]
        assert not page.of("img")
        (link,) = [attrs for attrs, _ in page.of("a") if attrs.get("id") == "original"]
        href = os.fsdecode(unquote_to_bytes(str(link["href"])))
        assert (project.page.parent / href).samefile(project.photos / PATHS[row])
        assert any(
            attrs.get("id") == "viewer" and "open" in attrs for attrs, _ in page.of("dialog")
        )
        titles = {attrs.get("title") for attrs, _ in page.of("button")}
        assert "two\u240alines\u2409&amp;.png\n2019-05-04" in titles
        assert f"{PATHS[2]}\n2019-05-02" in titles


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser")
def test_a_place_is_told_of_a_third_of_those_that_have_one(project: Project) -> None:
    """Of pictures 0, 2, 4, 6, 8 three have a place, two the same; of the others four, each one."""
    berlin, paris = Place(52.52, 13.4), Place(48.86, 2.35)
    others = {i: Place(-10.0, -float(i)) for i in (1, 3, 5, 7)}
    own = {0: berlin, 2: paris, 4: berlin, **others}
    file = project.folder / "data/mnist_5k/samples.csv"
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        degrees = [own.get(i, ("", "")) for i in range(len(PATHS))]
        rows = [[path, "", *place] for path, place in zip(PATHS, degrees, strict=True)]
        csv.writer(stream).writerows([["path", "date", "latitude", "longitude"], *rows])
    project.run()
    dom = dumped(project, "#picture-2")
    assert re.findall("[0-9]+ of [0-9]+ near [^<·]+", dom) == ["2 of 5 near 52.52 N, 13.40 E"]
    assert "<dt>Near</dt><dd>48.86 N, 2.35 E</dd>" in dom


def dumped(project: Project, fragment: str) -> str:
    """The page's elements after its script has run."""
    words = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    command = ["chromium", *words.split(), f"--user-data-dir={project.folder / 'browser'}"]
    command += ["--virtual-time-budget=2000", "--dump-dom", project.page.as_uri() + fragment]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("lines", [None, 0])
def test_without_names_there_are_rows(project: Project, lines: int | None) -> None:
    """A dataset of no files leaves a header, an older one no samples.csv at all."""
    if lines is None:
        (project.folder / "data/mnist_5k/samples.csv").unlink()
    else:
        project.name_samples(lines)
    project.run()
    content, _ = embedded(project.page.read_text(encoding="utf-8"))
    assert (content["paths"], content["dates"]) == (None, None)
    assert not Tags(project.page.read_text(encoding="utf-8")).of("input")  # nothing to search by
    with pytest.raises(UserError, match="no files to link to"):
        project.run("--folders", "links", "--to", "sorted")
    project.run("--folders", "copies", "--to", "sorted")
    picture = np.array(Image.open("sorted/1/000003.png"))
    np.testing.assert_array_equal(picture, project.x[3].transpose(1, 2, 0))


def test_mistakes_are_sentences(project: Project) -> None:
    with pytest.raises(UserError, match=r"has no row 'pca-kmean' \(did you mean 'pca-kmeans'"):
        gallery.main(["pca-kmean"])
    with pytest.raises(UserError, match=r"cluster\.json is missing; run `dvc repro deep_cluster`"):
        gallery.main([])  # the last row
    with pytest.raises(UserError, match="nowhere is no folder"):
        gallery.main([ROW, "--pictures", "nowhere"])
    project.name_samples(4)
    with pytest.raises(UserError, match=r"names 4 samples and x\.npy has 10"):
        project.run()
    project.name_samples()
    np.save("data/mnist_5k/x.npy", np.zeros((10, 3), np.float32))
    with pytest.raises(UserError, match="holds no pictures but rows of 3 values"):
        project.run()
    assert not project.page.exists()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}


@pytest.mark.parametrize("how", ["links", "copies"])
def test_folders_hold_every_picture_once_and_change_nothing(project: Project, how: str) -> None:
    before = contents(project.photos)
    saved = {"clusters": [{"cluster": 1, "name": "../<red> things"}, {"cluster": 0, "name": None}]}
    Path("saved.json").write_text(json.dumps(saved))
    project.run("--folders", how, "--to", "sorted", "--names", "saved.json")
    assert sorted(f.name for f in Path("sorted").iterdir()) == ["0", "1 red things"]
    assert contents(project.photos) == before
    for cluster, folder in enumerate(("sorted/0", "sorted/1 red things")):
        own = [project.photos / path for path in PATHS[cluster::2]]
        pictures = list(Path(folder).iterdir())
        assert sorted(f.read_bytes() for f in pictures) == sorted(f.read_bytes() for f in own)
        assert all(f.is_symlink() == (how == "links") for f in pictures)
    names = sorted(f.name for f in Path("sorted/0").iterdir())
    assert {"plain.png", "PLAIN (2).png"} <= set(names)  # one name where case does not count


@pytest.mark.parametrize("place", ["full", "my photos #1", "my photos #1/sorted", ".", "a file"])
def test_folders_are_refused_where_something_is(project: Project, place: str) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    Path("a file").write_text("mine")
    before = contents(project.folder)
    with pytest.raises(UserError, match=r"not empty|may not be made within|is no folder"):
        project.run("--folders", "copies", "--to", place)
    assert contents(project.folder) == before


def test_an_empty_folder_is_taken_and_what_is_gone_is_counted(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sorted").mkdir()
    (project.photos / "plain.png").unlink()
    project.run("--folders", "links", "--to", "sorted")
    assert "1 picture no longer in" in capsys.readouterr().out
    assert len([f for f in Path("sorted").rglob("*") if f.is_symlink()]) == len(PATHS) - 1


def test_folders_are_made_whole_or_not(project: Project) -> None:
    shutil.rmtree(project.photos)
    project.photos.mkdir()
    with pytest.raises(UserError, match="none of the 10 pictures is where it was"):
        project.run("--folders", "copies", "--to", "sorted")
    assert not list(project.folder.glob("*sorted*"))


def saved(**changes: Any) -> dict[str, Any]:
    """What a page saves of three clusters, of which 2 was merged into 0."""
    rows = [(0, "shoes", 0), (1, None, 1), (2, "old shoes", 2 if changes.pop("split", 0) else 0)]
    clusters = [{"cluster": c, "name": name, "size": 1, "into": into} for c, name, into in rows]
    return {"identity": "abc", "clusters": clusters, "coarse": [], **changes}


def test_saved_names_and_merges_are_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "names.json"

    def read(content: Any) -> Named:
        file.write_text(json.dumps(content))
        return groups.read_names(file, "abc")

    named = read(saved(coarse=[{"coarse": "A", "name": "worn"}]))
    assert [named.label(c) for c in (0, 1, 2, -1)] == [
        "shoes",
        "Cluster 1",
        "shoes",
        "In no cluster",
    ]
    assert (named.merged(2), named.coarse) == (0, {"A": "worn"})
    assert read(saved(split=1)).label(2) == "old shoes"
    for wrong in (["clusters"], {"clusters": [{"cluster": "x"}]}):
        with pytest.raises(UserError, match="is no JSON saved by a page"):
            read(wrong)
    with pytest.raises(UserError, match="names of other clusters than these"):
        read(saved(identity="abd"))
    chain = saved()
    chain["clusters"][0]["into"] = 2
    with pytest.raises(UserError, match="cluster 0 is merged into 2, which should be"):
        read(chain)


def test_merged_clusters_have_one_folder_and_the_page_begins_with_them(project: Project) -> None:
    content = {"clusters": [{"cluster": c, "name": "all", "into": 1} for c in (0, 1)]}
    Path("saved.json").write_text(json.dumps(content))
    project.run("--folders", "links", "--to", "sorted", "--names", "saved.json")
    assert [f.name for f in Path("sorted").iterdir()] == ["1 all"]
    assert len(list(Path("sorted/1 all").iterdir())) == len(PATHS)
    project.run("--names", "saved.json")
    own, *_ = Tags(project.page.read_text(encoding="utf-8")).of("script")
    assert json.loads(own[1])["into"] == {"0": 1}


def test_the_map_has_a_place_for_each_picture_and_sheets_in_the_order_of_a_curve(
    project: Project,
) -> None:
    project.run()
    content, _ = embedded(project.page.read_text(encoding="utf-8"))
    plane = np.array(content["map"]["places"]).reshape(-1, 2)
    assert plane.shape == (len(PATHS), 2)
    assert (plane.min(), plane.max()) == (0, plane_module.STEPS - 1)
    sheet = np.array(Image.open(project.page.with_name("map-000.png")))
    for row, place in zip(content["rows"], content["map"]["order"], strict=True):
        thumbnail = sheet[1:9, 10 * place + 1 : 10 * place + 9]
        np.testing.assert_array_equal(thumbnail, project.x[row].transpose(1, 2, 0))


def test_places_keep_their_proportions_and_those_that_are_not_fitted_come_to_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two codes that differ are on no map: x from 0 to 1 and y from 0 to 1 / 2 of it."""
    codes = np.array([[0.0, 0.0], [2.0, 1.0], [0.0, 0.0]])
    last = plane_module.STEPS - 1
    expected = [[0, round(last / 4)], [last, round(last * 3 / 4)], [0, round(last / 4)]]
    assert plane_module.places(codes).tolist() == expected
    monkeypatch.setattr(plane_module, "MAX_FITTED", 2)
    assert len(plane_module.places(codes)) == 3
    assert plane_module.places(np.ones((3, 1))).shape == (3, 2)


def test_commands_are_told_and_nothing_is_imported_for_it() -> None:
    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    help_page = ask("-m", "narrows", "--help")
    assert help_page.returncode == 0
    assert "gallery" in help_page.stdout
    unknown = ask("-m", "narrows", "galery")
    assert unknown.returncode == 1
    sentence = "narrows: no command 'galery' (did you mean 'gallery'?); usage:"
    assert unknown.stderr.startswith(sentence)
    lazy = "import sys, narrows.__main__; sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    assert ask("-c", lazy).returncode == 0
