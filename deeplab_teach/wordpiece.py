"""Text as numbers: words are cut into pieces that a fixed vocabulary knows (WordPiece, BERT's section 3)."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from deeplab_teach.data_files import data_path

VOCABULARY = "text/bert_uncased_vocab.txt"  # one piece a line; its id is the number of the line, counted from 0


def word_pieces(text: str) -> list[str]:
    """The pieces of a text, small letters, between `[CLS]` and `[SEP]`; `##` is put before what goes on in a word.

    Raises:
        ImportError: the library `tokenizers` is missing; the message says how to get it.
    """
    return _tokenizer().encode(text).tokens


def text_ids(texts: Sequence[str]) -> Tensor:
    """The ids of the pieces of several texts, int64 (N, T): short ones are filled up with 0, the id of `[PAD]`.

    Raises:
        ValueError: there is no text, or one string was given where a list of them is due.
        ImportError: as `word_pieces`.
    """
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f'text_ids takes a list of texts, such as ["a cat"], got {texts!r}.')
    ids = [encoding.ids for encoding in _tokenizer().encode_batch(list(texts))]
    longest = max(map(len, ids))
    return torch.tensor([row + [0] * (longest - len(row)) for row in ids])


@cache
def _tokenizer():
    try:
        from tokenizers import BertWordPieceTokenizer
    except ImportError as error:
        raise ImportError(
            f"Cutting text into pieces needs the library tokenizers: pip install tokenizers ({error})."
        ) from error
    return BertWordPieceTokenizer(str(data_path(VOCABULARY)), lowercase=True)
