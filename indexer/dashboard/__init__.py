"""The analysts' page: Datasette on the read-only database, its questions, and charts. Imported by one command only."""
