"""Training, conversion and evaluation of Maskwatch's models.

Everything here works on a data folder given by ``--data`` (its shape is described in ``models/training/README.md``) and on
model folders (``models/NAME/manifest.yaml``), the same that the program loads.
"""

__version__ = "0.1.0"
