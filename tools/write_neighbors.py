"""Write a manifest whose pictures have the embeddings of their nearest ones, as "neighbors".

For retrieval-augmented training (configs/recipes/retrieval.yaml). Built-in scenes are drawn into
the folder and described by the scene detector. Pictures of other data sets need embeddings of
another network, such as CLIP's: a row for each picture, in the order of `latelier data index`.

python tools/write_neighbors.py runs/neighbors --scenes 4000
python tools/write_neighbors.py runs/neighbors --data my-pictures --embeddings clip.npy
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.emoji_scenes import vocabulary
from latelier.data.emoji_scenes.config import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.data.manifest.manifest import Manifest, ManifestBuilder, write_manifest
from latelier.data.manifest.record import Caption, Header, Record
from latelier.evaluation.detector.reading import read_pictures
from latelier.evaluation.scenes import read_batches, to_images
from latelier.metrics.scene_detector import load_detector

MANIFEST = "manifest.jsonl"


def main() -> None:
    arguments = parse_arguments()
    if arguments.data is None:
        print(write_scenes(arguments.out, arguments.scenes, (), arguments.neighbors))
        return
    manifest = open_manifest(arguments.data)
    embeddings = torch.from_numpy(np.load(arguments.embeddings, allow_pickle=False)).float()
    print(write(add_neighbors(manifest, embeddings, arguments.neighbors), arguments.out))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder of the manifest")
    parser.add_argument("--scenes", type=int, default=4000, help="number of built-in scenes")
    parser.add_argument("--data", type=Path, help="a data set, instead of scenes")
    parser.add_argument("--embeddings", type=Path, help=".npy file (pictures, width) for --data")
    parser.add_argument("--neighbors", type=int, default=4, help="for each picture")
    arguments = parser.parse_args()
    if (arguments.data is None) != (arguments.embeddings is None):
        parser.error("--data and --embeddings go together")
    return arguments


def write_scenes(
    out: Path, count: int, glyphs: tuple[str, ...] = (), neighbors: int = 4, size: int = 64
) -> Path:
    """Write scenes of these objects, or of all, and their manifest; return its path."""
    scenes = EmojiScenes(SceneConfig(glyphs=glyphs, size=size), length=count)
    out.mkdir(parents=True, exist_ok=True)
    return write(add_neighbors(draw_scenes(scenes, out), embed_scenes(scenes), neighbors), out)


def write(manifest: Manifest, out: Path) -> Path:
    """Write a manifest into a folder; return its path."""
    out.mkdir(parents=True, exist_ok=True)
    write_manifest(manifest, out / MANIFEST)
    return out / MANIFEST


def draw_scenes(scenes: EmojiScenes, folder: Path) -> Manifest:
    """Write the scenes as PNG files, and return their manifest, with captions and classes."""
    names = tuple(glyph.name for glyph in vocabulary(scenes.config.vocabulary))
    builder = ManifestBuilder(str(folder), folder.absolute(), Header(class_names=names))
    for number in range(len(scenes)):
        scene, file = scenes.scene(number), f"{number:06}.png"
        Image.fromarray(scene.image).save(folder / file)
        caption = Caption(text=scene.caption)
        builder.add(Record(file=file, captions=(caption,), class_label=scene.class_id))
    return builder.build()


@torch.no_grad()
def embed_scenes(scenes: EmojiScenes) -> Tensor:
    """Return the features of the scene detector, (N, 192)."""
    detector = load_detector()
    batches = read_batches(scenes, 256)
    return torch.cat([read_pictures(detector, to_images(batch)).features for batch in batches])


def add_neighbors(manifest: Manifest, embeddings: Tensor, count: int) -> Manifest:
    """Return the manifest with the embeddings of the `count` nearest other pictures.

    Near are pictures whose embeddings have a similar direction.

    Raises:
        DataError: there is not an embedding for each picture, or there are too few pictures.
    """
    if embeddings.ndim != 2 or len(embeddings) != len(manifest):
        raise DataError(
            f"expected embeddings ({len(manifest)}, width), a row for each picture, got "
            f"{tuple(embeddings.shape)}"
        )
    if len(manifest) <= count:
        raise DataError(f"expected more than {count} pictures, got {len(manifest)}")
    unit = torch.nn.functional.normalize(embeddings, dim=1)
    builder = ManifestBuilder(manifest.origin, manifest.root, manifest.header)
    for number, record in enumerate(manifest):
        similarity = unit @ unit[number]
        similarity[number] = -torch.inf
        nearest = unit[similarity.topk(count).indices]
        vectors = [[round(value, 5) for value in row] for row in nearest.tolist()]
        builder.add(record.model_copy(update={"fields": {**record.fields, "neighbors": vectors}}))
    return builder.build()


if __name__ == "__main__":
    main()
