"""Sizes of the pictures of a manifest, from their headers."""

from latelier.data.manifest.manifest import Manifest, ManifestBuilder
from latelier.data.pictures import UnusableError, read_size


def measure_pictures(manifest: Manifest) -> Manifest:
    """Return a manifest with the width and height of every picture.

    Pictures whose header cannot be read are skipped. Known sizes are not read again.

    Raises:
        DataError: no picture is left.
    """
    if manifest.sizes.all():
        return manifest
    builder = ManifestBuilder(manifest.origin, manifest.root, manifest.header)
    for skipped in manifest.skipped:
        builder.skip(skipped.name, skipped.reason)
    for record in manifest:
        if record.width and record.height:
            builder.add(record)
            continue
        try:
            width, height = read_size(manifest.root, record)
        except UnusableError as error:
            builder.skip(record.name, str(error))
        else:
            builder.add(record.model_copy(update={"width": width, "height": height}))
    return builder.build()
