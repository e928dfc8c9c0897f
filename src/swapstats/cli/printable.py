"""Text that others wrote, made fit for a terminal: names and messages may hold anything."""


def printable(text: str) -> str:
    r"""Write what is no plain character (escape sequences, line ends) as an escape one can read.

    >>> printable("WETH \x1b[2J \u202e \n")
    'WETH \\x1b[2J \\u202e \\n'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
