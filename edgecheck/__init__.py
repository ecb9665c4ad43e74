"""Will this model fit that device? A verdict, metric by metric, that a release can hang on."""

__version__ = "0.1.0.dev0"
