"""What all tests share."""

from hypothesis import HealthCheck, settings

# The machine that runs this may be slow and busy; how long an example takes says nothing about the code.
settings.register_profile("indexer", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("indexer")
