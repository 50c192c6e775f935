"""`python -m cbec`."""

from cbec.cli import main

if __name__ == "__main__":
    main()
