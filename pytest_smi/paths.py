"""Where the shipped suite and the sample application are: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The folder `conformance_tests` or `sample_app`, for an editable install and for a wheel alike.

    Raises FileNotFoundError when neither place has it (a broken install).
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor beside it: reinstall pytest-smi")
