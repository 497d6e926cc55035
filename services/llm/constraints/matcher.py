"""Where an answer stands in its constraint."""


class Matcher:
    """A place in a constraint."""
