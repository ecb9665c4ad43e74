"""From what is asked to a report as it grows: for the command line and for the library."""
