"""Speed and memory of the pipeline, as ratios taken in one run: ``make bench``. Absolute times mean little."""
