"""Governors of clocks: who decides how fast, and how hot, a device runs."""
