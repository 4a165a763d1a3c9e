"""Generated text: one template of templates/, filled in. A name that a template needs and nobody gave is an error."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from edgeq import __version__
from edgeq.resources import resource_dir

if TYPE_CHECKING:
    import jinja2


def fill(template: str, context: dict[str, Any]) -> str:
    """The text of `template`, a path in templates/ ("rtl/core.v.j2"), with the names of `context` and `version`."""
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals["version"] = __version__
    return environment
