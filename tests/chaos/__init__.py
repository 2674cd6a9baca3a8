"""A world where everything goes wrong at once, from a seed; then calm, and a look at what the keepers made of it."""
