"""Writes the HDF5 files beside it; run it with h5py installed. The tests read them without h5py.

python tests/anatomy/data/make_hdf5.py
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
VALUES = np.arange(400, dtype="<f4").reshape(20, 20)


def main() -> None:
    """Two files: as HDF5 has always written them, and as its newest version does."""
    with h5py.File(HERE / "classic.h5", "w") as file:
        file.create_dataset("packed", data=VALUES, chunks=(5, 20), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("chunked", data=VALUES, chunks=(7, 20))
        file.create_dataset("compact", data=np.arange(4, dtype="<i2"), track_times=False)
        file.create_dataset("swapped", data=np.arange(4, dtype=">f8"))
        file.create_dataset("words", data=["ham", "spam"], dtype=h5py.string_dtype())
        file.create_dataset("truth", data=[True, False, True])
        file.create_dataset("never written", shape=(1000, 1000))
        file["again"] = file["chunked"]
        file["soft"] = h5py.SoftLink("/packed")
        layer = file.create_group("layers/dense/vars")
        layer.attrs["name"] = "head"
        layer.create_dataset("0", data=VALUES[:2])
        file.attrs["fixed"] = np.bytes_("a text of a fixed length")
        file.attrs["keras_version"] = "3"
    with h5py.File(HERE / "latest.h5", "w", libver="latest") as file:
        file.create_dataset("whole", data=VALUES)
        file.create_dataset("single", data=VALUES, chunks=VALUES.shape)
        file.create_dataset("packed", data=VALUES, chunks=VALUES.shape, compression="gzip")
        for number in range(4):
            file.create_dataset(f"group/{number}", data=VALUES[number])
        file["group"].attrs["name"] = "named"
    with h5py.File(HERE / "ordered.h5", "w", track_order=True) as file:
        for number in range(12):
            file.create_dataset(str(number), data=VALUES[number])


if __name__ == "__main__":
    main()
