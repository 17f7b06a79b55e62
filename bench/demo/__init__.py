"""``make demo``: an afternoon of a research agency in three minutes, played over the public API."""
