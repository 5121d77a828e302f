"""`python -m kitline` is the `kitline` command."""

from kitline.cli.main import main

if __name__ == "__main__":
    main()
