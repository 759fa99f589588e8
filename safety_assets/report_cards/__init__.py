"""Data Safety Report Cards (SP section 3.5, appendix D): what a data set holds, counted, on one page."""
