"""What authors call the parts of their networks, and which role each part plays: lesson 12's map and its ten cases.

Quotations are word for word; `...` marks what was left out.
"""

from dataclasses import dataclass

ROLES = ("backbone", "neck", "head", "none")


@dataclass(frozen=True)
class Network:
    """A network as its authors cut it.

    name, year: of the paper.
    reads: what goes in.
    parts: `(the authors' words, the role)`, in the order in which data pass; the role is one of `ROLES`.
    quotation: from the paper.
    source: the paper, and where in it.
    says_it: whether the authors call the part in question a backbone; what was searched, where they do not.
    """

    name: str
    year: int
    reads: str
    parts: tuple[tuple[str, str], ...]
    quotation: str
    source: str
    says_it: str


NETWORKS = (
    Network(
        "U-Net",
        2015,
        "image",
        (("contracting path", "none"), ("expansive path", "neck"), ("1x1 convolution", "head")),
        "It consists of a contracting path (left side) and an expansive path (right side).",
        "Ronneberger, Fischer, Brox, arXiv 1505.04597, section 2",
        "never, in the whole paper",
    ),
    Network(
        "YOLO",
        2016,
        "image",
        (("first 20 convolutional layers", "backbone"), ("4 more, fully connected layers", "head")),
        "The initial convolutional layers of the network extract features from the image while the fully connected "
        "layers predict the output probabilities and coordinates.",
        "Redmon et al., arXiv 1506.02640, section 2.1",
        "never, in the whole paper; in YOLOv3 in two tables",
    ),
    Network(
        "FPN",
        2017,
        "image",
        (
            ("backbone ConvNet", "backbone"),
            ("top-down pathway and lateral connections", "neck"),
            ("RPN, Fast R-CNN", "head"),
        ),
        "This process is independent of the backbone convolutional architectures ..., and in this paper we present "
        "results using ResNets.",
        "Lin et al., arXiv 1612.03144, section 3",
        "yes; what others call a neck has no short name there",
    ),
    Network(
        "BERT",
        2019,
        "text",
        (("pre-trained model", "backbone"), ("output layer", "head")),
        "Apart from output layers, the same architectures are used in both pre-training and fine-tuning.",
        "Devlin et al., arXiv 1810.04805, figure 1",
        "never, in the whole paper",
    ),
    Network(
        "DETR",
        2020,
        "image",
        (
            ("CNN backbone", "backbone"),
            ("transformer encoder", "neck"),
            ("transformer decoder, prediction FFNs", "head"),
        ),
        "DETR uses a conventional CNN backbone to learn a 2D representation of an input image.",
        "Carion et al., arXiv 2005.12872, figure 2",
        "yes; the encoder is another part, behind it",
    ),
    Network(
        "wav2vec 2.0",
        2020,
        "sound",
        (
            ("feature encoder, context network", "backbone"),
            ("quantization module", "none"),
            ("linear projection", "head"),
        ),
        "Pre-trained models are fine-tuned for speech recognition by adding a randomly initialized linear projection "
        "on top of the context network",
        "Baevski et al., arXiv 2006.11477, section 3.3",
        "never, in the whole paper",
    ),
    Network(
        "SegFormer",
        2021,
        "image",
        (("hierarchical Transformer encoder", "backbone"), ("All-MLP decoder", "head")),
        "SegFormer consists of two main modules: (1) a hierarchical Transformer encoder to generate high-resolution "
        "coarse features and low-resolution fine features; and (2) a lightweight All-MLP decoder",
        "Xie et al., arXiv 2105.15203, section 3",
        "of what else could stand there; of its own encoder in the code",
    ),
    Network(
        "Swin",
        2021,
        "image",
        (("general-purpose backbone", "backbone"), ("FPN", "neck"), ("heads of Cascade Mask R-CNN and others", "head")),
        "This paper presents a new vision Transformer, called Swin Transformer, that capably serves as a "
        "general-purpose backbone for computer vision.",
        "Liu et al., arXiv 2103.14030, abstract",
        "yes: the whole of what is published is one",
    ),
    Network(
        "ConvNeXt",
        2022,
        "image",
        (("ConvNeXt backbones", "backbone"), ("FPN", "neck"), ("heads of Mask R-CNN and others", "head")),
        "... on the COCO dataset with ConvNeXt backbones.",
        "Liu et al., arXiv 2201.03545, section 4",
        "yes, where it stands under detectors",
    ),
    Network(
        "Mask2Former",
        2022,
        "image",
        (("backbone", "backbone"), ("pixel decoder", "neck"), ("Transformer decoder", "head")),
        "A backbone that extracts low-resolution features from an image. A pixel decoder that gradually upsamples "
        "low-resolution features from the output of the backbone ...",
        "Cheng et al., arXiv 2112.01527, section 3.1",
        "yes",
    ),
    Network(
        "SAM",
        2023,
        "image",
        (("image encoder", "backbone"), ("prompt encoder", "none"), ("mask decoder", "head")),
        "In general, the image encoder can be any network that outputs a C×H×W image embedding.",
        "Kirillov et al., arXiv 2304.02643, appendix A",
        "not in the main text",
    ),
    Network(
        "DINOv2",
        2023,
        "image",
        (("our backbone", "backbone"), ("linear layer, DPT, Mask2Former head", "head")),
        "In a final experiment, we freeze our backbone, and plug it into a ViT-Adapter ... with a Mask2former head",
        "Oquab et al., arXiv 2304.07193, section 7.4",
        "yes, where it stands frozen under several heads",
    ),
)


