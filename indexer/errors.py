"""Named errors. Each says what happened, and how to get out.

`code` is for programs, `hint` for people, `exit_code` for the shell: 1 refused, 2 usage or configuration,
3 a service cannot be reached, 70 a bug or a block that cannot be understood.
"""

from indexer.chain.point import Place, Tip


class IndexerError(Exception):
    """Something we foresaw. `str(error)` is one sentence; `hint` says what to do about it."""

    code = "indexer.error"
    hint = "run again with `[logging] level = \"debug\"` and report what it says"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint
