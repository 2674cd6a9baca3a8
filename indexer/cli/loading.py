"""What commands begin with: the configuration, and the log."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from indexer.config import Config


def read(context: typer.Context) -> "Config":
    """The configuration that the command line names, for a command that logs nothing. Raises as `load`."""
    from indexer import config

    return config.load(context.obj)


def load(context: typer.Context) -> "Config":
    """The same, with the log set up as it says. Raises ConfigInvalid or FileUnusable."""
    from indexer import log

    loaded = read(context)
    log.set_up(loaded.logging.level, loaded.logging.format)
    return loaded
