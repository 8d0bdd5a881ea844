"""The runs of lesson 11 over several seeds: how many photographs, what is frozen, at which rates, with which help.

    python benchmarks/lesson11_seeds.py data/results/lesson11_seeds.json 0 1 2 3 4
    python data/make_sums.py

Most runs train an FCN at output stride 16 on MobileNetV2, 300 steps of 8 crops of photographs of people, whatever their
number; another seed draws other photographs. IoU of "person" on the 50 photographs of `test`, in percent, everywhere
and within 2 pixels of an outline. `moved`: how far the backbone's running averages went, as a share of their own size.

"four heads" trains those of section 1 on maps that were kept; "careless" then lets batches through the backbone, as in
section 3; "probes" asks each stage, as in section 6, with another half of the photographs for each seed.
"""

import copy
import functools

import torch
from seeds import collect, person, train
from torch.utils.data import Subset
from torchvision.transforms import v2

from deeplab_teach.backbones import mobilenet_v2
from deeplab_teach.datasets import People, detection_transforms, segmentation_collate, segmentation_transforms
from deeplab_teach.heads import FCNHead, FCOSHead, LinearHead
from deeplab_teach.losses import fcos_loss, segmentation_loss
from deeplab_teach.metrics import iou
from deeplab_teach.models import Detector, SegmentationModel, build_model, imagenet_classifier
from deeplab_teach.necks import FPN
from deeplab_teach.predict import predict_classes, predict_mask
from deeplab_teach.training import dataset_confusion, evaluate_boxes, freeze, linear_probe, mean_recall
from deeplab_teach.weights import load_weights

STEPS, BATCH = 300, 8
SIZES = (20, 80, 122)
# Of each run: what is done, and with how many photographs.
RUNS = {f"{how}, {count}": (how, count) for count in SIZES for how in ("scratch", "frozen", "fine-tuned")}
RUNS |= {f"{how}, 80": (how, 80) for how in ("same rate", "all gentle", "a hundredth", "norms moving")}
RUNS |= {f"{how}, {count}": (how, count) for count in (20, 122) for how in ("auxiliary", "frozen c4")}
GENTLE, USUAL = 6e-4, 3e-3
RATES = {"same rate": (USUAL, USUAL), "all gentle": (GENTLE, GENTLE), "a hundredth": (USUAL / 100, USUAL)}


def averages(backbone):
    return {key: value.cpu().clone() for key, value in backbone.state_dict().items() if "running" in key}


def photographs(count, seed):
    """`count` of the 122, drawn by `seed`, cropped for training."""
    people = People("yours+train", transforms=segmentation_transforms(224))
    chosen = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    part = Subset(people, chosen)
    part.classes = people.classes
    return part


