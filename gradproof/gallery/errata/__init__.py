"""Published mistakes, one a file: the wrong formula, its source, and the data that hide it.

A file is a network as those of the gallery are, and its ``backward`` is the published one. Its
``BREAKS`` maps each tensor whose gradient is wrong by itself to the name of the mistake in
`gradproof.mistakes`, and its ``SAMPLES`` are data on which nothing can be seen.
"""
