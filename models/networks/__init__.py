"""The networks in torch, and the layers they are made of.

No data, no training, no files. May import torch and the codec.
"""
