"""Files of serving engines: loads that they record, and placements that they read and write.

Here stands what is common: how a file is told apart by its content (`source.py`), how containers are read without
running code and without more memory than they hold (`containers/`), and tables (`tables/`). Formats are one small file
each, of loads in `loads/`, of placements in `placements/`; the list in either folder's ``__init__`` is all there are.
"""
