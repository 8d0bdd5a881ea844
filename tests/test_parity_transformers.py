"""BERT against the class of the library that publishes it: the same weights in, the same numbers out."""

import pytest
import torch
import torch.nn.functional as F

from deeplab_teach.backbones import BERT, minilm
from deeplab_teach.cost import count
from deeplab_teach.heads import ClassificationHead
from deeplab_teach.heads.classification import masked_mean
from deeplab_teach.models import build_model
from deeplab_teach.weights import WEIGHTS, load_weights
from deeplab_teach.weights.load import fill, rename
from deeplab_teach.wordpiece import text_ids, word_pieces

TEXTS = ["a tabby cat, asleep", "tench", "an espresso cup on a wooden table, photographed from above"]


@pytest.fixture(scope="module")
def pair():
    """Ours and theirs, small, with the same random weights: norms and biases as well, which defaults would hide."""
    from transformers import BertConfig, BertModel

    sizes = {"vocab_size": 30_522, "max_position_embeddings": 64, "hidden_size": 24, "num_hidden_layers": 3}
    theirs = BertModel(BertConfig(**sizes, num_attention_heads=4, intermediate_size=96)).eval()
    torch.manual_seed(0)
    for name, parameter in theirs.named_parameters():
        torch.nn.init.normal_(parameter, mean=float(name.endswith("LayerNorm.weight")), std=0.3)
    ours = BERT("minilm", dim=24, depth=3, num_heads=4, max_length=64).eval()
    state = rename(theirs.state_dict(), WEIGHTS["minilm"])
    fill(ours, {key.removeprefix("backbone."): value for key, value in state.items()}, "theirs")
    return ours, theirs


@torch.no_grad()
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]], ids=["padded", "not padded"])
def test_the_same_numbers(pair, texts):
    ours, theirs = pair
    ids = text_ids(texts)
    kept = ids != 0
    found, due = ours(ids), theirs(ids, attention_mask=kept.long()).last_hidden_state
    assert ("mask" in found) == (len(texts) > 1)
    assert due[kept].std() > 0.3
    assert torch.allclose(found["tokens"].transpose(1, 2)[kept], due[kept], atol=2e-5)


@torch.no_grad()
def test_padding_changes_nothing(pair):
    reader = pair[0]
    together, alone = reader(text_ids(TEXTS)), reader(text_ids(TEXTS[1:2]))
    a, b = masked_mean(together["tokens"], together["mask"])[1], masked_mean(alone["tokens"])[0]
    assert torch.allclose(a, b, atol=1e-5)
    assert not torch.allclose(masked_mean(together["tokens"])[1], b, atol=1e-2)  # the mask is what does it


def test_a_gradient_reaches_every_weight(pair):
    reader = pair[0]
    scores = ClassificationHead(reader.feature_specs, 2)(reader(text_ids(TEXTS)))
    scores.square().sum().backward()
    sizes = {name: parameter.grad.abs().max().item() for name, parameter in reader.named_parameters()}
    flat = [name for name in sizes if name.endswith("key.bias")]  # the same for all keys: softmax does not see it
    assert len(flat) == 3 and all(sizes[name] < 1e-4 * max(sizes.values()) for name in flat)
    assert all(size > 1e-4 * max(sizes.values()) for name, size in sizes.items() if name not in flat)


def test_where_values_cannot_be_asked_padding_is_taken_for_given(pair):
    assert pair[0].kept(text_ids(TEXTS[:1])) is None
    assert pair[0].kept(text_ids(TEXTS[:1]).to("meta")).shape == (1, 8)


def test_the_parameters_and_the_work_of_minilm():
    with torch.device("meta"):
        model = build_model("minilm", "classification", 2)
    assert sum(p.numel() for p in model.backbone.parameters()) == 22_565_376  # of 22.7 million published: no pooler
    layer = (
        12 * 12 * 384**2 + 2 * 12 * 12 * 384
    )  # of 12 tokens: 4 + 8 square matrices, and the attention's two products
    assert count(model, inputs=torch.ones(1, 12, dtype=torch.long)).multiply_adds == 6 * layer + 2 * 384


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(2, 5), "minilm takes integer ids of shape"),
        (torch.full((1, 4), 40_000), "ids must be in 0..30521"),
        (torch.zeros(1, 3, dtype=torch.long), "padding"),
        (torch.ones(1, 65, dtype=torch.long), "1 to 64 tokens"),
    ],
)
def test_ids_that_cannot_be_read(pair, ids, message):
    with pytest.raises(ValueError, match=message):
        pair[0](ids)


def test_pieces_are_those_of_the_published_tokenizer():
    """Small letters, no accents, long words in parts; what is in no vocabulary is one unknown piece."""
    assert word_pieces("tabby cat") == ["[CLS]", "tab", "##by", "cat", "[SEP]"]
    assert word_pieces("Café ñandú, 3.5% 狗") == [
        "[CLS]",
        "cafe",
        "nan",
        "##du",
        ",",
        "3",
        ".",
        "5",
        "%",
        "[UNK]",
        "[SEP]",
    ]
    assert text_ids(["a cat", "tabby cat"]).tolist() == [[101, 1037, 4937, 102, 0], [101, 21628, 3762, 4937, 102]]


@pytest.mark.parametrize("texts", ["a cat", [], ()])
def test_no_texts(texts):
    with pytest.raises(ValueError, match="list of texts"):
        text_ids(texts)


@torch.no_grad()
def test_the_real_weights_find_like_sentences():
    """Only where somebody brought them: `python -m deeplab_teach get-weights minilm`."""
    if WEIGHTS["minilm"].locate() is None:
        pytest.skip("the weights of minilm are not on this computer")
    reader = load_weights(minilm()).eval()
    features = reader(text_ids(["A cat sleeps on the sofa.", "The kitten naps on a couch.", "Interest rates rose."]))
    like = F.normalize(masked_mean(features["tokens"], features["mask"]))
    like = like @ like.T
    assert like[0, 1] > 0.6 > 0.2 > like[0, 2]
