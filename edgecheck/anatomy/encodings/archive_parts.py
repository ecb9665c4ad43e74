"""Enters what a zip archive is made of besides its members' contents, and the members that hold no weights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import DEFLATED, STORED, Archive, Member, read_archive
from edgecheck.anatomy.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecheck.anatomy.accounting.region import Region

_HEADERS = Label(Kind.STRUCTURE, "archive headers")
_DIRECTORY = Label(Kind.STRUCTURE, "archive directory")
_COMMENT = Label(Kind.METADATA, "archive comment")
_PADDING = Label(Kind.PADDING, "alignment")


def enter_archive(region: Region) -> Archive:
    """The archive in a region; its headers, its directory and its filling are entered, its contents are not."""
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
    """The contents of a member; those of a deflated one are entered by their share of its bytes.

    Raises:
        Damage: it is compressed in a way that is not read here, or has not the size that the directory claims.
    """
    if member.method == STORED:
        yield region.sub(member.start, member.packed)
    elif member.method == DEFLATED:
        with region.unpacked(member.start, member.packed, "deflate") as content:
            if content.span.size != member.size:
                raise Damage(f"its member {member.name!r} is not of the size that the archive claims")
            yield content
    else:
        raise Damage(f"its member {member.name!r} is compressed by method {member.method}")


def enter_member(region: Region, member: Member, label: Label) -> None:
    """Enter a member's contents whole."""
    region.claim(member.start, member.packed, label)
