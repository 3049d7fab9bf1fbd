"""What the tags of libvirt's ``<filter>`` say, whole or in pieces."""

from collections.abc import Mapping

from hopback.snapshot.rows import NwFilter, NwItem, NwReference, NwRule, Row
from hopback.sources.parse.base import Text
from hopback.sources.parse.listing import number

_NO_MATCH = ("rule", "parameter", "uuid", "filterref", "filter")
_PRIORITY_MAX = 1000


class _Rule:
    def __init__(self, index: int, attributes: Mapping[str, str]) -> None:
        self.index = index
        self.attributes = attributes
        self.protocol = ""
        self.items: list[NwItem] = []

    def match(self, protocol: str, attributes: Mapping[str, str]) -> None:
        """Take an element that says what matches; libvirt looks at those of the first's kind."""
        if self.protocol in ("", protocol):
            self.protocol = protocol
            negated = attributes.get("match", "yes") == "no"
            self.items += (
                NwItem(name, value, negated)
                for name, value in attributes.items()
                if name not in ("match", "comment")
            )


class NwFilterReader:
    """Takes the tags of one filter; a rule that is not closed ends with the next, or the filter."""

    def __init__(self, text: Text, index: int, attributes: Mapping[str, str]) -> None:
        self.name = attributes.get("name", "")
        self.index = index
        self._text = text
        self._chain = attributes.get("chain", "root")
        self._priority = _priority(attributes)
        self._rows: list[Row] = []
        self._rule: _Rule | None = None
        self._reference: tuple[int, str, list[tuple[str, str]]] | None = None

    def start(self, index: int, tag: str, attributes: Mapping[str, str]) -> None:
        """``<tag attributes>`` on line ``index``."""
        if tag == "rule":
            self._close()
            self._rule = _Rule(index, attributes)
        elif tag == "filterref":
            self._close()
            self._reference = (index, attributes.get("filter", ""), [])
        elif tag == "parameter" and self._reference is not None:
            pair = attributes.get("name", ""), attributes.get("value", "")
            self._reference[2].append(pair)
        elif self._rule is not None and tag not in _NO_MATCH:
            self._rule.match(tag, attributes)

    def end(self, tag: str) -> None:
        """``</tag>``."""
        if tag in ("rule", "filterref"):
            self._close()

    def rows(self, whole: bool) -> list[Row]:
        """The filter with what is in it, in order."""
        self._close()
        row = NwFilter(
            cite=self._text.cite(self.index),
            netns=self._text.netns,
            name=self.name,
            chain=self._chain,
            priority=self._priority,
            whole=whole,
        )
        return [row, *self._rows]

    def _close(self) -> None:
        place = len(self._rows) + 1
        if self._rule is not None:
            self._rows.append(self._rule_row(self._rule, place))
        if self._reference is not None:
            index, target, parameters = self._reference
            self._rows.append(
                NwReference(
                    cite=self._text.cite(index),
                    netns=self._text.netns,
                    filter=self.name,
                    place=place,
                    target=target,
                    parameters=tuple(parameters),
                )
            )
        self._rule = self._reference = None

    def _rule_row(self, rule: _Rule, place: int) -> NwRule:
        return NwRule(
            cite=self._text.cite(rule.index),
            netns=self._text.netns,
            filter=self.name,
            place=place,
            action=rule.attributes.get("action", ""),
            direction=rule.attributes.get("direction", ""),
            priority=_priority(rule.attributes),
            stateful=rule.attributes.get("statematch") not in ("0", "false"),
            protocol=rule.protocol,
            items=tuple(rule.items),
        )


def _priority(attributes: Mapping[str, str]) -> int | None:
    value = number(attributes.get("priority"))
    return value if value is not None and abs(value) <= _PRIORITY_MAX else None
