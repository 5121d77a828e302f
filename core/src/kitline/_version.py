"""The version of kitline."""

VERSION = "0.1.0"
