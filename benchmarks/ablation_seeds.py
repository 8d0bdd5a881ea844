"""What each piece of DeepLabv3+ buys, and what it costs: heads and output strides on one backbone, trained out.

    python benchmarks/ablation_seeds.py data/results/ablation_seeds.json 0 1 2 3 4
    python data/make_sums.py

People: 600 steps of 8 crops of 320 pixels, from the 122 photographs that are there to train on; judged on the 50 of
`test` at their own size. Scenes: as many steps on 1,600 scenes of 320 pixels; judged on 96 of the held-out style.
Everything is aligned. ASPP's rates reach over the share of the map that the paper's do: 6, 12, 18 at 513 pixels are
4, 8, 12 at 320, and twice that at output stride 8.

`iou` of "person", or mIoU of scenes, in percent; `by_size` over photographs with a small, medium or large person;
`near` within a few pixels of an outline. Of seed 2 the masks of three photographs are kept, side by side, in
`data/results/ablation_....png`. "asked at ..." runs train nothing: the shipped network, trained at output stride 16,
answers at another one. "cost: ..." runs need the computer for themselves: seconds of a training step and of an answer
to one photograph, peak memory of a process that takes a few steps. Neither depends on the seed.

A run takes 7 to 40 minutes on one core; on a GPU, which it takes if there is one, two or three. Where glibc manages
memory (Linux), a third of the time is memory given back and asked for again; MALLOC_MMAP_MAX_=0
MALLOC_TRIM_THRESHOLD_=20000000000 before the command saves it.
"""

import multiprocessing
import resource
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from seeds import answers, collect, percent, person, train

from deeplab_teach.checkpoint import load_model
from deeplab_teach.cost import count
from deeplab_teach.data_files import atomic_write
from deeplab_teach.datasets import EmojiScenes, People, segmentation_transforms
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.metrics import confusion_matrix, mean_iou, trimap_target
from deeplab_teach.models import build_model
from deeplab_teach.predict import predict_mask
from deeplab_teach.speed import seconds
from deeplab_teach.weights import load_weights

SIZE = 320
EPOCHS = 40  # of the 122 photographs: 600 steps
WIDTHS = (1, 2, 4, 8)
LIMITS = (72, 100)  # between small, medium and large: the square root of a person's area, in pixels
RATES = {16: (4, 8, 12), 8: (8, 16, 24)}
PICTURED_SEED, PICTURED = 2, (161875, 239537, 547336)
PIECES = [("fcn", 32), ("fcn", 16), ("deeplabv3", 16), ("deeplabv3plus", 16), ("fcn", 8), ("deeplabv3plus", 8)]
PEOPLE = {f"{head} at {stride}": (head, stride) for head, stride in PIECES}
SCENES = {f"scenes: {head} at {stride}": (head, stride) for head, stride in PIECES[1:5]}
# Which part of DeepLabv3+ does it: its decoder without the early map, which is all zeros, or ASPP without its windows.
CONTROLS = {f"deeplabv3plus at 16 without {part}": ("deeplabv3plus", 16, part) for part in ("c2", "rates")}
ASKED = {f"asked at {stride}": stride for stride in (32, 16, 8)}
COSTS = {f"cost: {name}": piece for name, piece in PEOPLE.items()}


def model_of(piece, num_classes):
    head, output_stride, *without = piece
    options = {"channels": 96} | ({} if head == "fcn" else {"atrous_rates": RATES[output_stride]})
    if "rates" in without:
        options["atrous_rates"] = ()
    model = build_model("mobilenet_v2", head, num_classes, output_stride=output_stride, aligned=True, **options)
    if "c2" in without:
        model.head.low_level_project.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    return model


def trained(piece, seed, dataset, epochs):
    torch.manual_seed(seed)
    model = model_of(piece, len(dataset.classes))
    load_weights(model.backbone)
    train(model, dataset, epochs=epochs, lr_backbone=3e-4, lr_head=3e-3, seed=seed)
    return model


