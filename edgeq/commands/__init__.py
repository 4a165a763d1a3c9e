"""The commands of the shell, one file each: read the arguments, call the library, print."""

from collections.abc import Callable
from typing import Any

from edgeq.commands.bench import bench
from edgeq.commands.boards import boards
from edgeq.commands.build import build
from edgeq.commands.convert import convert
from edgeq.commands.demo import demo
from edgeq.commands.front import front
from edgeq.commands.inspect import inspect
from edgeq.commands.report import report
from edgeq.commands.run import run
from edgeq.commands.search import search
from edgeq.commands.verify import verify

#: name in the shell -> function, or commands of its own, in the order of the help
COMMANDS: dict[str, Callable[..., Any]] = {
    "boards": boards,
    "inspect": inspect,
    "convert": convert,
    "build": build,
    "run": run,
    "verify": verify,
    "bench": bench,
    "front": front,
    "search": search,
    "report": report,
    "demo": demo,
}
