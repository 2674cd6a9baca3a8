"""How the process treats memory that it has used once and will use again."""

import ctypes
import gc
from typing import Final

# Options of glibc's mallopt (malloc.h). Blocks of tens to hundreds of kilobytes come and go thousands of times a
# second; by default each gets pages of its own from the kernel and gives them back: 15 page faults a block, nearly
# half of the time of a catch-up.
_MALLOPT: Final = (
    (-1, 32 * 2**20),  # M_TRIM_THRESHOLD: so much free memory at the end of the heap is kept
    (-2, 2**20),  # M_TOP_PAD: and fetched in pieces of this size
    (-3, 4 * 2**20),  # M_MMAP_THRESHOLD: what is larger goes back at once, such as a message of 20 MB
)


def settle() -> None:
    """Call once, when everything is imported: keep freed buffers, and look for garbage less often.

    What is imported stays, and what following makes holds no cycles. Other C libraries than glibc do as they like.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOPT:
            mallopt(option, value)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
