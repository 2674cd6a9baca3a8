"""One client a file, each a process of its own: reads blocks, prints `{"blocks": …, "seconds": …}`.

`seconds` runs from the first request after the connection to the last block (ours: to the last commit).
"""
