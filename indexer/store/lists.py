"""Lists as parameters of a statement."""

import json
from collections.abc import Iterable


def listed(values: Iterable[bytes | str | int]) -> str:
    """For `json_each(?)`; bytes as hex."""
    return json.dumps([value.hex() if isinstance(value, bytes) else value for value in values])
