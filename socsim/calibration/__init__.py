"""Calibration: kernel rates and fixed costs fitted to measured latencies, and how sure they are."""
