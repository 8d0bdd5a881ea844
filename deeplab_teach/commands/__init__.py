"""The commands of `python -m deeplab_teach`: a file for each that does more than call one function."""
