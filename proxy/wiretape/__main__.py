"""`python -m wiretape` is the command `wiretape`."""

from wiretape.cli import main

if __name__ == "__main__":
    main()
