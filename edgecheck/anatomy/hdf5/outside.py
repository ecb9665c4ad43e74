"""What in an HDF5 file leads to other files: external links, datasets whose numbers are elsewhere, virtual datasets.

HDF5 File Format Specification 3.0, sections IV.A.2.g (links), IV.A.2.h (external data files) and IV.A.2.i (layouts)
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.anatomy.accounting.limits import RECORD, cut
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.hdf5.groups import foreign_links, group_entries
from edgecheck.anatomy.hdf5.headers import EXTERNAL, H5, LAYOUT, Message, read_header

#: The layout class of a dataset that is put together from others.
_VIRTUAL = 3
#: The first version of the layout message that has this class; its class is next to the version.
_LAYOUT_4 = 4


def leads_outside(region: Region) -> Iterator[str]:
    """Each link and dataset of an HDF5 file that would make the library open another file, in words.

    Raises:
        Damage: the file is broken.
        Unread: a group keeps its links in a heap, which is not read here.
    """
    h5 = H5(region)
    waiting, seen = [("", h5.root)], {h5.root}
    while waiting:
        path, address = waiting.pop()
        messages = read_header(h5, address)
        yield from (f"the link {cut(f'{path}/{name}')}" for name in foreign_links(h5, messages))
        if how := _elsewhere(h5, messages):
            yield f"the {how} dataset {cut(path)}"
        for name, member in group_entries(h5, messages):
            if member not in seen:
                seen.add(member)
                h5.span.work.spend(2 * RECORD + len(path) + len(name))
                waiting.append((f"{path}/{name}", member))


def _elsewhere(h5: H5, messages: list[Message]) -> str:
    """How a dataset's numbers are in other files; empty if they are in this one, or it is not a dataset."""
    for message in messages:
        if message.kind == EXTERNAL:
            return "external"
        if message.kind == LAYOUT and h5.span.u8(message.at) >= _LAYOUT_4 and h5.span.u8(message.at + 1) == _VIRTUAL:
            return "virtual"
    return ""
