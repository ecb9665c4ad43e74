"""The version of edgecheck, where every module may import it: the package itself imports the library."""

VERSION = "0.1.0.dev0"