def trained(name, seed):
    how, count = RUNS[name]
    torch.manual_seed(seed)
    auxiliary = "c4" if how == "auxiliary" else None
    deep = "c4" if how == "frozen c4" else "c5"
    model = build_model("mobilenet_v2", "fcn", 2, output_stride=16, aligned=True, auxiliary=auxiliary, deep=deep)
    if how != "scratch":
        load_weights(model.backbone)
    if how.startswith("frozen"):
        freeze(model, ["backbone"])
    if how == "norms moving":  # no gradient either, but in training mode: each batch moves the running averages
        model.backbone.requires_grad_(False)
    before = averages(model.backbone)
    of_backbone, of_head = RATES.get(how, (GENTLE, USUAL))
    part, epochs = photographs(count, seed), round(STEPS / (count // BATCH))
    train(model, part, epochs=epochs, lr_backbone=of_backbone, lr_head=of_head, seed=seed)
    after = averages(model.backbone)
    moved = sum((after[k] - before[k]).abs().sum() for k in before) / sum(before[k].abs().sum() for k in before)
    test = People("test")
    whole, near = (person(dataset_confusion(model, test, trimap_width=width)) for width in (None, 2))
    row = {"person": whole, "near": near}
    return row | ({} if how == "scratch" else {"moved": round(moved.item(), 3)})


def thirds(target):
    """0, 1, 2: upper, middle, lower third of a person's box; 255 where no person is."""
    person = target["masks"].bool().any(dim=0)
    labels = torch.full(person.shape, 255)
    for top, bottom in target["boxes"][:, 1::2].tolist():
        share = (torch.arange(len(labels)) + 0.5 - top) / (bottom - top)
        labels = torch.where(person, (3 * share).long().clamp(0, 2)[:, None], labels)
    return labels


@functools.cache
def taught(seed):
    """The classifier and the three models of section 1, on one backbone."""
    torch.manual_seed(seed)
    classifier = load_weights(imagenet_classifier("mobilenet_v2"))
    backbone = classifier.backbone
    mask = SegmentationModel(backbone, FCNHead(backbone.feature_specs, 2, deep="c4"), aligned=True)
    third = SegmentationModel(backbone, LinearHead(backbone.feature_specs, 3, deep="c4"), aligned=True)
    fpn = FPN(backbone, keys=("c3", "c4", "c5"), out_channels=32, extra="convs")
    boxes = Detector(fpn, FCOSHead(fpn.feature_specs, 2, depth=2))
    freeze(classifier, ["backbone", "head"])
    people = People("yours+train", transforms=detection_transforms(320, scale=(0.75, 1.5)))
    kept, targets = {"c3": [], "c4": [], "c5": []}, []
    with torch.inference_mode():
        for picture, target in [*people, *people]:  # other crops the second time
            features = backbone(backbone.normalize(picture[None] / 255))
            for key in kept:
                kept[key].append(features[key])
            targets.append({**target, "third": thirds(target)})
    kept = {key: torch.cat(maps).clone() for key, maps in kept.items()}
    labels = torch.stack([target["third"] for target in targets])
    losses = (
        (mask, lambda scores, chosen: segmentation_loss(scores, (labels[chosen] < 255).long())),
        (third, lambda scores, chosen: segmentation_loss(scores, labels[chosen])),
        (boxes, lambda answers, chosen: sum(fcos_loss(answers, [targets[i] for i in chosen.tolist()]).values())),
    )
    for model, loss in losses:
        teach(model, loss, kept, seed)
    return classifier, mask, third, boxes


def teach(model, loss, kept, seed):
    learning = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    drawn = torch.Generator().manual_seed(seed)
    model.head.train()
    for _ in range(STEPS):
        chosen = torch.randint(len(kept["c4"]), (BATCH,), generator=drawn)
        maps = {key: value[chosen] for key, value in kept.items()}
        if isinstance(model.backbone, FPN):
            maps = model.backbone.pyramid(maps, (320, 320))
        optimizer.zero_grad()
        loss(model.answer(maps, (320, 320)), chosen).backward()
        optimizer.step()
        rate.step()
    model.eval()


def four_heads(seed):
    _, mask, third, boxes = taught(seed)
    test, said, true = People("test"), [], []
    for picture, target in test:
        labels = thirds(target)
        said.append(predict_mask(third, picture[None] / 255)[0][labels < 255])
        true.append(labels[labels < 255])
    scores = {"mask": iou(dataset_confusion(mask, test))[1].item(), "boxes": evaluate_boxes(boxes, test)}
    scores["third"] = mean_recall(torch.cat(said), torch.cat(true), 3)
    return {key: round(100 * value, 1) for key, value in scores.items()}


def careless(seed):
    """What 40 batches in training mode do to heads that rely on the backbone."""
    classifier, mask, _, _ = taught(seed)
    backbone, test, row = classifier.backbone, People("test"), {}
    before = copy.deepcopy(backbone.state_dict())
    photos = People("yours+train", transforms=segmentation_transforms(224))

    def named(turn=lambda picture: picture):
        return [predict_classes(classifier, turn(picture / 255), top=1)[0][0] for picture, _ in test]

    def score():
        return person(dataset_confusion(mask, test))

    def others(names):
        return sum(a != b for a, b in zip(names, at_first, strict=True))

    at_first, row["mask before"] = named(), score()
    row["mirrored"] = others(named(lambda picture: picture.flip(-1)))
    for size in (8, 2):
        backbone.load_state_dict(before)
        drawn = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        backbone.train()
        with torch.no_grad():
            for _ in range(40):
                chosen = torch.randint(len(photos), (size,), generator=drawn).tolist()
                pictures, _ = segmentation_collate([photos[i] for i in chosen])
                backbone(backbone.normalize(pictures))
        backbone.eval()
        row[f"other class, {size}"] = others(named())
        row[f"mask after, {size}"] = score()
    backbone.load_state_dict(before)
    return row


EVERY = 32  # pixels from one place that is asked about to the next: there each map has a place of its own


@torch.inference_mode()
def places(backbone, dataset, upside_down=False):
    """What each stage says at places that all maps share, and what is there."""
    grid = slice(EVERY, None, EVERY)
    read, truth = {key: [] for key in (*backbone.feature_specs, "place")}, {"edge": [], "person": [], "third": []}
    for picture, target in dataset:
        picture, labels = picture.as_subclass(torch.Tensor) / 255, thirds(target)
        if upside_down:
            picture, labels = picture.flip(1), labels.flip(0)
        change = torch.stack(torch.gradient(picture.mean(dim=0))).norm(dim=0)
        values = {"edge": (change > 0.05).long(), "person": (labels < 255).long(), "third": labels}
        for question, value in values.items():
            truth[question].append(value[grid, grid].flatten())
        for key, value in backbone(backbone.normalize(picture[None])).items():
            step = EVERY // backbone.feature_specs[key].stride
            read[key].append(value[0, :, step::step, step::step].flatten(1).T)
        y, x = torch.meshgrid(*(torch.linspace(0, 1, side) for side in labels.shape), indexing="ij")
        read["place"].append(torch.stack([y, x, y * y, x * x, x * y], dim=-1)[grid, grid].flatten(0, 1))
    return ({key: torch.cat(value) for key, value in table.items()} for table in (read, truth))


def untrained(people, padding="zeros"):
    """A backbone with random weights, whose running averages fit them."""
    backbone = mobilenet_v2(output_stride=32).train()
    for module in backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = padding
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches: at 0.1 eight of them would leave 43 % of the start
    with torch.no_grad():
        for start in range(0, 32, 4):
            pictures = [v2.functional.resize(people[i][0], [224, 224]) for i in range(start, start + 4)]
            backbone(backbone.normalize(torch.stack(pictures) / 255))
    return backbone.eval()


def probes(seed):
    torch.manual_seed(seed)
    people, test = People("yours+train"), People("test")
    half = Subset(people, torch.randperm(len(people))[: len(people) // 2].tolist())
    backbones = {"trained": load_weights(mobilenet_v2(output_stride=32)).eval(), "untrained": untrained(people)}
    backbones["untrained, circular"] = untrained(people, "circular")
    row = {}
    for name, backbone in backbones.items():
        seen, known = places(backbone, half)
        for turn, upside_down in (("", False), (", turned", True)):
            unseen, wanted = places(backbone, test, upside_down)
            for question, classes in {"edge": 2, "person": 2, "third": 3}.items():
                there, asked, right = known[question] < 255, wanted[question] < 255, {}
                for key in seen:
                    answer = linear_probe(seen[key][there], known[question][there], classes, seed=seed)
                    share = mean_recall(answer(unseen[key][asked]), wanted[question][asked], classes)
                    right[key] = round(100 * share, 1)
                row[f"{question}, {name}{turn}"] = right
    return row


OTHERS = {"four heads": four_heads, "careless": careless, "probes": probes}


def one_run(name, seed):
    return OTHERS[name](seed) if name in OTHERS else trained(name, seed)


if __name__ == "__main__":
    collect(__doc__, [*RUNS, *OTHERS], one_run)
