"""torchmetrics' CLIP score, of a CLIP in a folder in the format of transformers."""


class Tensors:
    """A model that returns tensors, as torchmetrics expects, where transformers 5 has outputs."""

    def __init__(self, model):
        self.model, self.config = model, model.config

    def to(self, device):
        return self

    def get_image_features(self, pixels):
        return self.model.get_image_features(pixel_values=pixels).pooler_output

    def get_text_features(self, ids, mask):
        return self.model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output


def hide_stub():
    """Let transformers find no torchvision: the stub lacks most names that it imports."""
    from transformers import utils

    for module in (utils, utils.import_utils):
        module.is_torchvision_available = lambda: False


def clip_score(folder, side, images, prompts):
    hide_stub()
    import torch
    from torchmetrics.functional.multimodal import clip_score
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    process = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )

    def processor(text=None, images=None, **options):
        if text is not None:
            return tokenizer(text, **options)
        pictures = [image.permute(1, 2, 0).numpy() for image in images]
        return process(images=pictures, input_data_format="channels_last", return_tensors="pt")

    model = Tensors(CLIPModel.from_pretrained(folder))
    with torch.no_grad():
        return float(clip_score(images, prompts, lambda: (model, processor)))
