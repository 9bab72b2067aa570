"""Pictures: sizes, a few pixels by hand, and the same bytes for the same input."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from narrows.rendering import charts, figures, grids

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


def test_a_vector_is_drawn_as_a_bar_for_each_value() -> None:
    """24 pixels high; four wide for five values, the last of them white."""
    vector = np.array([[1, 0, 0, 0.5, 2]], np.float32)
    grid = figures.sample_grid([vector], scale=1)
    assert grid.shape == (24, 20, 3)
    n_dark = (grid[..., 0] == 64).sum(axis=0).tolist()
    assert n_dark == [24, 24, 24, 0, 1, 1, 1, 0, 1, 1, 1, 0, 13, 13, 13, 0, 24, 24, 24, 0]
    assert grid[-1, :3, 0].tolist() == [64] * 3
    assert set(np.unique(grid)) == {64, 255}
    assert figures.can_be_drawn((64,))
    assert figures.can_be_drawn((1, 100, 100))
    assert not figures.can_be_drawn((65,))


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


def test_a_map_without_classes_has_one_colour_and_no_legend() -> None:
    figure = figures.code_map(np.arange(8.0).reshape(4, 2), None, "")
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections] == [4]
    assert legend_of(figure) == []


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


def test_bars_stand_in_their_order() -> None:
    axes = charts.bars(np.array([2.0, 0.5]), "unit", "KL, nats", "").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [2.0, 0.5]
    assert axes.get_ylabel() == "KL, nats"


def test_a_heat_table_writes_numbers_and_dashes_and_grows() -> None:
    figure = charts.heat_table([[None, 17.25], [8.0, 9.04]], ["a", "b"], ["clean", "box"], "")
    assert [text.get_text() for text in figure.axes[0].texts] == ["\u2013", "17.2", "8.0", "9.0"]
    large = charts.heat_table([[1.0]] * 30, [str(i) for i in range(30)], ["box"], "")
    assert large.get_figheight() > figure.get_figheight()
    charts.heat_table([[None]], ["exact"], ["clean"], "")  # nothing to shade


def test_a_front_joins_the_trials_that_no_other_beats_in_order() -> None:
    trials = np.array([[0.25, 32.0], [0.5, 8.0], [0.5, 64.0]])
    axes = charts.front(trials, np.array([False, False, True]), ["error", "size"], "").axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0.5, 8.0], [0.25, 32.0]]
    assert axes.collections[0].get_offsets().tolist() == [[0.5, 64.0]]


def test_the_size_curve_names_every_encoder_once_and_apart() -> None:
    encoders = {f"encoder-{i}": (32, 0.01) for i in range(25)}
    axes = charts.size_curve(encoders, np.array([0.04, 0.02]), "").axes[0]
    assert sorted(text.get_text() for text in axes.texts) == sorted(encoders)
    heights = sorted(text.get_position()[1] for text in axes.texts)
    assert min(np.diff(heights)) == pytest.approx(1 / 25)
    assert heights[-1] <= 1
    (line,) = axes.lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([1, 2], [0.04, 0.02])
    assert axes.get_xscale() == axes.get_yscale() == "log"


SHAPES = [(1, 28, 28), (3, 28, 28), (5,)]  # a vector of five is a picture of 24 x 20
SIDES = {(1, 28, 28): (56, 56), (3, 28, 28): (56, 56), (5,): (2 * 24, 2 * 20)}
PICTURES = SHAPES[:2]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_near_square_shows_at_most_36_samples(shape: tuple[int, ...]) -> None:
    height, width = SIDES[shape]
    for n, rows, columns in [(1, 1, 1), (5, 2, 3), (64, 6, 6)]:
        picture = grids.grid(np.ones((n, *shape), np.float32))
        size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3)
        assert picture.shape == size


@pytest.mark.parametrize("shape", PICTURES)
def test_strips_run_from_left_to_right(shape: tuple[int, ...]) -> None:
    """Two rows of three steps: the last step of the second row is white."""
    samples = np.zeros((2, 3, *shape), np.float32)
    samples[1, 2] = 1
    picture, (height, width) = grids.strips(samples), SIDES[shape]
    assert picture.shape == (2 * height + GAP, 3 * width + 2 * GAP, 3)
    assert (picture[height + GAP : height + GAP + 10, 2 * (width + GAP) :] == 255).all()
    assert (picture == 255).all(axis=2).sum() <= height * width


@pytest.mark.parametrize("shape", PICTURES)
@pytest.mark.parametrize(("n_blocks", "beside", "below", "columns"), [(2, 1, 2, 8), (5, 2, 3, 4)])
def test_pairs_are_named_blocks(
    shape: tuple[int, ...], n_blocks: int, beside: int, below: int, columns: int
) -> None:
    samples = np.zeros((n_blocks, 8, *shape), np.float32)
    names = [f"a very long corruption {i}" for i in range(n_blocks)]
    picture, (height, width) = grids.pairs(samples, samples + 1, names), SIDES[shape]
    block = (2 * height + GAP, 20 + columns * (width + GAP) - GAP)
    assert picture.shape[0] == below * block[0] + (below - 1) * BLOCK_GAP
    assert picture.shape[1] == beside * block[1] + (beside - 1) * BLOCK_GAP
    assert (picture[0, 20 : 20 + width] == 0).all()  # the corrupted above
    assert (picture[height + GAP, 20 : 20 + width] == 255).all()  # the restored below
    assert (picture[: block[0], :20] != GREY).any()  # the name


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_found_is_framed_by_its_label(shape: tuple[int, ...]) -> None:
    queries, neighbours = np.zeros((8, *shape)), np.ones((8, 2, *shape))
    same = np.array([[True, False]] * 8)
    picture, (height, width) = grids.retrieval(queries, neighbours, same), SIDES[shape]
    tile = width + 2 * grids.FRAME
    assert picture.shape[0] == 8 * (height + 2 * grids.FRAME) + 7 * GAP
    assert picture.shape[1] == 3 * tile + GAP + BLOCK_GAP
    edge = picture[0]
    assert (edge[:tile] == GREY).all()
    assert (edge[tile + BLOCK_GAP : 2 * tile + BLOCK_GAP] == grids.SAME).all()
    assert (edge[-tile:] == grids.OTHER).all()
    assert (grids.retrieval(queries, neighbours, None)[0] == GREY).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_thumbnails_lie_apart_and_have_the_colour_of_their_label(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    points, samples = generator.normal(size=(500, 2)), generator.random((500, *shape))
    labels = generator.integers(10, size=500)
    taken = grids.apart(points, 12)
    unit = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    distances = np.abs(unit[taken][:, None] - unit[taken][None]).max(axis=2)
    assert 20 < len(taken) <= 144
    assert distances[~np.eye(len(taken), dtype=bool)].min() >= 1 / 12
    boxes = grids.thumbnail_map(points, samples, labels, "").axes[0].artists
    assert len(boxes) == len(taken)
    first = to_hex(boxes[0].patch.get_edgecolor())
    assert first == figures.COLOURS[labels[taken[0]]]
    assert len(grids.thumbnail_map(points, samples, None, "").axes[0].artists) == len(taken)


def test_points_in_one_place_have_one_thumbnail() -> None:
    assert len(grids.apart(np.zeros((4, 2)), 12)) == 1


@pytest.mark.parametrize("colours", [256, 32])
def test_saved_maps_and_grids_are_small_and_the_same(tmp_path: Path, colours: int) -> None:
    generator = np.random.default_rng(0)
    points, samples = generator.normal(size=(1000, 2)), generator.random((1000, 3, 8, 8))
    for name in ("a.png", "b.png"):
        figures.save(grids.thumbnail_map(points, samples, None, ""), tmp_path / name, colours)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size < 40_000
    with Image.open(tmp_path / "a.png") as image:
        assert len(image.getcolors()) <= colours


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


def test_a_picture_within_a_page_keeps_its_pixels() -> None:
    grid = figures.sample_grid([np.linspace(0, 1, 2 * 64, dtype=np.float32).reshape(2, 1, 8, 8)])
    kind, _, data = figures.data_url(grid).partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        np.testing.assert_array_equal(np.asarray(image), grid)
    chart = figures.code_histogram(np.ones((3, 2)))
    assert figures.data_url(chart).startswith("data:image/png;base64,")
    assert (figures.is_chart(chart), figures.is_chart(grid)) == (True, False)


def test_classes_bear_their_names_where_they_have_some() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    figure = figures.code_map(points, np.array([0, 1, 2]), "", ["cats", "$\\frac{$"])
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["cats", r"\$\frac{\$", "2"]
    figure.canvas.draw()  # nothing is read as a formula


def test_a_sample_has_one_colour_in_space_and_in_the_plane(tmp_path: Path) -> None:
    x, z = np.random.default_rng(0).random((20, 3)), np.arange(40.0).reshape(20, 2)
    figure = charts.space_and_code(x, z, "two of three")
    plane, space = (axes.collections[0] for axes in figure.axes)
    np.testing.assert_array_equal(plane.get_offsets(), z)
    figures.save(figure, tmp_path / "drawn.png")  # sorts the points in space by depth
    shades = [sorted(map(tuple, points.get_facecolor())) for points in (plane, space)]
    assert shades[0] == shades[1]
    assert len(np.unique(plane.get_facecolor(), axis=0)) == 20
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["", "two of three"]
