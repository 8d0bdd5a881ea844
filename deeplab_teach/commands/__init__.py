"""The commands of `python -m deeplab_teach`: a file for each that does more than call one function."""

import argparse


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """`--help` with the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)
