"""Maintainer's script for lesson 12: MiniLM's vectors of ImageNet's 1000 names, and what each of its layers knows.

    python -m deeplab_teach get-weights minilm
    python benchmarks/lesson12_names.py

writes `data/results/lesson12_names.safetensors`, the mean over the tokens of each name (float16, 1000 x 384), which the
lesson reads where the weights are missing, and `data/results/lesson12_seeds.json`: of a linear layer on the vectors of
each layer, the mean of the two recalls, over ten seeds; and *crane* in two sentences. A minute on two cores. Then run
`data/make_sums.py`.
"""

import json

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torchvision.models import MobileNet_V2_Weights

from deeplab_teach.backbones import minilm
from deeplab_teach.data_files import DATA_DIR, atomic_write
from deeplab_teach.heads import ClassificationHead
from deeplab_teach.heads.classification import masked_mean
from deeplab_teach.training.probes import mean_recall
from deeplab_teach.weights import load_weights
from deeplab_teach.wordpiece import text_ids

NAMES = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
ANIMAL = (torch.arange(1000) < 398).long()  # ImageNet lists its animals first
SEEDS, COUNTS = range(10), (10, 20, 50, 100, 400)


@torch.no_grad()
def layers(reader):
    """The mean over each name's tokens, of the table of pieces and after each layer; the first token at the end."""
    ids = text_ids(NAMES)
    kept, found = ids != 0, {}
    x = reader.embeddings["word_embeddings"](ids)
    found["table"] = masked_mean(x.transpose(1, 2), kept)
    handles = [
        layer.register_forward_hook(lambda _, inputs, x, n=n: found.update({f"layer {n}": (x, x[:, 0])}))
        for n, layer in enumerate(reader.encoder["layer"], 1)
    ]
    reader(ids)
    for handle in handles:
        handle.remove()
    last = found[f"layer {len(handles)}"][1]
    means = {k: v if torch.is_tensor(v) else masked_mean(v[0].transpose(1, 2), kept) for k, v in found.items()}
    return {**means, "[CLS] alone": last}


def teach(head, features, labels, steps=100):
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.1)
    for _ in range(steps):
        loss = F.cross_entropy(head(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def draw(pool, labels, count):
    # half of them animals
    return torch.cat(
        [(found := pool[labels[pool] == kind])[torch.randperm(len(found))[: count // 2]] for kind in (0, 1)]
    )


def recalls(specs, features, labels, counts, split):
    # {count: the mean of the two recalls, for each seed}
    key, found = next(iter(specs)), {count: [] for count in counts}
    features = features / features.std()
    for seed in SEEDS:
        for count in counts:
            torch.manual_seed(seed)
            pool, test = split()
            taught = draw(pool, labels, count)
            head = ClassificationHead(specs, 2)
            teach(head, {key: features[taught]}, labels[taught])
            with torch.no_grad():
                said = head({key: features[test]}).argmax(dim=1)
            found[count].append(100 * mean_recall(said, labels[test], 2))
    return found


def half_and_half():
    order = torch.randperm(1000)
    return order[:500], order[500:]


@torch.inference_mode()
def cranes(reader):
    """`[sentence, number of a token, how much nearer it is to "a bird" than to "a machine", in cosines]`."""
    kinds, rows = reader(text_ids(["a bird", "a machine"]))["tokens"], []
    bird, machine = F.normalize(masked_mean(kinds), dim=1)  # of like length: no padding
    for word in ("crane", "thing"):
        for rest in ("lifts steel beams at the harbour", "wades in the shallow pond"):
            sentence = f"a {word} {rest}"
            tokens = F.normalize(reader(text_ids([sentence]))["tokens"][0], dim=0)  # (C, T)
            for number in (1, 2):  # after [CLS]: "a", and the word
                token = tokens[:, number]
                rows.append([sentence, number, round((token @ bird - token @ machine).item(), 3)])
    return rows


if __name__ == "__main__":
    reader = load_weights(minilm()).eval()
    found, rows = layers(reader), []
    for name, vectors in found.items():
        scores = recalls(reader.feature_specs, vectors[:, :, None], ANIMAL, COUNTS, half_and_half)
        print(name, {count: round(sum(s) / len(s), 1) for count, s in scores.items()})
        rows += [
            {"layer": name, "labels": count, "seed": seed, "recall": round(score, 2)}
            for count, each in scores.items()
            for seed, score in zip(SEEDS, each, strict=True)
        ]
    with atomic_write(DATA_DIR / "results/lesson12_seeds.json") as temporary:
        temporary.write_text(json.dumps({"rows": rows, "crane": cranes(reader)}, indent=1) + "\n", encoding="utf-8")
    with atomic_write(DATA_DIR / "results/lesson12_names.safetensors") as temporary:
        temporary.write_bytes(save({"pooled": found["layer 6"].half().contiguous()}))
