"""Fills the holes of a text, "___" or with a number of tokens "___{6}": fill.py MODEL TEXT"""

import sys

import unmask

model = unmask.Model(sys.argv[1])
print(model.fill(sys.argv[2]))
