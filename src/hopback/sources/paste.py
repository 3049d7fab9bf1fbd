"""Text in which somebody pasted whatever they had, as one snapshot per host.

The text is cut into blocks at prompts and headings. What follows a prompt is read by the parser of
the command; what that parser did not read, and what stands after no prompt, is cut once more where
a line has the shape of a listing. Kernel messages are found anywhere. Listings without a prompt
cover no table completely, since nobody knows how they were made.
"""

from collections.abc import Iterable, Iterator

from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import Unread
from hopback.snapshot.table import Cite, Problem, Source
from hopback.sources.blocks import BULLET, LOG, Block, blocks, dedent, has_shape, shape_of
from hopback.sources.lines import COMPLAINT, Lines
from hopback.sources.listing import Listing, add_rows, read, unread
from hopback.sources.parse.base import Parser
from hopback.sources.parse.commands import Command, parse_commands, says_nothing
from hopback.sources.parse.registry import (
    for_command,
    name_of,
    parser,
    title,
)
from hopback.sources.parse.typed import typed_rows

_SPANNED, _READ = 1, 2  # lines between the rows of a listing, and those rows' own
_GLANCE = 10  # lines kept of a text in which nothing was recognised


def read_paste(stream: Iterable[bytes], origin: str) -> tuple[Snapshot, ...]:
    """The hosts of a text, in the order of their first listing; at least one snapshot.

    Raises Refused if the text is larger than what is read at all.
    """
    builders: dict[str, Builder] = {}
    seen: list[str] = []
    problems = read_text(builders, stream, origin, seen=seen)
    if not builders:
        builders[""] = _nothing(origin, seen)
    next(iter(builders.values())).problems[:0] = problems
    return tuple(builder.build() for builder in builders.values())


def read_text(
    builders: dict[str, Builder],
    stream: Iterable[bytes],
    origin: str,
    host: str = "",
    seen: list[str] | None = None,
) -> tuple[Problem, ...]:
    """Add a text's listings to the builders of their hosts; ``host`` is meant where none is named.

    A host without listings gets no builder. ``seen`` takes the first lines. Gives what was wrong
    with the bytes.
    """
    lines = Lines(stream, origin)
    for block in blocks(_noting(lines, [] if seen is None else seen), host):
        _Reader(builders, origin, block).read()
    return lines.problems


