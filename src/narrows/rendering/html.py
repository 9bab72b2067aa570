"""Pages that open offline: the templates in templates/, and what a page holds as text."""

import base64
import hashlib
import os
from pathlib import Path
from urllib.parse import quote

import jinja2

from narrows.config.messages import plural

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """Reads the templates: whatever a name holds is escaped, and a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["of"] = plural  # 2|of("row")
    return environment


def style(name: str) -> str:
    """A style sheet of templates/, with those that it includes."""
    return environment().get_template(name).render()


def script(name: str) -> str:
    """A script of templates/."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def sha256(text: str) -> str:
    """The hash by which a Content-Security-Policy names the only style or script that it lets in.

    >>> sha256("")
    '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def url(place: Path, folder: Path) -> str:
    """URL of a file as seen from a page in `folder`, so that both can move together.

    >>> url(Path("/home/me/my photos/#1.png"), Path("/home/me/narrows/gallery"))
    '../../my%20photos/%231.png'
    """
    return quote(os.fsencode(os.path.relpath(place.resolve(), folder.resolve())))


def data_url(png: bytes) -> str:
    """A PNG as the source of a picture within the page.

    >>> data_url(b"png")
    'data:image/png;base64,cG5n'
    """
    return "data:image/png;base64," + base64.b64encode(png).decode()
