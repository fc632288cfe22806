"""The claims, a module each, which has it as ``CLAIM``."""
