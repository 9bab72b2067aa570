"""2,000 mixed pictures, 100 of them broken, from the folder to their clusters.

    python benchmarks/own_pictures.py [--n 2000] [--side 1200]

The corpus is made here: crops of the pictures that scikit-learn and scikit-image install, pages of
text, charts by matplotlib and flat icons, as JPEG, PNG, WebP and GIF, turned, darkened and of many
sizes; a twentieth is cut, empty, repeated or no picture at all. Reads it with the plug-in
`image_folder`, trains the row `conv` of examples/image_folder.yaml, and clusters its codes into
as many clusters as there are kinds. Kinds score only. Prints seconds, memory and scores.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageEnhance
from skimage import data as skimage_data
from sklearn.datasets import load_sample_images

from narrows.clustering import metrics
from narrows.config import params, plugins
from narrows.data import splits
from narrows.data.datasets._base import counted
from narrows.models.autoencoder import encode_all
from narrows.training import fitting

ROOT = Path(__file__).parent.parent
WORDS = "meeting budget plan week list milk bread call train note agenda review draft".split()


def photos() -> list[Image.Image]:
    """Colour and grey photographs that installed packages hold."""
    names = ("astronaut", "chelsea", "coffee", "rocket", "camera", "coins", "page", "moon", "brick")
    images = [Image.fromarray(getattr(skimage_data, name)()).convert("RGB") for name in names]
    return images + [Image.fromarray(image) for image in load_sample_images().images]


def makers(side: int, g: np.random.Generator) -> dict[str, Callable[[], Image.Image]]:
    """By kind, what draws one picture more."""
    taken = photos()

    def size() -> tuple[int, int]:
        return tuple(g.integers(side // 4, side + 1, 2).tolist())

    def photo() -> Image.Image:
        whole = taken[g.integers(len(taken))]
        shares = g.uniform(0.4, 0.9, 2)
        width, height = int(whole.width * shares[0]), int(whole.height * shares[1])
        x, y = g.integers(whole.width - width + 1), g.integers(whole.height - height + 1)
        crop = whole.crop((x, y, x + width, y + height)).resize(size())
        return ImageEnhance.Brightness(crop).enhance(g.uniform(0.6, 1.3))

    def text() -> Image.Image:
        page = Image.new("RGB", size(), tuple(g.integers(235, 256, 3).tolist()))
        draw = ImageDraw.Draw(page)
        for y in range(10, page.height - 10, int(g.integers(14, 24))):
            draw.text((10, y), " ".join(g.choice(WORDS, page.width // 45)), fill=(20, 20, 40))
        return page

    def chart() -> Image.Image:
        figure = Figure(figsize=(4, 3), dpi=int(g.integers(60, 140)))
        axes = figure.subplots()
        if g.random() < 0.5:
            axes.plot(g.normal(size=(50, 3)).cumsum(axis=0))
        else:
            axes.bar(range(8), g.random(8))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")

    def icon() -> Image.Image:
        length = int(g.integers(16, 257))
        image = Image.new("RGBA", (length, length), (0, 0, 0, 0))
        shape = getattr(ImageDraw.Draw(image), str(g.choice(["ellipse", "rectangle"])))
        low, high = length // 8, length - length // 8
        shape((low, low, high, high), fill=(*g.integers(0, 180, 3).tolist(), 255))
        return image

    return {"photo": photo, "text": text, "chart": chart, "icon": icon}


def corpus(folder: Path, n: int, side: int, seed: int = 0) -> None:
    """A folder for each kind; every twentieth file is spoilt."""
    g = np.random.default_rng(seed)
    last = b"no picture"
    for i, (kind, draw) in enumerate(list(makers(side, g).items()) * (n // 4)):
        suffix = "png" if kind == "icon" else str(g.choice(["jpg", "png", "webp", "gif"]))
        file = folder / kind / f"{kind} {i} é'.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112], exif[0x0132] = int(g.choice([1, 1, 6, 8])), "2024:05:06 07:08:09"
        draw().save(file, **({"exif": exif} if suffix == "jpg" else {}))
        if i % 20 == 7:
            content = file.read_bytes()
            spoilt = [content[: len(content) // 3], b"", last, b"hello", content[:40]]
            file.write_bytes(spoilt[i // 20 % 5])
        else:
            last = file.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--side", type=int, default=1200)
    options = parser.parse_args()
    p, plugin = (
        params.load(ROOT / "examples/image_folder.yaml"),
        plugins.load("datasets", "image_folder"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder, raw = Path(scratch, "photos"), Path(scratch, "raw")
        corpus(folder, options.n, options.side)
        n_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        cfg = plugin.Config(path=str(folder), size=32, labels="folders")
        for look in ("first", "second"):
            clock = time.monotonic()
            plugin.fetch(cfg, raw)
            print(
                f"fetch, {look} look at {n_bytes / 2**20:.0f} MiB: {time.monotonic() - clock:.2f} s"
            )
        clock = time.monotonic()
        data = plugin.load(cfg, raw)
        seconds = time.monotonic() - clock
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"prepare: {data.x.shape} in {seconds:.1f} s, {len(data.x) / seconds:.0f} a second, ",
            end="",
        )
        print(f"peak memory {peak:.0f} MiB; skipped {counted(data.skipped)}")
        split, x = splits.assign(len(data.x), None, 0.2, 0.125, 0), torch.from_numpy(data.x)
        clock = time.monotonic()
        fitted = fitting.fit(p.autoencoders["conv"], x[split == 0], x[split == 1], seed=0)
    print(f"trained {len(fitted.history)} epochs in {time.monotonic() - clock:.1f} s")
    assert data.labels is not None
    k = len(data.label_names or ())
    pixels = data.x.reshape(len(x), -1) / np.float32(255)
    for key, z in (("pixels", pixels), ("codes", encode_all(fitted.model, x))):
        for name in ("conv-kmeans", "conv-umap-gmm"):
            clusterer = p.clusterings[name].clusterer
            clock = time.monotonic()
            state = clusterer.module.fit(clusterer.config, z, k, 0)
            clusters = clusterer.module.predict(state, z)
            nmi, purity = metrics.nmi(data.labels, clusters), metrics.purity(data.labels, clusters)
            seconds = time.monotonic() - clock
            print(f"{key}, {clusterer.name}: NMI {nmi:.3f}, purity {purity:.3f} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
