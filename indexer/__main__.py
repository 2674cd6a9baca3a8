"""`python -m indexer` is `indexer`."""

from indexer.cli.main import main

main()