def _noting(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    for line in lines:
        if len(seen) < _GLANCE:
            seen.append(line[:200])
        yield line


def _nothing(origin: str, seen: list[str]) -> Builder:
    builder = Builder()
    number = builder.open(Source(origin, origin, 1, "\n".join(seen)))
    what = f"{origin or 'the text'} (nothing recognised in it)"
    if any(line.strip() for line in seen):
        add_rows(builder, (Unread(cite=Cite(number, 1), what=what),))
    builder.problems.append(Problem(origin, 0, "nothing recognised in it"))
    return builder


class _Reader:
    """Reads one block into the builders of the hosts it speaks of."""

    def __init__(self, builders: dict[str, Builder], origin: str, block: Block) -> None:
        self._builders = builders
        self._origin = origin
        self._block = block
        self._used = bytearray(len(block.lines))

    def read(self) -> None:
        self._complaints()
        prompt = self._block.prompt
        commands = parse_commands(prompt.command) if prompt else ()
        unheard: list[tuple[Command, Parser | None]] = []
        skip: set[str] = set()
        for command in commands:
            found = for_command(command.words)
            if found is not None:
                skip.add(name_of(found))
            if not self._typed(command) and not self._listed(command, found):
                unheard.append((command, found))
        heard = self._shapes(skip)
        if LOG not in skip:
            heard = self._kernel_log() or heard
        if not heard and len(unheard) == len(commands) and self._has_text():
            self._unheard(unheard)

    def _complaints(self) -> None:
        """What programs complained of is told, and is part of no table."""
        lines = self._block.lines
        for at, line in enumerate(lines):
            if line.startswith(COMPLAINT):
                number = self._block.first + at
                said = Problem(self._origin, number, line.removeprefix(COMPLAINT))
                self._builder().problems.append(said)
                lines[at] = ""

    def _builder(self, host: str | None = None) -> Builder:
        label = self._block.host if host is None else host
        return self._builders.setdefault(label, Builder(label))

    def _has_text(self) -> bool:
        return any(not line.isspace() and line for line in self._block.lines)

    def _netns(self, command: Command) -> str:
        return command.netns or (self._block.prompt.netns if self._block.prompt else "")

    def _listing(self, command: Command) -> Listing:
        block = self._block
        command = command._replace(netns=self._netns(command))
        name = block.prompt.command.strip() if block.prompt else ""
        return Listing(
            name, self._origin, block.lines, block.first, block.head, command, command.netns
        )

    def _typed(self, command: Command) -> bool:
        """Commands that set something up: rows that cite the prompt's own line."""
        command = command._replace(netns=self._netns(command))
        cited = Cite(0, self._block.first - 1)
        if not typed_rows(command, cited):
            return False
        builder = self._builder(command.host)
        number = builder.open(self._listing(command).source(0))
        add_rows(builder, typed_rows(command, cited._replace(source=number)))
        return True

    def _listed(self, command: Command, found: Parser | None) -> bool:
        if found is None or command.into or not self._has_text():
            return False
        heard = False
        parts = self._again(found)
        for part in parts:
            listing = self._listing(command)
            if len(parts) > 1 or any(self._used):
                lines = self._unused(part)
                head = None if part.start else listing.head
                listing = listing._replace(lines=lines, first=listing.first + part.start, head=head)
            heard = self._take(command.host, found, listing, part.start) or heard
        return heard

    def _again(self, found: Parser) -> list[range]:
        """The block cut where the listing's first line comes again after a blank line.

        People show what the same command said a minute later without showing the prompt again.
        """
        lines = self._block.lines
        header = next((at for at, line in enumerate(lines) if has_shape(found, line)), len(lines))
        starts = [
            at
            for at in range(header + 1, len(lines))
            if lines[at] == lines[header] and not lines[at - 1].strip()
        ]
        return [range(*cut) for cut in zip([0, *starts], [*starts, len(lines)], strict=True)]

    def _take(self, host: str | None, found: Parser, listing: Listing, start: int) -> bool:
        """Read a listing whose lines begin at ``start`` of the block; mark what was read."""
        label = self._block.host if host is None else host
        builder = self._builders.get(label) or Builder(label)
        span, _, rows = read(builder, found, listing)
        if span is None:
            return False
        self._builders.setdefault(label, builder)
        self._used[start + span.start : start + span.stop] = bytes([_SPANNED]) * len(span)
        for row in rows:
            self._used[start + row.cite.line - listing.first] = _READ
        return True

    def _unused(self, part: range) -> list[str]:
        lines = slice(part.start, part.stop)
        pairs = zip(self._used[lines], self._block.lines[lines], strict=True)
        return ["" if used else line for used, line in pairs]

    def _shapes(self, skip: set[str]) -> bool:
        """Listings that show their shape among the lines no command's parser read."""
        heard = False
        start, current = 0, None
        for at, line in enumerate([*self._block.lines, None]):
            ends = line is None or self._used[at]
            found = None if ends else shape_of(line or "")
            if found and name_of(found[0]) in (*skip, LOG):
                found = None
            if current and (ends or (found and self._begins(current[0], start, found[0], at))):
                heard = self._shaped(current, start, at) or heard
                current = None
            if found and current is None:
                start, current = at, found
        return heard

    def _begins(self, current: Parser, start: int, found: Parser, at: int) -> bool:
        """Whether another listing begins: of another kind, or the same header after a blank."""
        lines = self._block.lines
        return found is not current or (lines[at] == lines[start] and not lines[at - 1].strip())

    def _shaped(self, shape: tuple[Parser, int], start: int, stop: int) -> bool:
        found, indent = shape
        lines = [dedent(line, indent) for line in self._block.lines[start:stop]]
        prompt = self._block.prompt
        listing = Listing(
            title(found),
            self._origin,
            lines,
            self._block.first + start,
            netns=prompt.netns if prompt else "",
        )
        return self._take(None, found, listing, start)

    def _kernel_log(self) -> bool:
        """Kernel messages among all that is left, as one listing."""
        log = parser(LOG)
        lines = [self._message(log, at) for at in range(len(self._block.lines))]
        start = next((at for at, line in enumerate(lines) if line), None)
        if start is None:
            return False
        listing = Listing(title(log), self._origin, lines[start:], self._block.first + start)
        return self._take(None, log, listing, start)

    def _message(self, log: Parser, at: int) -> str:
        line = self._block.lines[at]
        if self._used[at] == _READ or not line:
            return ""
        bullet = BULLET.match(line)
        line = line[bullet.end() :] if bullet else line
        return line if has_shape(log, line) else ""

    def _unheard(self, commands: list[tuple[Command, Parser | None]]) -> None:
        for command, _ in commands:
            if command.into or says_nothing(command):
                continue
            listing = self._listing(command)
            unread(self._builder(command.host), listing, f"output of {listing.title}")
