"""The contracts to follow, out of their blueprints."""

from collections.abc import Iterable
from pathlib import Path

from indexer import errors
from indexer.plutus.blueprint import Blueprint, read_blueprint


def read(paths: Iterable[Path]) -> tuple[Blueprint, ...]:
    """The contracts of these files, in their order, each once.

    Raises FileUnusable, BlueprintInvalid, BlueprintInconsistent or BlueprintNotOurs.
    """
    found: dict[bytes, Blueprint] = {}
    for path in paths:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise errors.FileUnusable(
                f"cannot read the blueprint {path}: {error.strerror}",
                hint="`indexer init` puts plutus.json beside config.toml; [[contract]] names it",
            ) from error
        blueprint = read_blueprint(text)
        found.setdefault(blueprint.hash, blueprint)
    return tuple(found.values())