@dataclass(frozen=True)
class Case:
    """A part of a network, and what can be said of it without the word.

    part: which part of which network.
    called: what its authors call it.
    reads_input: it reads what the network is given, not another part's features.
    reads_image: what the network is given is an image.
    gives_features: its output is for another part to read.
    gives_answer: its output is the network's answer.
    learnt_elsewhere: its weights were first learnt on another task.
    exchanged: others were put in its place, and the rest stayed as it was.
    several_heads: it was put under heads of several kinds.
    because: why it is what it is.
    """

    part: str
    called: str
    reads_input: bool = False
    reads_image: bool = False
    gives_features: bool = False
    gives_answer: bool = False
    learnt_elsewhere: bool = False
    exchanged: bool = False
    several_heads: bool = False
    because: str = ""


def role_of(part: Case) -> str:
    """The role that a part plays, whatever its authors call it: one of `ROLES`.

    A backbone reads the input, gives features, and is exchanged for others while the rest stays as it is; usually it
    has learnt another task first. A neck reads features and gives features. A head reads features and gives the answer.
    What is none of the three is "none".
    """
    if part.reads_input:
        return "backbone" if part.gives_features and part.exchanged else "none"
    if part.gives_answer:
        return "head"
    return "neck" if part.gives_features else "none"


CASES = (
    Case(
        "ResNet-101 up to c5, in DeepLabv3+",
        "network backbone",
        reads_input=True,
        reads_image=True,
        gives_features=True,
        learnt_elsewhere=True,
        exchanged=True,
        several_heads=True,
        because="It reads the image, gives c1 to c5, comes with ImageNet's weights, and the paper puts Xception in its "
        "place.",
    ),
    Case(
        "decoder of DeepLabv3+, with its last 1x1 convolution",
        "decoder",
        gives_answer=True,
        because="It reads c2 and what ASPP gives, and its output is the answer: scores of classes at each place.",
    ),
    Case(
        "FPN, between ResNet-50 and FCOS",
        "Feature Pyramid Network",
        gives_features=True,
        exchanged=True,
        several_heads=True,
        because="It reads c3 to c5 and gives p3 to p7: features in, features out. Mask R-CNN's paper counts it in the "
        "backbone, YOLOv4's in the neck.",
    ),
    Case(
        "contracting path of U-Net, as published in 2015",
        "contracting path",
        reads_input=True,
        reads_image=True,
        gives_features=True,
        because="It reads the image and gives features, but the paper puts nothing else in its place: the other half "
        "copies its maps level by level, and the two were made for each other.",
    ),
    Case(
        "ResNet-34 as the left side of a U-Net, in a library of today",
        "encoder",
        reads_input=True,
        reads_image=True,
        gives_features=True,
        learnt_elsewhere=True,
        exchanged=True,
        several_heads=True,
        because="The shape is U-Net's, but the left side comes with ImageNet's weights and is one of many that fit.",
    ),
    Case(
        "ResNet-50 in a Mask R-CNN that is trained from scratch (2019)",
        "backbone",
        reads_input=True,
        reads_image=True,
        gives_features=True,
        exchanged=True,
        several_heads=True,
        because="It has learnt no other task, and it is read, exchanged and called as ever: with long training it does "
        "as well as from ImageNet's weights (He, Girshick, Dollár 2019).",
    ),
    Case(
        "pixel decoder of Mask2Former",
        "pixel decoder",
        gives_features=True,
        exchanged=True,
        because="It reads the backbone's maps and gives finer ones, which the Transformer decoder reads. Its weights "
        "are new, and an FPN can stand in its place.",
    ),
    Case(
        "mask decoder of SAM",
        "mask decoder",
        gives_answer=True,
        because="It reads the image's embedding, and its output is the answer: masks.",
    ),
    Case(
        "BERT without its output layer",
        "pre-trained model",
        reads_input=True,
        gives_features=True,
        learnt_elsewhere=True,
        exchanged=True,
        several_heads=True,
        because="It reads the text, gives features, and first learnt to fill in missing words; larger and smaller ones "
        "stand under the same output layer. Its authors do not have the word; the part plays the role.",
    ),
    Case(
        "quantization module of wav2vec 2.0",
        "quantization module",
        because="It makes the targets of the first training and is left out afterwards: no answer passes through it.",
    ),
)
