"""The demo: the whole job once, on real data."""
