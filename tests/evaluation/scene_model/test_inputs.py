from latelier.data.emoji_scenes import SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scene_model.inputs import give_numbers
from latelier.evaluation.scenes import read_scenes


def test_numbers_are_those_of_the_drawings_and_the_prompts_call_them_by_their_slots() -> None:
    config = SceneConfig(vocabulary="all", objects=(2, 3), slots=True, repeated=1.0)
    scenes = read_scenes(EmojiScenes(config, seed=3, length=4))
    given = give_numbers(scenes)
    for scene, prompt, reference in zip(scenes, given["prompt"], given["reference"], strict=True):
        assert reference["pictures"] == [each.glyph.index for each in scene.objects]
        assert len(set(reference["pictures"])) < len(scene.objects)
        assert all(f"#{slot}" in prompt for slot in range(1, len(scene.objects) + 1))
