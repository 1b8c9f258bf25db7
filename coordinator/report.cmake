# Report formats, statistics, command line, progress.
