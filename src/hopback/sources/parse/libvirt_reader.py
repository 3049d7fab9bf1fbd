"""What the tags of libvirt XML say of guests and their interfaces, whole or in pieces."""

import re
from collections.abc import Mapping

from hopback.frames.mac import Mac
from hopback.snapshot.rows import Guest, GuestNic, NwBinding, Row, Unread
from hopback.sources.parse.base import Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.nwfilter_reader import NwFilterReader

# Elements whose children look like an interface's (<source dev=…>, <target dev=…>) and are none.
_OTHERS = re.compile(
    "disk|serial|parallel|console|channel|controller|hostdev|filesystem|input|graphics|video|sound"
    "|audio|rng|tpm|redirdev|memballoon|memory|shmem|vsock|smartcard|lease|os|cpu|metadata"
)
_SOURCES = (("bridge", "bridge"), ("network", "network"), ("dev", "direct"))


class _Nic:
    """An interface being read. ``seen`` are the tags it already had."""

    def __init__(
        self, index: int, kind: str | None, guest: str | None, bound: bool = False
    ) -> None:
        self.index = index
        self.bound = bound  # by a filterbinding, that tells of no interface's source
        self.kind = kind
        self.guest = guest
        self.mac: Mac | None = None
        self.target: str | None = None
        self.source: str | None = None
        self.mode: str | None = None
        self.model: str | None = None
        self.filter: str | None = None
        self.parameters: list[tuple[str, str]] = []
        self.seen: set[str] = set()


class LibvirtReader:
    """Takes tags in their order and collects ``rows``.

    ``guest`` is the name the command gave; a ``<name>`` overrides it. A ``<mac>``, ``<source>`` or
    ``<target>`` without its ``<interface>`` opens an interface too: grep cuts that line off.
    """

    def __init__(self, text: Text, guest: str | None) -> None:
        self.rows: list[Row] = []
        self._text = text
        self._guest = guest
        self._nic: _Nic | None = None
        self._filter: NwFilterReader | None = None
        self._skip = ""
        self._last = ""
        self._domain = False

    def start(self, index: int, tag: str, attributes: Mapping[str, str]) -> None:
        """``<tag attributes>`` on line ``index``."""
        self._last = tag
        if tag in ("interface", "filterbinding"):
            self.cut()
            kind = attributes.get("type") if tag == "interface" else None
            self._nic = _Nic(index, kind, self._guest, bound=tag == "filterbinding")
        elif tag == "domain":
            self.cut()
            self._domain = True
        elif tag == "filter":
            self.cut()
            self._filter = NwFilterReader(self._text, index, attributes)
        elif self._filter is not None:
            self._filter.start(index, tag, attributes)
        elif _OTHERS.fullmatch(tag):
            self.cut()
            self._skip = tag
        elif not self._skip or tag == "mac":
            self._skip = ""
            self._field(index, tag, attributes)

    def text(self, index: int, text: str) -> None:
        """Character data after the tag last started."""
        if self._last != "name" or self._skip or self._filter is not None:
            return
        if self._nic is not None:  # the <owner> of a binding
            self._nic.guest = text
            return
        self._guest = text
        if self._domain:
            self._domain = False
            cite = self._text.cite(index)
            self.rows.append(Guest(cite=cite, netns=self._text.netns, name=text))

    def end(self, tag: str) -> None:
        """``</tag>``."""
        self._last = ""
        if tag == "filter":
            self._close_filter(whole=True)
        elif self._filter is not None:
            self._filter.end(tag)
        elif tag in ("interface", "filterbinding"):
            self._close(whole=True)
        elif tag == self._skip:
            self._skip = ""

    def cut(self) -> None:
        """What follows belongs to something else: ``--`` of grep, another element, the end."""
        self._close_filter(whole=False)
        self._close(whole=False)
        self._skip = ""

    def _field(self, index: int, tag: str, attributes: Mapping[str, str]) -> None:
        if self._nic is not None and tag == "parameter" and self._nic.filter is not None:
            self._nic.parameters.append((attributes.get("name", ""), attributes.get("value", "")))
        if not _tells(tag, attributes, inside=self._nic is not None):
            return
        if self._nic is None or tag in self._nic.seen:
            self.cut()
            self._nic = _Nic(index, None, self._guest)
        nic = self._nic
        nic.seen.add(tag)
        if tag == "mac":
            nic.mac = mac_or_none(attributes.get("address"))
            nic.index = index  # the line to quote: it names the interface as nothing else does
        elif tag == "source":
            _take_source(nic, attributes)
        elif tag == "target":
            nic.target = attributes.get("dev")
        elif tag == "portdev":
            nic.target = attributes.get("name")
        elif tag == "model":
            nic.model = attributes.get("type")
        else:
            nic.filter = attributes.get("filter")

    def _close(self, whole: bool) -> None:
        nic, self._nic = self._nic, None
        if nic is None or (nic.mac is None and nic.target is None and nic.source is None):
            return
        unfiltered = "" if whole else None
        self.rows.append(
            GuestNic(
                cite=self._text.cite(nic.index),
                netns=self._text.netns,
                guest=nic.guest,
                mac=nic.mac,
                target=nic.target,
                source=nic.source,
                source_kind=nic.kind,
                source_mode=nic.mode,
                model=nic.model,
                filter=unfiltered if nic.filter is None else nic.filter,
                parameters=tuple(nic.parameters) or None,
            )
        )
        if nic.bound and nic.target and nic.filter:
            self.rows.append(
                NwBinding(
                    cite=self._text.cite(nic.index),
                    netns=self._text.netns,
                    device=nic.target,
                    filter=nic.filter,
                    guest=nic.guest,
                    mac=nic.mac,
                    parameters=tuple(nic.parameters),
                )
            )

    def _close_filter(self, whole: bool) -> None:
        found, self._filter = self._filter, None
        if found is None:
            return
        self.rows += found.rows(whole)
        if not whole:
            what = f"libvirt nwfilter {found.name}".rstrip()
            cite = self._text.cite(found.index)
            self.rows.append(Unread(cite=cite, netns=self._text.netns, what=what))


def _tells(tag: str, attributes: Mapping[str, str], inside: bool) -> bool:
    """Whether a tag says something of an interface; outside of one only the telling forms do."""
    if tag == "mac":
        return "address" in attributes
    if tag == "source":
        device = inside and not attributes.get("dev", "/").startswith("/")  # "/dev/sda" is a disk's
        return "bridge" in attributes or "network" in attributes or device
    if tag == "target":
        return "dev" in attributes and "bus" not in attributes
    return inside and tag in ("model", "filterref", "portdev")


def _take_source(nic: _Nic, attributes: Mapping[str, str]) -> None:
    """The bridge if it is named: a running ``network`` interface shows both, and the bridge tells
    what it is plugged into."""
    for attribute, kind in _SOURCES:
        if attribute in attributes:
            nic.source = attributes[attribute]
            nic.mode = attributes.get("mode") if attribute == "dev" else None
            if nic.kind is None or kind == "bridge":
                nic.kind = kind
            return
