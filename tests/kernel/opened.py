"""Rigs: what is opened on entry is closed on exit."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self


class Opened(ABC):
    """A context; what it opens it closes, the last first, also where opening fails half way."""

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._enter(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @abstractmethod
    def _enter(self, undo: ExitStack) -> None:
        """Open all of it, and let ``undo`` know of each."""
