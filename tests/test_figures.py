"""Pictures: sizes, a few pixels by hand, and the same bytes for the same input."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from narrows import figures

GAP, BLOCK_GAP, GREY = figures.GAP, figures.BLOCK_GAP, figures.GAP_VALUE


def test_a_grid_by_hand() -> None:
    original = np.zeros((4, 1, 2, 2), np.float32)
    original[1, 0, 0, 1] = 1  # second sample, first row, second column
    error = np.full((4, 1, 2, 2), 0.5, np.float32)
    grid = figures.sample_grid([original, error], columns=2, scale=3)
    # One block of 2 x 2 samples of 6 x 6 pixels: 2 columns / 2 rows.
    assert grid.shape == (6 + GAP + 6, 6 + GAP + 6, 3)
    assert grid.dtype == np.uint8
    second = grid[:6, 6 + GAP :]
    assert (second[:3, 3:] == 255).all()
    assert second.sum() == 9 * 3 * 255
    assert (grid[:, 6 : 6 + GAP] == GREY).all()
    assert (grid[6 : 6 + GAP] == GREY).all()
    assert (grid[6 + GAP :, :6] == 128).all()  # 0.5 * 255, rounded


@pytest.mark.parametrize(("n_rows", "n_blocks"), [(1, 4), (2, 2), (3, 1), (4, 1)])
def test_blocks_make_the_grid_near_square(n_rows: int, n_blocks: int) -> None:
    row = np.zeros((16, 1, 28, 28), np.float32)
    height, width, _ = figures.sample_grid([row] * n_rows).shape
    side = 28 * 3  # enlarged to about 96
    assert width == 4 * side + 3 * GAP  # four columns
    inner = (n_blocks * n_rows - 1) * GAP + (n_blocks - 1) * (BLOCK_GAP - GAP)
    assert height == n_blocks * n_rows * side + inner


def test_few_samples_make_a_narrow_grid_and_missing_ones_are_gap() -> None:
    row = np.ones((3, 1, 8, 8), np.float32)
    assert figures.sample_grid([row, row, row], columns=8, scale=1).shape[1] == 3 * 8 + 2 * GAP
    last_block = figures.sample_grid([row], columns=2, scale=1)[-8:]
    assert (last_block[:, :8] == 255).all()
    assert (last_block[:, 8:] == GREY).all()


def test_colour_keeps_its_channels_and_values_are_clipped() -> None:
    picture = np.zeros((1, 3, 8, 8), np.float32)
    picture[0, 0], picture[0, 1], picture[0, 2] = 2.0, -1.0, 0.2
    grid = figures.sample_grid([picture])
    assert grid.shape == (96, 96, 3)
    assert (grid == [255, 0, 51]).all()


def test_a_vector_is_laid_out_as_a_square() -> None:
    vector = np.array([[1, 0, 0, 0, 0.2]], np.float32)  # 5 values: 2 x 3 and one of padding
    grid = figures.sample_grid([vector], scale=1)
    assert grid[..., 0].tolist() == [[255, 0, 0], [0, 51, 0]]


def test_an_array_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found \(4, 2, 8, 8\)"):
        figures.sample_grid([np.zeros((4, 2, 8, 8), np.float32)])


def test_the_histogram_tells_mean_and_zeros() -> None:
    figure = figures.code_histogram(np.array([[0.0, 0.0], [0.0, 4.0]]))
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "Code values: mean 1, 75.0% exact zeros"
    assert sum(bar.get_height() for bar in axes.patches) == 4


def legend_of(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_the_map_names_its_classes_and_noise() -> None:
    points, classes = np.arange(8.0).reshape(4, 2), np.array([3, -1, 3, 0])
    figure = figures.code_map(points, classes, "a title")
    assert legend_of(figure) == ["noise", "0", "3"]
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections] == [1, 1, 2]


def test_twenty_classes_differ_in_colour_or_marker_and_more_have_no_legend() -> None:
    points = np.zeros((21, 2))
    figure = figures.code_map(points[:20], np.arange(20), "")
    looks = {
        (tuple(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.shape)
        for dots in figure.axes[0].collections
    }
    assert len(looks) == len(legend_of(figure)) == 20
    assert legend_of(figures.code_map(points, np.arange(21), "")) == []


def test_confusion_shades_by_row_and_writes_counts() -> None:
    figure = figures.confusion(np.array([[3, 1], [0, 0]]), ["a", "b"], ["0", "1"], "")
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in axes.texts] == ["3", "1"]


def test_a_large_confusion_has_no_numbers() -> None:
    n = figures.N_CLASSES + 1
    names = [str(i) for i in range(n)]
    assert not figures.confusion(np.eye(n, dtype=int), names, names, "").axes[0].texts


def test_curves_draw_every_name() -> None:
    x = np.array([1.0, 2.0])
    figure = figures.curves({"train": (x, x), "val": (x, 2 * x)}, ylabel="loss")
    assert legend_of(figure) == ["train", "val"]
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[1, 2], [2, 4]]
    one_epoch = figures.curves({"train": (x[:1], x[:1])}, ylabel="loss")
    assert one_epoch.axes[0].lines[0].get_marker() == "o"


def test_saved_bytes_are_the_same_small_and_without_metadata(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    points, classes = generator.normal(size=(3_000, 2)), generator.integers(10, size=3_000)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        figures.save(figures.code_map(points, classes, "the same"), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert len(first) < 60_000
    with Image.open(files[0]) as image:
        assert image.info.keys().isdisjoint({"Software", "Creation Time"})
        assert image.size == (576, 480)


def test_a_saved_grid_keeps_its_pixels(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 2 * 64, dtype=np.float32).reshape(2, 1, 8, 8)
    grid = figures.sample_grid([values])
    figures.save(grid, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), grid)
