"""``python -m socsim`` is the command ``socsim``."""

from socsim.cli import main

if __name__ == "__main__":
    main()
