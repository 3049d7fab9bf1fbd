"""What stops the evaluation of a packet filter short of an answer."""

from hopback.datapath.effects import Ask, Blind


class Open(Exception):
    """Raised inside this package alone: the outcome of the hook is a question, or unknown."""

    def __init__(self, effect: Ask | Blind) -> None:
        super().__init__(str(effect))
        self.effect = effect
