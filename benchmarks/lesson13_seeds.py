"""The runs of lesson 13 over several seeds: leaking splits, a new first convolution, and planted faults.

    python benchmarks/lesson13_seeds.py data/results/lesson13_seeds.json 0 1 2 3 4
    python data/make_sums.py

"by shot" and "by photograph": of each of the 60 photographs "yours" two shots, as if taken one after the other; a fifth
of the shots is kept for judging, drawn as they come, or whole photographs. IoU of "person" on what was kept, and on the
50 photographs of `test`, which nobody has seen, in percent.

"in colour", "grey, added up", "grey, at random": the first convolution as published, with its slices added up for one
channel, and with random weights for one channel; trained on the 60 photographs, judged on the same 50, all in colour or
all in grey.

The other runs train what `Tutorial` makes, sound or with one fault, on 1600 scenes, once each; mIoU on 96 scenes of a
style that was held out, with labels as they are, all classes and background counted, and once without background.
"one scene" and "one scene, norms frozen" are controls of the fault "batch norm": an eighth of the rates, for batches of
an eighth; in the one the norms measure the scene, in the other they stay as they are.
"""

import torch
from seeds import collect, person, train
from torch import nn
from torch.utils.data import Dataset
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as T

from deeplab_teach.backbones import mobilenet_v2, with_input_channels
from deeplab_teach.check.planted import FAULTS, Tutorial
from deeplab_teach.datasets import LESSON_CLASSES, EmojiScenes, People, segmentation_transforms
from deeplab_teach.losses import segmentation_loss
from deeplab_teach.metrics import confusion_matrix, iou
from deeplab_teach.models import build_model
from deeplab_teach.training import dataset_confusion, freeze_batch_norm, parameter_groups
from deeplab_teach.training.rates import falling
from deeplab_teach.weights import load_weights

SPLITS = ("by shot", "by photograph")
FIRST_LAYERS = ("in colour", "grey, added up", "grey, at random")
TRAINED = [fault for fault in FAULTS if fault != "background"]  # which changes the score alone
CONTROLS = ("one scene", "one scene, norms frozen")
IMAGES, SIZE, DRAWN = 1600, 160, 240


class Shots(Dataset):
    """Two shots of each photograph: crops that overlap by most of their area, one a little lighter."""

    classes = ("background", "person")

    def __init__(self, photographs, numbers, transforms=None):
        self.photographs, self.numbers, self.transforms = photographs, numbers, transforms

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, i):
        photograph, shot = divmod(self.numbers[i], 2)
        image, target = self.photographs[photograph]
        height, width = (round(0.9 * side) for side in image.shape[-2:])
        corner = [shot * (full - side) for full, side in zip(image.shape[-2:], (height, width), strict=True)]
        image = T.adjust_brightness(T.crop(image, *corner, height, width), 1.0 + 0.15 * shot)
        target = {"semantic": T.crop(target["semantic"], *corner, height, width)}
        return (image, target) if self.transforms is None else self.transforms(image, target)


def untaught(seed):
    """The model for people, before it has seen any."""
    torch.manual_seed(seed)
    model = build_model("mobilenet_v2", "fcn", 2, output_stride=16, aligned=True)
    load_weights(model.backbone)
    return model


def teach(model, photographs, seed):
    train(model, photographs, epochs=16, seed=seed)


def leak(how, seed):
    photographs = list(People("yours"))
    generator = torch.Generator().manual_seed(seed)
    if how == "by shot":
        kept = torch.randperm(2 * len(photographs), generator=generator)[: 2 * len(photographs) // 5].tolist()
    else:
        chosen = torch.randperm(len(photographs), generator=generator)[: len(photographs) // 5].tolist()
        kept = [2 * number + shot for number in chosen for shot in (0, 1)]
    taught = [number for number in range(2 * len(photographs)) if number not in kept]
    model = untaught(seed)
    teach(model, Shots(photographs, taught, segmentation_transforms(192)), seed)
    return {
        "kept": person(dataset_confusion(model, Shots(photographs, kept))),
        "test": person(dataset_confusion(model, People("test"))),
    }


def first_layer(kind, seed):
    model, views = untaught(seed), segmentation_transforms(192)
    seen = v2.Identity() if kind == "in colour" else v2.Grayscale()
    if kind != "in colour":
        model.backbone = with_input_channels(model.backbone, 1)
    if kind == "grey, at random":
        weight = model.backbone.features[0][0].weight
        nn.init.normal_(weight, std=weight.std().item())
    teach(model, People("yours", transforms=v2.Compose([views, seen])), seed)
    return {"test": person(dataset_confusion(model, People("test", transforms=seen)))}


def pretrained(output_stride):
    return load_weights(mobilenet_v2(output_stride=output_stride))


def faulty(fault, seed):
    torch.manual_seed(seed)
    faults = (fault,) if fault in FAULTS else ()
    tutorial = Tutorial(faults, make_backbone=pretrained, num_classes=len(LESSON_CLASSES), size=SIZE)
    model, batch_size = tutorial.model, tutorial.batch_size
    highest = [6e-4, 3e-3]
    if fault in CONTROLS:
        highest = [rate / batch_size for rate in highest]
        batch_size = 1
    if fault == "one scene, norms frozen":
        freeze_batch_norm(model)
    scenes = EmojiScenes(IMAGES, seed=seed, size=DRAWN)
    steps = IMAGES // batch_size
    optimizer = torch.optim.AdamW(parameter_groups(model, *highest), weight_decay=0.01)
    rates = falling("one_cycle", optimizer, highest, steps)
    order = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(seed)).tolist()
    for step in range(steps):
        batch = [scenes[i] for i in order[step * batch_size : (step + 1) * batch_size]]
        pairs = [tutorial.prepare(image, target["semantic"]) for image, target in batch]
        images, labels = (torch.stack(each) for each in zip(*pairs, strict=True))
        loss = segmentation_loss(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
    model.eval()
    sound, confusion = Tutorial(size=SIZE), 0
    held_out = EmojiScenes(96, split="test", size=DRAWN)
    with torch.inference_mode():
        for image, target in held_out:
            x, _ = tutorial.prepare(image, target["semantic"])
            labels = sound.prepare(image, target["semantic"])[1]
            confusion = confusion + confusion_matrix(model(x[None]).argmax(dim=1), labels[None], len(LESSON_CLASSES))
    each = 100 * iou(confusion)
    return {"miou": round(each.nanmean().item(), 1), "without background": round(each[1:].nanmean().item(), 1)}


def one_run(name, seed):
    if name in SPLITS:
        return leak(name, seed)
    return first_layer(name, seed) if name in FIRST_LAYERS else faulty(name, seed)


if __name__ == "__main__":
    collect(__doc__, (*SPLITS, *FIRST_LAYERS, "sound", *TRAINED, *CONTROLS), one_run)
