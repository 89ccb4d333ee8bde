"""The `info` of A1111's answers: how pictures were made, as all of its clients read it."""

import json
import time
from typing import Any

from latelier.provenance.settings import format_infotext

from latelier_server.jobs.job import ServerJob

VERSION = "latelier"


def describe_info(job: ServerJob, fields: dict[str, Any], request: dict[str, Any]) -> str:
    """Return the JSON of `info`.

    Args:
        job: has ended.
        fields: of the client's request.
        request: as it ran, from the provenance.
    """
    seeds = [picture.seed for picture in job.pictures]
    count, size = len(seeds), (job.pictures[0].width, job.pictures[0].height)
    prompt = fields.get("prompt") or ""
    negative = fields.get("negative_prompt") or ""
    guidance = request["guidance"]["options"].get("scale", 1.0)
    sampler = request["sampler"]["name"].rpartition("/")[2]
    texts = [format_infotext(prompt, negative, request, seed, size, job.model) for seed in seeds]
    info = {
        "prompt": prompt,
        "all_prompts": [prompt] * count,
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * count,
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": seeds[0],
        "all_subseeds": seeds,
        "subseed_strength": 0,
        "width": size[0],
        "height": size[1],
        "sampler_name": sampler,
        "cfg_scale": guidance,
        "steps": request["steps"],
        "batch_size": count,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": job.model,
        "sd_model_hash": "",
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": request.get("strength") or 0,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": texts,
        "styles": [],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.gmtime(job.created)),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": VERSION,
    }
    return json.dumps(info)
