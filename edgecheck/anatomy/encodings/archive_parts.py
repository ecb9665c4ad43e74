"""Claims the parts of a zip archive: its headers and directory, and members that are read or taken as they are.

See `ziparchive` for the specification; this module is apart from it so that recognising an archive stays quick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import ITEM, MOST_ELEMENTS, RECORD, TABLE, quoted
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.span import Damage, Span, Unread
from edgecheck.anatomy.encodings.ziparchive import DEFLATED, STORED, Archive, Member, read_archive
from edgecheck.anatomy.values import Kind

_HEADERS = Label(Kind.STRUCTURE, "archive headers")
_DIRECTORY = Label(Kind.STRUCTURE, "archive directory")
_COMMENT = Label(Kind.METADATA, "archive comment")
_PADDING = Label(Kind.PADDING, "alignment")


def claim_archive(region: Region) -> Archive:
    """The archive in a region; everything is claimed except the members' contents."""
    archive = read_archive(region.span)
    for member in archive.members:
        region.claim(member.header, member.start - member.header - member.filling, _HEADERS)
        region.claim(member.start - member.filling, member.filling, _PADDING)
        region.claim(member.start + member.packed, member.descriptor, _HEADERS)
    start, stop = archive.directory
    region.claim(start, stop - start, _DIRECTORY)
    start, stop = archive.end
    region.claim(start, stop - start, _DIRECTORY)
    region.claim(stop, archive.stop - stop, _COMMENT)
    return archive


@contextmanager
def member_region(region: Region, member: Member) -> Iterator[Region]:
    """The content of a member; claims on that of a deflated one are claims on their share of its bytes.

    Raises:
        Damage: it is compressed by another method, or its size is not what the directory claims.
    """
    if member.method == STORED:
        yield region.sub(member.start, member.packed)
    elif member.method == DEFLATED:
        with region.unpacked(member.start, member.packed, "deflate") as content:
            if content.span.size != member.size:
                raise Damage(f"its member {quoted(member.name)} has another size than the archive claims")
            yield content
    else:
        raise Damage(f"its member {quoted(member.name)} is compressed by method {member.method}")


def claim_member(region: Region, member: Member, label: Label) -> None:
    """Claim the content of a member, unread."""
    region.claim(member.start, member.packed, label)


#: What Python takes for the values of a JSON text, by the characters that come with each of them.
_COSTS = {b"{": TABLE, b"[": RECORD + ITEM, b",": RECORD + ITEM, b'"': RECORD // 2}
#: The text is in memory twice while it is read.
_LARGEST = 64 << 20


def read_json(span: Span, what: str) -> object:
    """The value of the JSON text in `span`; `what` names the text in the error.

    Raises:
        Damage: it is not JSON, or too deep.
        Unread: it is larger than 64 MiB.
    """
    if span.size > _LARGEST:
        raise Unread(f"its {what} claims {span.size:,} bytes")
    content = span.raw(0, span.size)
    span.work.spend(sum(cost * content.count(sign) for sign, cost in _COSTS.items()))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damage(f"its {what} is not JSON ({error})") from error


def as_dict(value: object) -> dict[str, object]:
    """`value` when it is an object, else an empty one: the caller notices what it misses."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """`value` when it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """`value` when it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def as_size(value: object) -> int:
    """`value` when it is an integer of at least 0, else 0.

    Raises:
        Damage: it has more than 63 bits.
    """
    size = value if isinstance(value, int) and value >= 0 else 0
    if size > MOST_ELEMENTS:
        raise Damage(f"it has a size or a place of more than {MOST_ELEMENTS:,}")
    return size
