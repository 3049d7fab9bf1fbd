"""The text of a rule as words."""

import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r'"[^"]*"?'
    r"|@(?:ll|nh|th|ih),\d+,\d+"  # raw payload
    r"|==|!=|<=|>=|<<|>>|[{}(),;=<>!&|^]"
    r'|[^\s{}(),;"=<>!&|^]+'
)
END = ""


class Misread(ValueError):
    """The text is not what nft prints, or something that is not known here."""


def tokens(text: str) -> list[str]:
    """The words of a text; quoted ones with their quotes."""
    return _TOKEN.findall(text)


def unquoted(word: str) -> str:
    """A word without its quotes."""
    return word[1:].removesuffix('"') if word.startswith('"') else word


class Tokens:
    """Words to be taken one after the other; END comes for ever."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [*words, END, END, END]  # so that there is always something ahead
        self.place = 0

    def peek(self, ahead: int = 0) -> str:
        """The next word, or one of the two behind it."""
        return self._words[self.place + ahead]

    def next(self) -> str:
        """Take the next word."""
        word = self._words[self.place]
        if word is not END:
            self.place += 1
        return word

    def take(self, word: str) -> bool:
        """Take the next word if it is this one."""
        if self._words[self.place] != word:
            return False
        self.place += 1
        return True

    def take_both(self, first: str, second: str) -> bool:
        """Take the next two words if they are these."""
        if self.peek() != first or self.peek(1) != second:
            return False
        self.place += 2
        return True

    def expect(self, word: str) -> None:
        """Take the next word, which has to be this one; raises Misread."""
        if not self.take(word):
            raise Misread(f"{word} expected, not {self.peek()[:40]!r}")

    def skip(self, count: int) -> None:
        """Pass over words, as far as there are any."""
        self.place = min(self.place + count, len(self._words) - 3)

    def one(self) -> str:
        """Take a word that has to be there, without its quotes; raises Misread."""
        word = self.next()
        if word is END:
            raise Misread("the end")
        return unquoted(word)

    def put_back(self, rest: str) -> None:
        """Put back the end of the word just taken, of which only the beginning was wanted."""
        if rest:
            taken = self._words[self.place - 1]
            self._words[self.place - 1 : self.place] = [taken.removesuffix(rest), rest]

    def since(self, place: int) -> list[str]:
        """All words taken since ``place``."""
        return self._words[place : self.place]

    def rest(self) -> list[str]:
        """Take all that is left."""
        place, self.place = self.place, len(self._words) - 3
        return self._words[place : self.place]


_TIGHT = re.compile(r" (?=[,;])")


def joined(words: Sequence[str]) -> str:
    """Words as nft would print them."""
    return _TIGHT.sub("", " ".join(words))