def on_people(piece, seed):
    people = People("yours+train", transforms=segmentation_transforms(SIZE))
    results, masks = judged(trained(piece, seed, people, EPOCHS))
    if seed == PICTURED_SEED and piece in PIECES:
        keep([masks[number] for number in PICTURED], "_at_".join(map(str, piece)))
    return results


def asked(output_stride):
    """The course's own DeepLabv3+, trained at output stride 16, asked at another one, its rates with it."""
    trained_at_16, recipe = load_model("people_deeplabv3plus_mobilenet_v2")
    rates = [rate * 16 // output_stride for rate in recipe["model"]["atrous_rates"]]
    model = build_model(**recipe["model"] | {"output_stride": output_stride, "atrous_rates": rates})
    model.load_state_dict(trained_at_16.state_dict())
    return judged(model)[0]


def judged(model):
    """Results on the photographs of `test`, at their own size, and the mask of each."""
    test, sizes, near, masks = People("test"), torch.zeros(3, 2, 2), dict.fromkeys(WIDTHS, torch.zeros(2, 2)), {}
    for photograph, (picture, target) in zip(test.images, test, strict=True):
        mask, truth = predict_mask(model, picture[None] / 255)[0].cpu(), target["semantic"]
        masks[photograph["id"]] = mask
        size = (truth == 1).sum().item() ** 0.5
        sizes[sum(size >= limit for limit in LIMITS)] += confusion_matrix(mask, truth, 2)
        for width in WIDTHS:
            near[width] = near[width] + confusion_matrix(mask, trimap_target(truth, width), 2)
    results = {
        "iou": person(sizes.sum(dim=0)),
        "miou": round(100 * mean_iou(sizes.sum(dim=0)), 1),
        "by_size": [person(confusion) for confusion in sizes],
        "near": {width: person(confusion) for width, confusion in near.items()},
    }
    return results, masks


def keep(masks, name):
    """Masks of photographs side by side, those that are lower filled up with background."""
    height = max(mask.shape[0] for mask in masks)
    sheet = torch.cat([F.pad(mask.bool(), (0, 0, 0, height - mask.shape[0])) for mask in masks], dim=1)
    with atomic_write(Path("data/results", f"ablation_{name}.png")) as temporary:
        Image.fromarray(sheet.numpy()).save(temporary, format="png", optimize=True)


def on_scenes(piece, seed):
    model = trained(piece, seed, EmojiScenes(1600, size=SIZE, seed=seed), 3)
    masks, truth = answers(model, "test", size=SIZE)
    near = {width: percent(masks, trimap_target(truth, width)) for width in WIDTHS}
    return {"iou": percent(masks, truth), "near": near}


def cost(piece):
    """In a process of its own, so that its peak memory is that of this model alone."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measured, (piece,))


def measured(piece):
    model = model_of(piece, 2)
    multiply_adds = count(model, (SIZE, SIZE)).multiply_adds
    optimizer = torch.optim.AdamW(model.to(memory_format=torch.channels_last).parameters())
    images, labels = torch.rand(8, 3, SIZE, SIZE), torch.zeros(8, SIZE, SIZE, dtype=torch.long)
    answer = seconds({"answer": model}, images[:1], rounds=10)["answer"]
    memory = {"answer_mib": peak()}
    model.train()

    def step():
        optimizer.zero_grad()
        segmentation_loss(model(images), labels).backward()
        optimizer.step()

    steps = [timed(step) for _ in range(6)]
    taken = {"answer_s": round(answer, 3), "step_s": round(statistics.median(steps[2:]), 3)}
    return {"multiply_adds": round(multiply_adds / 1e9, 2)} | taken | memory | {"step_mib": peak()}


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def one_run(name, seed):
    if name in COSTS:
        return cost(COSTS[name])
    if name in ASKED:
        return asked(ASKED[name])
    if name in SCENES:
        return on_scenes(SCENES[name], seed)
    return on_people((PEOPLE | CONTROLS)[name], seed)


if __name__ == "__main__":
    collect(__doc__, PEOPLE | CONTROLS | SCENES | ASKED | COSTS, one_run)
