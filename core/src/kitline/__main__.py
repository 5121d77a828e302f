"""`python -m kitline` is the `kitline` command."""

from kitline.cli.program import program

if __name__ == "__main__":
    program()
