"""What every command begins with: the configuration, and the log."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from indexer.config import Config


def load(context: typer.Context) -> "Config":
    """The configuration that the command line names. Raises ConfigInvalid or FileUnusable."""
    from indexer import config, log

    loaded = config.load(context.obj)
    log.set_up(loaded.logging.level, loaded.logging.format)
    return loaded
