"""Whose coins the keeper spends, for commands that sign nothing."""

import os

from aiosqlite import Connection

from indexer import app, errors
from indexer.config import Config
from indexer.edge.builder.signing import key_hash
from indexer.store import coins


def for_the_daemon_alone(config: Config) -> bool:
    """Whether the key is in a file that we cannot read, such as a credential that systemd gives to the daemon."""
    return config.keeper.signing_key is not None and not os.access(config.keeper.signing_key, os.R_OK)


async def wallet_of(config: Config, db: Connection | None) -> bytes | None:
    """The address of the keeper's coins; None: it has no key.

    Where we cannot read the key, it is the wallet that the database remembers. Raises FileUnusable, KeyUnusable.
    """
    if not for_the_daemon_alone(config):
        signer = app.signer_of(config)
        return None if signer is None else app.wallet_address(config, key_hash(signer.public))
    owner = None if db is None else await coins.remembered(db)
    if owner is None:
        raise errors.FileUnusable(
            f"cannot read {config.keeper.signing_key}, and no database knows whose key that is",
            hint="check the path; if only the daemon may read it, start that: then the database knows",
        )
    return app.wallet_address(config, owner)
